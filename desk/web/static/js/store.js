// The sessions and devices as the desk knows them, kept up to date by server-sent events. One per page.
//
// Emits (CustomEvent): "sessions" {session?: Session} after any change; "asks" {session} a new request; "rings" {session} the code
// user has pressed START; "kiosks" after a change of presence; "gone" {session, peer, code, text}; "up" / "down" of the connection;
// "places" {session: its id, artifacts} where its files are, and how much of them has come.

import { getJson } from "./api.js";
import { isCalling, isNewer } from "./format.js";

/** @typedef {import("./format.js").Session} Session */
/** @typedef {{id: string, online: boolean, device: {id: string, name: string} | null}} Kiosk */

const RETRY_MS = [500, 1000, 2000, 4000, 8000];
/** Without any event (the desk sends comments, which we cannot see) a dead link is found by asking anew when the page is shown. */
const STALE_MS = 60_000;

export class Store extends EventTarget {
  constructor() {
    super();
    /** @type {Map<string, Session>} */
    this.sessions = new Map();
    /** @type {Map<string, Kiosk>} */
    this.kiosks = new Map();
    this.loaded = false;
    this.retries = 0;
    this.heardAt = 0;
    /** @type {EventSource | null} */
    this.source = null;
  }

  /** Connects, loads, follows; comes back by itself for as long as the page lives. */
  follow() {
    this.connect();
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && Date.now() - this.heardAt > STALE_MS) this.load().catch(() => this.lost());
    });
    window.addEventListener("online", () => this.lost());
  }

  connect() {
    this.source?.close();
    const source = new EventSource("/api/events");
    this.source = source;
    // Load after the stream is open: whatever changes in between comes as an event, so nothing is missed.
    source.addEventListener("open", () => this.load().catch(() => this.lost()));
    source.addEventListener("error", () => this.lost());
    /** @type {(kind: string, take: (data: any) => void) => void} */
    const on = (kind, take) => source.addEventListener(kind, (event) => {
      this.heardAt = Date.now();
      take(JSON.parse(/** @type {MessageEvent} */ (event).data || "{}"));
    });
    on("hello", () => {});
    on("session", ({ session, artifacts }) => {
      if (artifacts) this.tell("places", { session: session.id, artifacts });
      this.take(session, true);
    });
    on("presence", (data) => this.takePresence(data));
    on("gone", (data) => this.tell("gone", data));
  }

  lost() {
    if (!this.source) return;
    this.source.close();
    this.source = null;
    this.tell("down");
    const wait = RETRY_MS[Math.min(this.retries++, RETRY_MS.length - 1)];
    setTimeout(() => this.connect(), wait * (0.7 + 0.6 * Math.random()));
  }

  async load() {
    const [list, kiosks] = await Promise.all([getJson("/api/sessions"), getJson("/api/kiosks")]);
    const again = this.loaded;
    for (const session of list.sessions) this.take(session, again, true);
    this.kiosks = new Map(kiosks.kiosks.map((/** @type {Kiosk} */ kiosk) => [kiosk.id, kiosk]));
    this.loaded = true;
    this.retries = 0;
    this.heardAt = Date.now();
    this.tell("up");
    this.tell("sessions", {});
    this.tell("kiosks");
  }

  /** @param {Session} session @param {boolean} news announce it, not only take it over @param {boolean} [quiet] one of many */
  take(session, news, quiet = false) {
    const known = this.sessions.get(session.id);
    if (!isNewer(session, known)) return;
    this.sessions.set(session.id, session);
    if (!quiet) this.tell("sessions", { session });
    if (!news) return;
    if (session.state === "REQUESTED" && known?.state !== "REQUESTED") this.tell("asks", { session });
    if (isCalling(session) && !(known && isCalling(known))) this.tell("rings", { session });
  }

  /** @param {{kiosk: string, online: boolean, device: Kiosk["device"]}} data */
  takePresence({ kiosk, online, device }) {
    this.kiosks.set(kiosk, { ...this.kiosks.get(kiosk), id: kiosk, online, device: device ?? this.kiosks.get(kiosk)?.device ?? null });
    this.tell("kiosks");
  }

  /** What waits for somebody now: requests, and code users who ring. @returns {number} */
  get waiting() {
    return [...this.sessions.values()].filter((session) => session.state === "REQUESTED" || isCalling(session)).length;
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
