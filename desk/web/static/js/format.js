// Pure: how times, sizes and states read, and in which order sessions stand.

import { boot, t } from "./dom.js";

/**
 * @typedef {{id: string, name: string}} Person
 * @typedef {{role: string, id: string, name: string}} Actor
 * @typedef {"REQUESTED" | "CONFIRMED" | "RUNNING" | "COMPLETED" | "CLOSED" | "CANCELLED"} State
 * @typedef {{at: string, actor: Actor, event: string, source: State | null, target: State, cause?: string, clock_ok?: boolean}} Change
 * @typedef {{id: string, kind: string, name: string, content_type: string, bytes: number, call?: string, group?: string, uploaded?: boolean, lost?: string}} Artifact
 * @typedef {{id: string, started_at: string, ended_at?: string, participants?: Person[], summary?: Record<string, number>}} Call
 * @typedef {{allowed: boolean, asked: boolean, running: boolean, consent: {given: boolean, at: string, way: string} | null}} Recording
 * @typedef {{id: string, epoch: string, rev: number, kiosk: string, device: {id: string, name: string}, state: State, origin: string,
 *   created_at: string, language: string, reason: string, requester: string, note: string, tickets: {id: string, title: string, link: string}[],
 *   asked: Person[], assigned: Person[], seen_by: Person[], visibility: string, recording: Recording,
 *   ringing: {by: "code_user" | "staff", name: string} | null, rang_in_vain?: string, rang_by?: "code_user" | "staff" | "", calls: Call[], artifacts: Artifact[],
 *   rating: {stars: number, text: string} | null, review_s: number, history: Change[], consents?: unknown[],
 *   told?: boolean}} Session `told`: not part of the document; the reader was told of it because nobody else had reacted
 */

/** @type {State[]} in the order in which they wait for somebody */
export const STATES = ["REQUESTED", "RUNNING", "CONFIRMED", "COMPLETED", "CLOSED", "CANCELLED"];

/** @type {string[]} what is over */
export const ENDED = ["CLOSED", "CANCELLED"];

/** @param {Session} session somebody at the machine has pressed START and waits */
export const isCalling = (session) => session.ringing?.by === "code_user";

/**
 * Where the last ringing came to nothing: a few words, a sentence, and whether somebody at the machine waits to be called back.
 * Null where it is none, or where staff gave it up themselves.
 * @param {Session} session @returns {{short: string, title: string, text: string, missed: boolean} | null}
 */
export function inVain({ state, ringing, rang_in_vain: why, rang_by: by, device }) {
  if (state !== "CONFIRMED" || ringing || !why) return null;
  const again = t("Press START to call again.");
  if (by === "code_user") {
    const text = t("Somebody there had pressed START. Press START to call back.");
    if (why === "declined") return { short: t("call declined"), title: t("The call from {device} was declined", { device: device.name }), text, missed: false };
    return { short: t("missed call"), title: t("Missed call from {device}", { device: device.name }), text, missed: true };
  }
  if (why === "declined") return { short: t("declined there"), title: t("Declined at the machine"), text: again, missed: false };
  if (why === "restart") return { short: t("call interrupted"), title: t("The kiosk was restarted while it rang"), text: again, missed: false };
  if (why === "no_answer") return { short: t("nobody answered"), title: t("Nobody answered at the machine"), text: again, missed: false };
  return null;
}

/** @param {Session} session somebody waits for an answer */
const waits = (session) => isCalling(session) || session.state === "REQUESTED";

/** Whether the reader was asked or is responsible, or was told of the request because those were silent. @param {Session} session */
const concernsMe = (session) => [...session.asked, ...session.assigned].some((person) => person.id === boot.me.id) || isEscalated(session);

/** @param {Session} session nobody has reacted yet, so the reader was told */
export const isEscalated = (session) => session.told === true && session.state === "REQUESTED";

/** What concerns the reader; everybody who sees it where it concerns nobody. @param {Session} session */
export const waitsForMe = (session) => waits(session) && (!session.asked.length && !session.assigned.length || concernsMe(session));

/** The lists of the page. @type {[string, (session: Session) => boolean][]} */
export const GROUPS = [
  ["Waiting for you", waitsForMe],
  ["Waiting for others", (session) => waits(session) && !waitsForMe(session)],
  ["In progress", (session) => !isCalling(session) && ["RUNNING", "CONFIRMED"].includes(session.state)],
  ["To be reviewed", (session) => session.state === "COMPLETED"],
  ["Earlier", (session) => ENDED.includes(session.state)],
];

/** Who rings comes first, then who has waited longest for an answer; the newest first elsewhere. @param {Session} a @param {Session} b */
export function byUrgency(a, b) {
  const rank = (/** @type {Session} */ session) => (isCalling(session) ? -1 : ENDED.includes(session.state) ? STATES.length : STATES.indexOf(session.state));
  const older = a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : 0;
  return rank(a) - rank(b) || (a.state === "REQUESTED" ? older : -older);
}

/** @param {Session} session @param {string} words all must be found somewhere in what is shown of it */
export function matches(session, words) {
  const text = [session.device.name, session.device.id, session.reason, session.requester, session.note, session.id,
    ...session.tickets.flatMap((ticket) => [ticket.id, ticket.title]), ...session.assigned.map((person) => person.name)].join("\n").toLocaleLowerCase();
  return words.toLocaleLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** @param {Session} session newer than what we have? Another epoch: the kiosk's store is a new one. @param {Session | undefined} known */
export const isNewer = (session, known) => !known || known.epoch !== session.epoch || session.rev > known.rev || (session.rev === known.rev && !!session.told && !known.told);

/**
 * Not looked at by the reader, whom it concerns. What a moderator only may see has no dot: that is everything, and a sign
 * that is everywhere says nothing. A request that comes to him because others were silent has one.
 * @param {Session} session
 */
export const isUnread = (session) => ["REQUESTED", "CONFIRMED"].includes(session.state) && (isMine(session) || (session.state === "REQUESTED" && waitsForMe(session))) && !session.seen_by.some((person) => person.id === boot.me.id);

/** @param {Session} session whether the reader is assigned */
export const isMine = (session) => session.assigned.some((person) => person.id === boot.me.id);

/** @param {Session} session whether its kiosk knows it no more (desk/sessions/lost.py): over, and nothing can be done with it */
export const isLost = (session) => session.epoch.endsWith(".kiosk_lost");

/** @param {Session} session whether the reader may assign people; the kiosk judges it in the end */
export const mayAssign = (session) => !isLost(session) && (isMine(session) || ["moderator", "administrator"].includes(String(boot.me.role)));

/** @param {string} at ISO 8601 */
export function dateTime(at) {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleString(boot.language, { dateStyle: "medium", timeStyle: "short" });
}

const STEPS = /** @type {[Intl.RelativeTimeFormatUnit, number][]} */ ([["day", 86400], ["hour", 3600], ["minute", 60]]);

/** @param {string} at ISO 8601 @param {number} [now] ms; "3 minutes ago"; the date where it was days ago */
export function ago(at, now = Date.now()) {
  const seconds = (now - Date.parse(at)) / 1000;
  if (Number.isNaN(seconds)) return "";
  if (Math.abs(seconds) < 45) return t("just now");
  if (seconds > 6 * 86400) return dateTime(at);
  const [unit, size] = STEPS.find(([, length]) => seconds >= length) ?? ["minute", 60];
  return new Intl.RelativeTimeFormat(boot.language, { numeric: "auto" }).format(-Math.max(1, Math.round(seconds / size)), unit);
}

/** @param {number} seconds "4:05" */
export const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/** @param {number} bytes "3.2 MB" */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** step).toLocaleString(boot.language, { maximumFractionDigits: step ? 1 : 0 })} ${units[step]}`;
}

/** @param {Actor} actor */
export function actorName(actor) {
  if (actor.role === "code_user") return actor.name || t("At the machine");
  if (actor.role === "system") return t("Automatic");
  return actor.name || actor.id;
}

/** A link in one word. @param {{loss: number, roundTripMs: number}} figures loss as a share 0..1 @returns {"good" | "fair" | "poor"} */
export function linkWord({ loss, roundTripMs }) {
  if (loss > 0.05 || roundTripMs > 400) return "poor";
  return loss > 0.015 || roundTripMs > 180 ? "fair" : "good";
}

/** How smoothly a picture moves. @param {number | null} fps @returns {"" | "good" | "fair" | "poor"} "": not known */
export function motionWord(fps) {
  if (fps === null) return "";
  return fps < 5 ? "poor" : fps < 10 ? "fair" : "good";
}
