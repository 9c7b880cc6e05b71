"use strict";

/** libwebrtc as it comes, through npm's @roamhq/wrtc: sends the film. It talks as benchmarks/senders.py says. */

const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const { RTCPeerConnection, MediaStream, nonstandard } = require("@roamhq/wrtc");

const WIDTH = 1280;
const HEIGHT = 720;
const PERIOD_MS = 1001 / 30;
const FRAME_BYTES = (WIDTH * HEIGHT * 3) / 2;
const CELL = WIDTH / 80;

const options = JSON.parse(process.argv[2]);
const folder = path.join(__dirname, "..", "..", "build");
const film = fs.readFileSync(path.join(folder, fs.readdirSync(folder).find((name) => /^film-.*\.i420$/.test(name))));
const frames = film.length / FRAME_BYTES;

/** Which of the film's frames is played: forth and back. */
function index(number) {
  const at = number % (2 * frames - 2);
  return at < frames ? at : 2 * frames - 2 - at;
}

function crc8(bytes) {
  let value = 0;
  for (const byte of bytes) {
    value ^= byte;
    for (let i = 0; i < 8; i += 1) value = value & 0x80 ? ((value << 1) ^ 0x107) & 0xff : value << 1;
  }
  return value;
}

/** The corner code, as kiosk/hw/sim/corner_code.py lays it out. */
function stamp(frame, number, timeMs) {
  const time = timeMs % 2 ** 24;
  const data = [(number >> 8) & 255, number & 255, (time >> 16) & 255, (time >> 8) & 255, time & 255];
  data.push(crc8(data));
  for (let row = 0; row < 4; row += 1) {
    const cells = [1 - (row % 2)];
    for (let bit = 12 * row; bit < 12 * row + 12; bit += 1) cells.push((data[bit >> 3] >> (7 - (bit & 7))) & 1);
    cells.push(row % 2);
    for (let y = HEIGHT - (4 - row) * CELL; y < HEIGHT - (3 - row) * CELL; y += 1) {
      cells.forEach((white, c) => frame.fill(white ? 235 : 16, y * WIDTH + c * CELL, y * WIDTH + (c + 1) * CELL));
    }
  }
}

const source = new nonstandard.RTCVideoSource();
const track = source.createTrack();
const frame = new Uint8ClampedArray(FRAME_BYTES);
const began = performance.now();
let number = -1;

function play() {
  number = Math.max(number + 1, Math.floor((performance.now() - began) / PERIOD_MS));
  const at = index(number) * FRAME_BYTES;
  frame.set(film.subarray(at, at + FRAME_BYTES));
  stamp(frame, number, Date.now());
  source.onFrame({ width: WIDTH, height: HEIGHT, data: frame });
  setTimeout(play, Math.max(0, began + (number + 1) * PERIOD_MS - performance.now()));
}

const connections = new Map();

async function answer(peer, sdp) {
  const connection = new RTCPeerConnection();
  connections.set(peer, connection);
  connection.addTrack(track, new MediaStream([track]));
  await connection.setRemoteDescription({ type: "offer", sdp: options.bitrate_bps ? limited(sdp) : sdp });
  await connection.setLocalDescription(await connection.createAnswer());
  if (connection.iceGatheringState !== "complete") {
    await new Promise((done) => {
      connection.onicegatheringstatechange = () => connection.iceGatheringState === "complete" && done();
    });
  }
  return connection.localDescription.sdp;
}

/** As if the receiver wanted no more (RFC 8866, section 5.8): setParameters does not work in this binding. */
function limited(sdp) {
  return sdp.replace(/(m=video.*\r\nc=.*\r\n)/, `$1b=AS:${Math.round(options.bitrate_bps / 1000)}\r\n`);
}

const doing = {
  offer: ({ peer, sdp }) => answer(peer, sdp),
  leave: ({ peer }) => connections.get(peer)?.close() ?? null,
};

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const input = readline.createInterface({ input: process.stdin });
input.on("line", async (line) => {
  const what = JSON.parse(line);
  say((await doing[what.do](what)) ?? null);
});
input.on("close", () => process.exit(0));
play();
say("ready");
