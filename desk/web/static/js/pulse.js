// Whether a connection still lives, and whether the desk can be reached: faster than the browser's own 6 s and 16 s.

/** @typedef {import("./channel.js").Channels} Channels */

/** Nothing at all for so long, no heartbeat and no byte of picture or sound: something is wrong. */
export const SILENCE_MS = 2000;
/** Two tries of TCP; after some, three: browsers hold WebSockets back that have failed too often. */
const REACH_MS = 2500;
const PATIENT_MS = 4500;
const PATIENT_AFTER = 8;
const AGAIN_MS = 500;

export class Pulse {
  /** @param {RTCPeerConnection} connection @param {Channels} channels */
  constructor(connection, channels) {
    this.connection = connection;
    this.channels = channels;
    this.bytes = 0;
    this.channels.heardAt = performance.now();
  }

  /** How long nothing has arrived, in ms. */
  async silence() {
    const before = this.bytes;
    this.bytes = 0;
    for (const one of (await this.connection.getStats()).values()) this.bytes += one.type === "candidate-pair" || one.type === "inbound-rtp" ? one.bytesReceived ?? 0 : 0;
    if (this.bytes > before) this.channels.heardAt = performance.now();
    return this.channels.silence;
  }

  /** The connection itself says that it is over: no waiting helps. */
  get isOver() {
    return ["failed", "closed"].includes(this.connection.connectionState) || !this.channels.isOpen;
  }
}

/**
 * Whether the way to the desk's machine is open. By a WebSocket, which is refused there, but that is an answer: each has a connection attempt of
 * its own, where requests that come to nothing leave theirs behind for the next ones, and after 30 s that repeats its SYN each half minute only.
 * @param {number} limitMs
 */
function reached(limitMs) {
  return /** @type {Promise<boolean>} */ (new Promise((resolve) => {
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/healthz`);
    /** @param {boolean} answer */
    const end = (answer) => {
      clearTimeout(timer);
      socket.onopen = socket.onerror = null;
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => end(false), limitMs);
    socket.onopen = socket.onerror = () => end(true);
  }));
}

/** Resolves as soon as the desk can be reached (true), or `enough()`. @param {() => boolean | Promise<boolean>} enough @returns {Promise<boolean>} */
export async function untilReached(enough) {
  for (let tries = 0; !(await enough()); tries++) {
    if (navigator.onLine === false) await pause(AGAIN_MS);
    else if (await reached(tries < PATIENT_AFTER ? REACH_MS : PATIENT_MS)) return true;
  }
  return false;
}

/** Ends early where the network comes back or changes. @param {number} ms */
export function pause(ms) {
  return /** @type {Promise<void>} */ (new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    addEventListener("online", end);
  }));
}
