// The two data channels of a call, as in kiosk/wire/channel.py: `events` (reliable, ordered) and `poses` (unordered, no repeats).
// One JSON object per message, told apart by `kind`; binary messages are chunks of the snapshot that is open.

/** @typedef {import("./geometry.js").Poses} Poses */
/** @typedef {{kind: string, [key: string]: any}} Message */

export const HEARTBEAT_MS = 1000;
const GOODBYE_MS = 1000;
/** The kiosk refuses longer messages. */
const MAX_MESSAGE = 16 * 1024;
const MAX_SNAPSHOT = 32 * 1024 * 1024;
const CHUNK_HEAD = 20;
const KEPT_POSES = 90;

/** @returns {string} a fresh id that fits `[a-z0-9-]{3,40}` */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Puts a picture together from its chunks: 16 ASCII bytes id, 4 bytes index (big endian), data. */
export class Assembler {
  /** @param {{id: string, bytes: number, chunks: number}} opened */
  constructor({ id, bytes, chunks }) {
    this.id = id;
    this.fits = bytes > 0 && bytes <= MAX_SNAPSHOT && chunks > 0 && chunks <= bytes;
    /** @type {(Uint8Array | undefined)[]} */
    this.parts = this.fits ? new Array(chunks) : [];
    this.missing = chunks;
    this.bytes = bytes;
  }

  /** @param {ArrayBuffer} data @returns {Blob | null} the picture, when this was the last chunk */
  take(data) {
    if (!this.fits || data.byteLength <= CHUNK_HEAD) return null;
    const id = String.fromCharCode(...new Uint8Array(data, 0, 16)).trimEnd();
    const index = new DataView(data).getUint32(16);
    if (id !== this.id || index >= this.parts.length || this.parts[index]) return null;
    this.parts[index] = new Uint8Array(data, CHUNK_HEAD);
    this.missing -= 1;
    if (this.missing) return null;
    const blob = new Blob(/** @type {BlobPart[]} */ (this.parts), { type: "image/jpeg" });
    return blob.size === this.bytes ? blob : null;
  }
}

/** Emits (CustomEvent, detail = the message): every `kind` of the kiosk's messages; "poses"; "picture" {id, blob}; "open"; "any". */
export class Channels extends EventTarget {
  /** @param {RTCPeerConnection} connection */
  constructor(connection) {
    super();
    this.events = connection.createDataChannel("events");
    this.events.binaryType = "arraybuffer";
    this.posesChannel = connection.createDataChannel("poses", { ordered: false, maxRetransmits: 0 });
    /** @type {Poses[]} the newest last; drawn for the frame that is shown */
    this.poses = [];
    this.heardAt = performance.now();
    this.beats = 0;
    /** The kiosk's last heartbeat: its clock, and ours when it came. @type {{sentMs: number, at: number} | null} */
    this.echo = null;
    /** @type {Assembler | null} */
    this.assembler = null;
    this.events.addEventListener("open", () => this.tell("open", {}));
    this.events.addEventListener("message", ({ data }) => this.take(data));
    this.posesChannel.addEventListener("message", ({ data }) => this.takePoses(data));
  }

  get isOpen() {
    return this.events.readyState === "open";
  }

  /** @param {Message} message @returns {boolean} whether it could be sent */
  send(message) {
    if (!this.isOpen) return false;
    const text = JSON.stringify(message);
    if (text.length > MAX_MESSAGE) return false;
    this.events.send(text);
    return true;
  }

  beat() {
    const now = performance.now();
    const echo = this.echo && { echo_ms: this.echo.sentMs, held_ms: now - this.echo.at };
    this.send({ kind: "heartbeat", n: this.beats++, sent_ms: now, ...echo });
  }

  /** How long nothing was heard, in ms. */
  get silence() {
    return performance.now() - this.heardAt;
  }

  /** @param {unknown} data */
  take(data) {
    this.heardAt = performance.now();
    if (data instanceof ArrayBuffer) {
      const blob = this.assembler?.take(data);
      if (blob && this.assembler) this.tell("picture", { id: this.assembler.id, blob });
      return;
    }
    const message = parsed(data);
    if (!message || typeof message.kind !== "string") return;
    if (message.kind === "heartbeat" && Number.isFinite(message.sent_ms)) this.echo = { sentMs: message.sent_ms, at: this.heardAt };
    if (message.kind === "snapshot-open") this.assembler = new Assembler(/** @type {any} */ (message));
    this.tell(message.kind, message);
  }

  /** @param {unknown} data */
  takePoses(data) {
    const poses = parsed(data);
    if (!poses || typeof poses.t !== "number" || !Array.isArray(poses.marks)) return;
    this.poses.push(/** @type {Poses} */ (poses));
    if (this.poses.length > KEPT_POSES) this.poses.shift();
    this.tell("poses", poses);
  }

  /** Takes leave of the kiosk, however the desk is: resolves once the kiosk has closed the connection, or does not answer. */
  hangUp() {
    if (!this.send({ kind: "hang-up" })) return Promise.resolve();
    return /** @type {Promise<void>} */ (new Promise((resolve) => {
      this.events.addEventListener("close", () => resolve());
      setTimeout(resolve, GOODBYE_MS);
    }));
  }

  /** @param {string} kind @param {unknown} detail */
  tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  close() {
    this.events.close();
    this.posesChannel.close();
  }
}

/** @param {unknown} data @returns {any} null where it is no JSON object */
function parsed(data) {
  try {
    const value = JSON.parse(String(data));
    return value && typeof value === "object" ? value : null;
  } catch {
    return null; // a broken message changes nothing
  }
}
