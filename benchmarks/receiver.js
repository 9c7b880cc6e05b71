"use strict";

/** The benchmarks' receiver: joins, and keeps for each frame that is shown which it is and when it was painted. */

const bench = { shown: [] };

/** Resolves with the ms from here to the first painted frame: offer, answer, ICE, DTLS and a keyframe. */
bench.join = async (staff) => {
  const began = performance.now();
  const connection = (bench.connection = new RTCPeerConnection());
  const video = document.querySelector("video");
  if (staff) await bringAlong(connection);
  else connection.addTransceiver("video", { direction: "recvonly" });
  connection.ontrack = ({ track }) => {
    if (track.kind === "video") video.srcObject = new MediaStream([track]);
  };
  const first = new Promise((done) => {
    video.requestVideoFrameCallback((_, data) => {
      done(data.presentationTime - began);
      look(video, data);
    });
  });
  await connection.setLocalDescription();
  await firstAddress(connection);
  const answer = await fetch("/offer", { method: "POST", body: connection.localDescription.sdp });
  await connection.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  return first;
};

/** What a staff member's page brings: camera, microphone and the two channels. Browsers fake the devices for tests. */
async function bringAlong(connection) {
  bench.stream ??= await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 360 } });
  for (const track of bench.stream.getTracks()) connection.addTransceiver(track, { direction: "sendrecv" });
  connection.createDataChannel("poses", { ordered: false, maxRetransmits: 0 });
  const events = connection.createDataChannel("events");
  const say = (what) => events.readyState === "open" && events.send(JSON.stringify(what));
  let n = 0;
  bench.beat = setInterval(() => say({ kind: "heartbeat", n: (n += 1) }), 1000);
  events.onopen = () => say({ kind: "camera", on: true });
}

bench.leave = () => {
  clearInterval(bench.beat);
  bench.connection.close();
};

/** One address is enough, since the link passes no other on. */
async function firstAddress(connection) {
  await new Promise((done) => {
    connection.onicecandidate = ({ candidate }) => {
      if (!candidate || / udp .*\d\.\d+ \d+ typ host/.test(candidate.candidate)) done();
    };
    setTimeout(done, 1000);
  });
}

/**
 * A frame is being painted: reads its corner code from the decoded luma. Of the times that a browser tells,
 * presentationTime is the true one: on a screen that is read (benchmarks/call_screen.py) the frame is there 3 ms later,
 * whoever sent it. expectedDisplayTime is not: of frames that are to be shown at once, as ours ask to be, it names a
 * moment up to 45 ms after they were on the screen, of others the moment they are handed over.
 */
async function look(video, { presentedFrames, presentationTime }) {
  video.requestVideoFrameCallback((_, data) => look(video, data));
  const painted = performance.timeOrigin + presentationTime;
  const entry = [-1, 0, painted, presentedFrames, video.videoHeight];
  bench.shown.push(entry);
  const frame = new VideoFrame(video);
  const { width, height } = frame.visibleRect;
  const code = await readCode(frame, width, height).finally(() => frame.close());
  if (code) [entry[0], entry[1]] = [code.number, code.timeMs];
}

async function readCode(frame, width, height) {
  const top = Math.floor(height - (4 * height) / 45) & ~1;
  const wide = (Math.ceil((14 * width) / 80) + 1) & ~1;
  const luma = await planes(frame, { x: 0, y: top, width: wide, height: height - top });
  const strip = {
    getImageData(_x, y, w, h) {
      const data = new Uint8ClampedArray(4 * w * h);
      for (let row = 0; row < h; row += 1) {
        for (let x = 0; x < w; x += 1) data.fill(luma[(row + y - top) * wide + x], 4 * (row * w + x), 4 * (row * w + x) + 3);
      }
      return { data, width: w };
    },
  };
  return readCornerCode(strip, width, height);
}

/** The luma of a part of the frame comes first in I420 and NV12 alike. */
async function planes(frame, rect) {
  const data = new Uint8Array(frame.allocationSize({ rect }));
  await frame.copyTo(data, { rect });
  return data;
}

/** Sends the luma of every `each`th shown frame, `count` times: for the picture's quality. */
bench.send = async (count, each) => {
  const video = document.querySelector("video");
  for (let n = 0; n < count; n += 1) {
    for (let skip = 0; skip < each; skip += 1) await new Promise((done) => video.requestVideoFrameCallback(done));
    const frame = new VideoFrame(video);
    const { width, height } = frame.visibleRect;
    const luma = await planes(frame, { x: 0, y: 0, width, height });
    frame.close();
    await fetch(`/luma?width=${width}&height=${height}`, { method: "POST", body: luma.subarray(0, width * height) });
  }
};

bench.stats = async () => {
  const found = await bench.connection.getStats();
  for (const entry of found.values()) {
    if (entry.type === "inbound-rtp" && entry.kind === "video") {
      return { ...entry, codec: found.get(entry.codecId)?.mimeType ?? "" };
    }
  }
  return null;
};

bench.take = () => ({ shown: bench.shown.splice(0), nowMs: performance.timeOrigin + performance.now() });

window.bench = bench;
