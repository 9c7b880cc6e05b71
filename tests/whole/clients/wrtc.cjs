// libwebrtc through @roamhq/wrtc: decodes the picture and counts what it saw, and measures how loud the sound is.

"use strict";

const wrtc = require("@roamhq/wrtc");
const { play, tell, untilTold } = require("./whep.cjs");

async function main() {
  const connection = new wrtc.RTCPeerConnection();
  const seen = { frames: 0, width: 0, height: 0, loudest: 0, pictures: 0 };
  let last = -1;
  connection.ontrack = ({ track }) => {
    if (track.kind === "video") {
      new wrtc.nonstandard.RTCVideoSink(track).onframe = ({ frame }) => {
        seen.frames += 1;
        [seen.width, seen.height] = [frame.width, frame.height];
        let sum = 0;
        for (let i = 0; i < frame.width * frame.height; i += 97) sum += frame.data[i];
        if (sum !== last) seen.pictures += 1;
        last = sum;
      };
    } else {
      new wrtc.nonstandard.RTCAudioSink(track).ondata = ({ samples }) => {
        for (const sample of samples) seen.loudest = Math.max(seen.loudest, Math.abs(sample));
      };
    }
  };
  connection.onconnectionstatechange = () => tell({ state: connection.connectionState });
  connection.addTransceiver("video", { direction: "recvonly" });
  connection.addTransceiver("audio", { direction: "recvonly" });
  await connection.setLocalDescription(await connection.createOffer());
  await new Promise((resolve) => {
    const done = () => { if (connection.iceGatheringState === "complete") resolve(); };
    connection.addEventListener("icegatheringstatechange", done);
    setTimeout(resolve, 2000);
    done();
  });
  const answer = await play(connection.localDescription.sdp);
  await connection.setRemoteDescription({ type: "answer", sdp: answer });
  setInterval(() => tell(seen), 100);
  untilTold(async () => connection.close());
}

main();
