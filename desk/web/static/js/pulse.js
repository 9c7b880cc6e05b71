// Whether a connection still lives, and whether the desk can be reached: faster than the browser's own 6 s and 16 s.

/** @typedef {import("./channel.js").Channels} Channels */

/** Nothing at all for so long, no heartbeat and no byte of picture or sound: something is wrong. */
export const SILENCE_MS = 2000;
const REACH_MS = 1500;
const AGAIN_MS = 250;

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

/** Whether the desk answers, within REACH_MS. */
async function reached() {
  try {
    return (await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(REACH_MS) })).status < 500;
  } catch {
    return false;
  }
}

/** Resolves as soon as the desk answers, or `enough()` is true. @param {() => boolean | Promise<boolean>} enough */
export async function untilReached(enough) {
  while (!(await enough())) {
    if (await reached()) return;
    await pause(AGAIN_MS);
  }
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
