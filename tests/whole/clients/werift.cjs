// werift, a WebRTC stack written in TypeScript alone: counts the frames (by their last packets) and the sound's packets.

"use strict";

const { RTCPeerConnection, RTCRtpCodecParameters } = require("werift");
const { play, tell, untilTold } = require("./whep.cjs");

const H264 = new RTCRtpCodecParameters({
  mimeType: "video/H264",
  clockRate: 90000,
  rtcpFeedback: [{ type: "nack" }, { type: "nack", parameter: "pli" }, { type: "goog-remb" }],
  parameters: "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1",
});
const OPUS = new RTCRtpCodecParameters({ mimeType: "audio/opus", clockRate: 48000, channels: 2 });

async function main() {
  const connection = new RTCPeerConnection({ codecs: { video: [H264], audio: [OPUS] } });
  const seen = { frames: 0, keyframes: 0, sound: 0 };
  const video = connection.addTransceiver("video", { direction: "recvonly" });
  const audio = connection.addTransceiver("audio", { direction: "recvonly" });
  video.onTrack.subscribe((track) => {
    track.onReceiveRtp.subscribe((packet) => {
      seen.frames += packet.header.marker ? 1 : 0;
      seen.keyframes += startsKeyframe(packet.payload) ? 1 : 0;
    });
  });
  audio.onTrack.subscribe((track) => track.onReceiveRtp.subscribe(() => { seen.sound += 1; }));
  connection.connectionStateChange.subscribe((state) => tell({ state }));
  await connection.setLocalDescription(await connection.createOffer());
  const answer = await play(connection.localDescription.sdp);
  await connection.setRemoteDescription({ type: "answer", sdp: answer });
  setInterval(() => tell(seen), 100);
  untilTold(async () => connection.close());
}

/** RFC 6184: an SPS alone, first in an aggregate, or the first piece of an IDR picture. @param {Buffer} payload */
function startsKeyframe(payload) {
  const kind = payload[0] & 31;
  if (kind === 24) return (payload[3] & 31) === 7;
  if (kind === 28) return (payload[1] & 128) !== 0 && (payload[1] & 31) === 5;
  return kind === 5 || kind === 7;
}

main();
