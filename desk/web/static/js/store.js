// The sessions and devices as the desk knows them, kept up to date by server-sent events. One per page.
//
// Emits (CustomEvent): "sessions" {session?: Session} after any change; "asks" {session} a new request; "rings" {session} the code
// user has pressed START; "kiosks" after a change of presence, "presence" {kiosk} of that one; "gone" {session, peer, code, text}; "up" / "down" of the connection;
// "places" {session: its id, artifacts, rating, told} where its files are, how much of them has come, how its code user found it, and
// the ids of those who were told of it because nobody else reacted.

import { getJson } from "./api.js";
import { boot } from "./dom.js";
import { ENDED, STATES, isCalling, isNewer, waitsForMe } from "./format.js";

/** @typedef {import("./format.js").Session} Session */
/**
 * @typedef {{id: string, online: boolean, device: {id: string, name: string} | null, provider?: string, software?: string,
 *   parts?: Record<string, string>, changed_s?: number}} Kiosk
 */

/** What has not ended is known to every page, up to so many; the list and the devices ask for more in pages. */
const MOST = 200;
const OPEN = new URLSearchParams([...STATES.filter((state) => !ENDED.includes(state)).map((state) => ["state", state]), ["limit", String(MOST)]]);
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
/** Without any event (the desk sends comments, which we cannot see) a dead link is found by asking anew when the page is shown. */
const STALE_MS = 60_000;

/** The sessions of an answer, with what it says beside them. @param {{sessions: Session[], told?: string[]}} list @returns {Session[]} */
export const withTold = ({ sessions, told = [] }) => sessions.map((session) => (told.includes(session.id) ? { ...session, told: true } : session));

export class Store extends EventTarget {
  constructor() {
    super();
    /** @type {Map<string, Session>} */
    this.sessions = new Map();
    /** @type {Map<string, Kiosk>} */
    this.kiosks = new Map();
    /** What was heard of since the page was opened. @type {Set<string>} */
    this.news = new Set();
    /** The form for a new session, where the page has one. @type {any} */
    this.form = null;
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
    // Load after the stream is open: whatever changes in between comes as an event, so nothing is missed. Pages ask for
    // what they show before that, and once more after it ("sessions" without one).
    source.addEventListener("open", () => this.load().catch(() => this.lost()));
    source.addEventListener("error", () => this.lost());
    /** @type {(kind: string, take: (data: any) => void) => void} */
    const on = (kind, take) => source.addEventListener(kind, (event) => {
      this.heardAt = Date.now();
      take(JSON.parse(/** @type {MessageEvent} */ (event).data || "{}"));
    });
    on("hello", () => {});
    on("session", ({ session, artifacts, rating, told }) => {
      if (artifacts) this.tell("places", { session: session.id, artifacts, rating, told });
      this.take({ ...session, told: told?.includes(boot.me.id) }, true);
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
    const { source } = this;
    const [list, kiosks] = await Promise.all([getJson(`/api/sessions?${OPEN}`), getJson(`/api/kiosks?limit=${MOST}`)]);
    if (list.after) list.sessions.push(...(await getJson(`/api/sessions?mine=true&${OPEN}`)).sessions); // one's own are not among the others
    const again = this.loaded;
    for (const session of withTold(list)) this.take(session, again, true);
    this.takeKiosks(kiosks.kiosks);
    this.loaded = true;
    this.heardAt = Date.now();
    if (source && source === this.source) { // else it was lost meanwhile
      this.retries = 0;
      this.tell("up");
    }
    this.tell("sessions", {});
    this.tell("kiosks");
  }

  /** @param {Session} session @param {boolean} news heard of just now @param {boolean} [quiet] one of many */
  take(session, news, quiet = false) {
    const known = this.sessions.get(session.id);
    if (known?.told) session.told = true; // not every answer says so
    if (!isNewer(session, known)) return;
    this.sessions.set(session.id, session);
    if (news) this.news.add(session.id);
    if (!quiet) this.tell("sessions", { session });
    if (!news && !this.loaded) return; // once all that is open is known, an answer may be sooner than the event
    if (!waitsForMe(session)) return;
    const waited = known && waitsForMe(known) ? known : null;
    if (session.state === "REQUESTED" && waited?.state !== "REQUESTED") this.tell("asks", { session });
    if (isCalling(session) && !(waited && isCalling(waited))) this.tell("rings", { session });
  }

  /** @param {Kiosk[]} kiosks */
  takeKiosks(kiosks) {
    for (const kiosk of kiosks) this.kiosks.set(kiosk.id, kiosk);
  }

  /** @param {{kiosk: string, online: boolean, device: Kiosk["device"], parts?: Record<string, string>}} data */
  takePresence({ kiosk, online, device, parts }) {
    const known = this.kiosks.get(kiosk);
    this.kiosks.set(kiosk, { ...known, id: kiosk, online, device: device ?? known?.device ?? null, parts: parts ?? known?.parts });
    this.tell("kiosks");
    this.tell("presence", { kiosk });
  }

  /** What waits for the reader now: requests, and code users who ring. @returns {number} */
  get waiting() {
    return [...this.sessions.values()].filter(waitsForMe).length;
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
