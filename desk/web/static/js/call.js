// A call: one RTCPeerConnection at a time, made anew by itself when it breaks, with microphone and camera kept over that.
//
// For tests: `window.desk.call` is the Call that is on; `.state`, `.connection`, `.frameTime`, `.frames`, `.channels`.

import { ApiError, getJson, send, sessionPath } from "./api.js";
import { t } from "./dom.js";
import { Channels, HEARTBEAT_MS } from "./channel.js";
import { Pulse, SILENCE_MS, pause, untilReached } from "./pulse.js";
import { NoDevice, chosen, openCamera, openMicrophone, preferH264, separateStreams, someCandidates, trickleFragment, withoutDelay } from "./media.js";

const LOOK_MS = 400;
const CONNECT_MS = 8000;
const ANSWER_MS = 5000;
const GATHER_MS = 300;
const BACKOFF_MS = [100, 250, 500, 1000];
const STATS_MS = 2000;
const ICE_SERVERS_FOR_MS = 30 * 60_000;
const UNAUTHORIZED = 401;

/** @typedef {"idle" | "connecting" | "on" | "reconnecting" | "ended"} CallState */
/** @typedef {{fps: number | null, cameFps: number | null, width: number, height: number, bitrateBps: number, loss: number, roundTripMs: number, freezes: number, frozenS: number}} Figures */

/**
 * Emits (CustomEvent): "state" {state, error}; "message" (any message of the kiosk); "picture" {id, blob}; "frame"; "mic" / "camera" (look at
 * `.micOn`, `.hasMic`, `.micWhy`, `.cameraTrack`, `.cameraWhy`); "codec" (`.hasH264`); "sound-blocked"; "figures" Figures.
 */
export class Call extends EventTarget {
  /** @param {{session: string, video: HTMLVideoElement, audio: HTMLAudioElement, iceServers?: RTCIceServer[]}} parts */
  constructor({ session, video, audio, iceServers = [] }) {
    super();
    this.session = session;
    this.video = video;
    this.audio = audio;
    this.iceServers = iceServers;
    this.iceServersAt = 0;
    this.relayRefused = this.relayTold = false;
    /** @type {CallState} */
    this.state = "idle";
    /** @type {RTCPeerConnection | null} */
    this.connection = null;
    /** @type {Channels | null} */
    this.channels = null;
    /** The RTP timestamp of the frame that is shown; null where the browser does not tell. @type {number | null} */
    this.frameTime = null;
    this.frames = 0;
    /** @type {MediaStreamTrack | null} */
    this.micTrack = null;
    this.micOn = sessionStorage.getItem(this.mutedKey) === null; // who was muted stays so over a reload
    this.hasMic = true;
    /** Why there is none. @type {import("./media.js").Why | ""} */
    this.micWhy = "";
    /** @type {MediaStreamTrack | null} */
    this.cameraTrack = null;
    /** @type {import("./media.js").Why | "no-h264" | ""} */
    this.cameraWhy = "";
    /** Without it the kiosk sends a smaller picture, made for us alone, and takes none of ours. */
    this.hasH264 = true;
    this.location = this.etag = "";
    this.over = false;
    this.ending = new AbortController();
    /** Our own network may be gone: nothing is sent into it before the desk can be reached again. */
    this.cutOff = false;
    /** @type {(() => void) | null} */
    this.broken = null;
    this.lastBytes = { at: 0, bytes: 0, frames: 0, lost: 0, received: 0 };
    this.watchFrames();
  }

  /** Where this page's connection is remembered, so that a reload replaces it instead of adding a second one. */
  get peerKey() {
    return `desk.peer.${this.session}`;
  }

  get mutedKey() {
    return `desk.muted.${this.session}`;
  }

  get peer() {
    return sessionStorage.getItem(this.peerKey) ?? "";
  }

  /** Runs until `leave` or until the kiosk says that it is over. */
  async run() {
    this.openMic().catch(() => { this.hasMic = false; });
    navigator.mediaDevices?.addEventListener("devicechange", () => { if (!this.micTrack && !this.over) this.openMic().catch(() => {}); }, { signal: this.ending.signal });
    let failures = 0;
    let wasOn = false;
    while (!this.over) {
      this.become(wasOn ? "reconnecting" : "connecting");
      try {
        await this.connect();
        failures = 0;
        wasOn = true;
        this.become("on");
        if (this.cameraTrack) this.say({ kind: "camera", on: true });
        if (!this.micOn) this.say({ kind: "mute", on: true });
        await this.untilBroken();
      } catch (error) {
        if (this.isFatal(error)) return this.end(error);
        if (error instanceof Broken) this.tellRelay();
        if (error instanceof ApiError && error.status === 0) this.cutOff = true;
        await pause(BACKOFF_MS[Math.min(failures++, BACKOFF_MS.length - 1)] * (0.7 + 0.6 * Math.random()));
      }
      this.drop();
      if (this.cutOff) this.cutOff = !(await untilReached(() => this.over));
    }
    this.end(null);
  }

  /** @param {unknown} error */
  isFatal(error) {
    if (!(error instanceof ApiError)) return !(error instanceof Broken);
    if ([0, 408, 425, 429].includes(error.status) || error.status >= 500) return false;
    if (!this.peer || ![404, 410].includes(error.status)) return true;
    sessionStorage.removeItem(this.peerKey); // the old connection is forgotten there: begin a fresh one
    return false;
  }

  /** A credential for TURN is good for a time only: fresh ones where those that came with the page are old. */
  async freshIceServers() {
    if (performance.now() - this.iceServersAt < ICE_SERVERS_FOR_MS) return;
    try {
      this.iceServers = (await getJson("/api/ice-servers")).ice_servers;
      this.iceServersAt = performance.now();
    } catch { /* the old ones may still do */ }
  }

  /** No connection, and the relay that might have helped takes us for strangers: with fresh words next time; said once. */
  tellRelay() {
    if (!this.relayRefused) return;
    this.iceServersAt = -ICE_SERVERS_FOR_MS;
    if (!this.relayTold) this.tell("message", { kind: "trouble", text: t("The TURN server refuses the credential. Please tell your administrator.") });
    this.relayTold = true;
  }

  async connect() {
    await this.freshIceServers();
    this.relayRefused = false;
    const connection = new RTCPeerConnection({ iceServers: this.iceServers, bundlePolicy: "max-bundle" });
    this.connection = connection;
    const audio = connection.addTransceiver("audio", { direction: "sendrecv" });
    const video = connection.addTransceiver("video", { direction: "sendrecv" });
    preferH264(video);
    await audio.sender.replaceTrack(this.micTrack);
    await video.sender.replaceTrack(this.cameraTrack);
    connection.addEventListener("track", ({ track, receiver }) => this.show(track, receiver));
    connection.addEventListener("icecandidateerror", ({ errorCode }) => { if (errorCode === UNAUTHORIZED) this.relayRefused = true; });
    this.channels = this.follow(new Channels(connection));
    await connection.setLocalDescription();
    await someCandidates(connection, GATHER_MS);
    const offer = connection.localDescription?.sdp ?? "";
    const answer = await this.offer(offer);
    this.hasH264 = /^a=rtpmap:\d+ H264\//im.test(answer);
    this.tell("codec");
    connection.addEventListener("icecandidate", ({ candidate }) => candidate?.candidate && this.trickle(offer, candidate));
    await connection.setRemoteDescription({ type: "answer", sdp: separateStreams(answer) });
    await this.untilOpen(connection);
  }

  /** @param {string} sdp @returns {Promise<string>} the answer */
  async offer(sdp) {
    const again = this.peer ? `?peer=${encodeURIComponent(this.peer)}` : "";
    const response = await send("POST", `${sessionPath(this.session)}/call${again}`, { body: sdp, type: "application/sdp", limitMs: ANSWER_MS });
    this.location = response.headers.get("Location") ?? "";
    this.etag = response.headers.get("ETag") ?? "";
    const peer = this.location.split("?")[0].split("/").pop();
    if (peer) sessionStorage.setItem(this.peerKey, peer);
    return response.text();
  }

  /** @param {string} offer @param {RTCIceCandidate} candidate */
  trickle(offer, candidate) {
    const body = trickleFragment(offer, candidate);
    send("PATCH", this.location, { body, type: "application/trickle-ice-sdpfrag", match: this.etag }).catch(() => {}); // one way of several
  }

  /** @param {RTCPeerConnection} connection */
  untilOpen(connection) {
    return /** @type {Promise<void>} */ (new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Broken("no connection")), CONNECT_MS);
      const check = () => {
        if (this.over || ["failed", "closed"].includes(connection.connectionState)) reject(new Broken("failed"));
        else if (connection.connectionState === "connected" && this.channels?.isOpen) resolve();
        else return;
        clearTimeout(late);
      };
      this.broken = () => reject(new Broken("given up"));
      connection.addEventListener("connectionstatechange", check);
      this.channels?.addEventListener("open", check);
    }));
  }

  /** Until nothing arrives any more and that stays so, the connection is over, or somebody says so. */
  async untilBroken() {
    const { connection, channels } = this;
    if (!connection || !channels) return;
    const pulse = new Pulse(connection, channels);
    let lastStats = 0;
    const stopped = new Promise((resolve) => { this.broken = () => resolve(undefined); });
    let live = true;
    stopped.then(() => { live = false; });
    const beating = setInterval(() => channels.beat(), HEARTBEAT_MS);
    try {
      while (live) {
        await Promise.race([pause(LOOK_MS), stopped]);
        if (pulse.isOver) return;
        if (await pulse.silence() > SILENCE_MS && !(await this.revives(pulse, () => !live))) return;
        if (performance.now() - lastStats > STATS_MS) {
          lastStats = performance.now();
          await this.measure(connection);
        }
      }
    } finally {
      clearInterval(beating);
    }
  }

  /**
   * Nothing comes any more. A short gap mends itself; where the desk can be reached and still nothing comes, a new connection is what helps.
   * @param {Pulse} pulse @param {() => boolean} given up
   */
  async revives(pulse, given) {
    this.become("reconnecting");
    const lives = async () => await pulse.silence() < SILENCE_MS;
    this.cutOff = !(await untilReached(async () => given() || pulse.isOver || lives()));
    if (given() || pulse.isOver) return false;
    await pause(LOOK_MS); // the first bytes may be a moment behind the desk's answer
    if (!(await lives())) return false;
    this.cutOff = false;
    this.become("on");
    return true;
  }

  /** @param {Channels} channels */
  follow(channels) {
    const kinds = ["hello", "stroke-begin", "stroke-points", "stroke-end", "stroke-pin", "pointer", "edit", "undo", "snapshot-open", "snapshot-close", "mark", "mark-gone",
      "recording", "quality", "people", "device", "sound", "trouble"];
    for (const kind of kinds) channels.addEventListener(kind, (event) => this.tell("message", /** @type {CustomEvent} */ (event).detail));
    channels.addEventListener("picture", (event) => this.tell("picture", /** @type {CustomEvent} */ (event).detail));
    channels.addEventListener("poses", () => this.tell("poses"));
    return channels;
  }

  /** @param {import("./channel.js").Message} message */
  say(message) {
    return this.channels?.send(message) ?? false;
  }

  /** @param {MediaStreamTrack} track @param {RTCRtpReceiver} receiver */
  show(track, receiver) {
    withoutDelay(receiver);
    const element = track.kind === "video" ? this.video : this.audio;
    element.srcObject = new MediaStream([track]);
    element.play().catch((error) => {
      if (error.name === "NotAllowedError") this.tell("sound-blocked");
    });
  }

  watchFrames() {
    if (!this.video.requestVideoFrameCallback) return;
    /** @type {VideoFrameRequestCallback} */
    const shown = (_now, metadata) => {
      this.frameTime = metadata.rtpTimestamp ?? null;
      this.frames += 1;
      this.tell("frame");
      if (!this.over) this.video.requestVideoFrameCallback(shown);
    };
    this.video.requestVideoFrameCallback(shown);
  }

  /** The one that is chosen; in the place of another one. */
  async openMic() {
    const track = await opened(openMicrophone, (why) => { this.micWhy = why; });
    if (this.over) return track?.stop();
    this.micTrack?.stop();
    this.micTrack = track;
    this.hasMic = Boolean(track);
    if (track) {
      track.enabled = this.micOn;
      track.addEventListener("ended", () => this.micGone(track));
    }
    await this.senderOf("audio")?.replaceTrack(track);
    this.tell("mic");
  }

  /** Pulled out, or taken away by the reader: another one may do. @param {MediaStreamTrack} track */
  micGone(track) {
    if (this.over || this.micTrack !== track) return;
    this.micTrack = null;
    this.openMic().catch(() => {});
  }

  /** Another camera was chosen. */
  async changeCamera() {
    if (!this.cameraTrack) return;
    this.cameraTrack.stop();
    this.cameraTrack = null;
    await this.setCamera(true);
  }

  /** Where the reader wants to hear; browsers that cannot choose play where the system does. */
  async chooseSpeaker() {
    await this.audio.setSinkId?.(chosen("audiooutput")).catch(() => {});
  }

  /** @param {boolean} on */
  async setMic(on) {
    this.micOn = on;
    if (on) sessionStorage.removeItem(this.mutedKey);
    else sessionStorage.setItem(this.mutedKey, "1");
    if (on && !this.micTrack) await this.openMic();
    if (this.micTrack) this.micTrack.enabled = on;
    this.say({ kind: "mute", on: !on });
    this.tell("mic");
  }

  /** No renegotiation: the transceiver is there from the start. @param {boolean} on @returns {Promise<boolean>} whether it is as wished */
  async setCamera(on) {
    this.cameraWhy = this.hasH264 ? "" : "no-h264";
    const track = on && this.hasH264 ? (this.cameraTrack ?? await opened(openCamera, (why) => { this.cameraWhy = why; })) : null;
    if (!on || !track || this.over) this.cameraTrack?.stop();
    if (this.over) track?.stop();
    this.cameraTrack = this.over ? null : track;
    this.cameraTrack?.addEventListener("ended", () => { if (this.cameraTrack === track) this.setCamera(false).catch(() => {}); }, { once: true });
    await this.senderOf("video")?.replaceTrack(this.cameraTrack);
    this.say({ kind: "camera", on: Boolean(this.cameraTrack) });
    this.tell("camera");
    return on === Boolean(this.cameraTrack);
  }

  /** @param {string} kind */
  senderOf(kind) {
    return this.connection?.getTransceivers().find((transceiver) => transceiver.receiver.track.kind === kind)?.sender;
  }

  /** @param {RTCPeerConnection} connection */
  async measure(connection) {
    const stats = [...(await connection.getStats()).values()];
    const video = stats.find((one) => one.type === "inbound-rtp" && one.kind === "video");
    const pair = stats.find((one) => one.type === "candidate-pair" && one.nominated);
    if (!video) return;
    const before = this.lastBytes;
    this.lastBytes = { at: video.timestamp, bytes: video.bytesReceived, frames: video.framesReceived, lost: video.packetsLost, received: video.packetsReceived };
    const [lost, received] = [video.packetsLost - before.lost, video.packetsReceived - before.received];
    if (!before.at || received < 0) return;
    this.tell("figures", {
      fps: video.framesPerSecond ?? null, cameFps: perSecond(video.framesReceived - before.frames, video.timestamp - before.at), width: video.frameWidth ?? 0, height: video.frameHeight ?? 0,
      bitrateBps: (8000 * (video.bytesReceived - before.bytes)) / Math.max(1, video.timestamp - before.at),
      loss: Math.max(0, lost) / Math.max(1, lost + received), roundTripMs: 1000 * (pair?.currentRoundTripTime ?? 0),
      freezes: video.freezeCount ?? 0, frozenS: video.totalFreezesDuration ?? 0,
    });
  }

  /** The kiosk has closed our connection. @param {{code?: string, text?: string}} why */
  gone({ code = "", text = "" }) {
    if (code && !["unreachable", "trouble"].includes(code)) return this.end(new ApiError(409, code, text));
    this.broken?.();
  }

  /** Leaves. @param {boolean} tell the call goes on for the others; else the kiosk has ended it, and our connection with it */
  async leave(tell) {
    if (this.over) return;
    const { location, connection, channels } = this;
    this.connection = this.channels = null; // they are needed a moment longer
    this.end(null);
    channels?.hangUp().then(() => connection?.close());
    if (tell && location) await send("DELETE", location, { keepalive: true }).catch(() => {}); // it dies there by its heartbeat
  }

  drop() {
    this.channels?.close();
    this.connection?.close();
    this.connection = null;
    this.frameTime = null;
    this.lastBytes = { at: 0, bytes: 0, frames: 0, lost: 0, received: 0 };
  }

  /** @param {unknown} error */
  end(error) {
    if (this.state === "ended") return;
    this.over = true;
    this.ending.abort();
    this.broken?.();
    this.drop();
    this.micTrack?.stop();
    this.cameraTrack?.stop();
    this.video.srcObject = null;
    this.audio.srcObject = null;
    for (const key of [this.peerKey, this.mutedKey]) sessionStorage.removeItem(key);
    this.become("ended", error instanceof Error ? (error instanceof ApiError ? error.message : t("The call broke off.")) : "");
  }

  /** @param {CallState} state @param {string} [error] */
  become(state, error = "") {
    this.state = state;
    this.tell("state", { state, error });
  }

  /** @param {string} kind @param {unknown} [detail] */
  tell(kind, detail = {}) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  /** @param {string} kind @param {(detail: any) => void} take */
  on(kind, take) {
    this.addEventListener(kind, (event) => take(/** @type {CustomEvent} */ (event).detail));
  }
}

/** @param {() => Promise<MediaStreamTrack>} open @param {(why: import("./media.js").Why | "") => void} tell @returns {Promise<MediaStreamTrack | null>} */
async function opened(open, tell) {
  try {
    const track = await open();
    tell("");
    return track;
  } catch (error) {
    if (!(error instanceof NoDevice)) throw error;
    tell(error.why);
    return null;
  }
}

/** @param {number | undefined} frames @param {number} ms @returns {number | null} null where the browser does not count them */
const perSecond = (frames, ms) => (Number.isFinite(frames) ? (1000 * Number(frames)) / Math.max(1, ms) : null);

/** A connection that did not come about or did not last: tried again. */
class Broken extends Error {}
