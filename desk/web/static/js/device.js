// One device: its kiosk, how its parts are, its sessions, who is responsible, what the provider has decided there.
//
// For tests: `#device[aria-busy]`, `#parts li[data-part][data-ok]`, `#sessions a`, `#staff li`, `#facts [data-name]`, `#settings [data-name]`, `#articles details`.

import { getJson } from "./api.js";
import { boot, byId, el, icon, initials, keyed, t } from "./dom.js";
import { ENDED, ago, dateTime, minutes } from "./format.js";
import { iso } from "./forms.js";
import { markdown } from "./markdown.js";
import { onlineSign } from "./new_session.js";
import { complain } from "./notify.js";
import { beginPage } from "./page.js";
import { partName, partTrouble } from "./parts.js";

/** @typedef {import("./format.js").Session} Session */
/**
 * @typedef {{name: string, language: string, requests_allowed: boolean, recording_allowed: boolean, review_s: number, visibility: string, steps: string[],
 *   reasons: string[], staff: {id: string, name: string}[], moderators: {id: string, name: string}[], articles: {id: string, title: string, text: string, action?: string}[]}} InForce
 * @typedef {{kiosk: import("./store.js").Kiosk, about: {hardware: string, language: string, capabilities: string[]} | null, healthy_s: number, uptime_s: number, in_force: InForce | null}} Details
 */

const FEW = 8;
const RELOAD_MS = 300;
const id = byId("device").dataset.id;
const store = beginPage();
const DAYS = new Intl.NumberFormat(boot.language, { style: "unit", unit: "day", unitDisplay: "long" });
const LANGUAGES = new Intl.DisplayNames([boot.language], { type: "language" });
/** @type {Details | null} */
let details = null;
/** Of this kiosk, as the desk said; newer words come with the store. @type {string[]} */
let listed = [];
let reloading = 0;
let asked = 0;

/** @param {string} step of the creation flow */
function stepName(step) {
  switch (step) {
    case "reason": return t("Reason");
    case "requester": return t("Name");
    case "consent": return t("Consent to recording");
    case "ticket": return t("Ticket");
    default: return t("Note to be read");
  }
}

/** @param {boolean} yes */
const yesNo = (yes) => (yes ? t("yes") : t("no"));

/** @param {string} place @param {[string, string, string][]} rows name, term, value; without a value it is left out */
const facts = (place, rows) => keyed(byId(place), rows.filter(([, , value]) => value).map(([name, term, value]) => ({
  key: name, sign: value, make: () => el("div", {}, el("dt", {}, term), el("dd", { "data-name": name }, value)),
})));

/** @param {Session} session */
const sessionLink = (session) => el("li", {}, el("a", { href: `/sessions/${encodeURIComponent(session.id)}` },
  el("span", {}, session.reason || t("No reason given")), el("span", { class: "pill", "data-state": session.state }, t(session.state)),
  el("span", { class: "muted small" }, dateTime(session.created_at))));

/** @param {import("./store.js").Kiosk} kiosk @param {Session | undefined} open */
function paintStatus(kiosk, open) {
  const name = kiosk.device?.name ?? kiosk.id;
  byId("device-name").textContent = name;
  document.title = document.title.replace(/^(\(\d+\) )?.*$/, `$1${name.replaceAll("$", "$$$$")} · ${t("Desk")}`);
  byId("kiosk-online").hidden = false;
  byId("kiosk-online").replaceWith(Object.assign(onlineSign(kiosk.online), { id: "kiosk-online" }));
  const since = kiosk.changed_s ? ago(iso(kiosk.changed_s)) : "";
  byId("status-title").textContent = open ? t("A session is in progress") : kiosk.online ? t("Ready") : t("Has no network at the moment");
  byId("status-text").textContent = !since ? "" : kiosk.online ? t("Connected: {when}", { when: since }) : t("Last there: {when}", { when: since });
  const go = open ? el("a", { class: "button primary big", href: `/sessions/${encodeURIComponent(open.id)}` }, t("To the session"), icon("chevron"))
    : boot.me.helps !== false && el("button", { class: "button primary big", type: "button", "data-new-session": kiosk.id, id: "call-device", disabled: !kiosk.online }, icon("camera-plus"), t("VIDEO SESSION"));
  keyed(byId("actions"), go ? [{ key: go.id || "open", sign: [kiosk.online, open?.id], make: () => go }] : []);
}

/** @param {Details} of */
function paintHealth({ kiosk, healthy_s: at, uptime_s: uptime }) {
  const parts = Object.entries(kiosk.parts ?? {}).sort(([a, one], [b, other]) => Number(one === "ok") - Number(other === "ok") || partName(a).localeCompare(partName(b)));
  const items = parts.map(([part, said]) => ({ key: part, sign: said, make: () => el("li", { "data-part": part, "data-ok": String(said === "ok") },
    icon(said === "ok" ? "check" : "alert"), el("span", {}, partName(part), el("span", { class: "visually-hidden" }, said === "ok" ? t(": fine") : t(": has a problem"))),
    said !== "ok" && el("small", {}, partTrouble(part), partTrouble(part) && " ", el("span", { class: "said", lang: "en" }, said))) }));
  keyed(byId("parts"), items);
  const days = Math.floor(uptime / 86400);
  const running = t("running for {time}", { time: days > 0 ? DAYS.format(days) : `${minutes(uptime / 60)} h` });
  byId("health-when").textContent = at ? `${t("As told {when}", { when: ago(iso(at)) })}, ${running}` : t("The kiosk has not told its health yet.");
}

/** @param {InForce["articles"][number]} article its text is empty where not all of them fitted into the kiosk's message */
const articleOf = ({ title, text, action }) => el("details", {}, el("summary", {}, title),
  el("div", { class: "article" }, ...(text ? markdown(text) : [el("p", { class: "muted" }, t("Its text was too long to be told to the desk."))]),
    action && el("p", { class: "muted small" }, t("Button under it: {action}", { action }))));

/** @param {InForce | null} told */
function paintInForce(told) {
  byId("settings-panel").hidden = !told;
  byId("articles-panel").hidden = !told?.articles.length;
  const staff = told ? [...told.staff.map((one) => ({ ...one, moderates: false })), ...told.moderators.map((one) => ({ ...one, moderates: true }))] : [];
  byId("no-staff").hidden = staff.length > 0;
  keyed(byId("staff"), staff.map((person) => ({ key: `${person.moderates} ${person.id}`, sign: person.name, make: () => el("li", {},
    el("span", { class: "person" }, el("span", { class: "avatar", "aria-hidden": "true" }, initials(person.name)), person.name),
    person.moderates && el("span", { class: "muted small" }, t("Moderator"))) })));
  if (!told) return;
  facts("settings", [
    ["provider", t("Provider"), told.name],
    ["language", t("Language at the machine"), LANGUAGES.of(told.language) ?? told.language],
    ["requests", t("Requests from the machine"), yesNo(told.requests_allowed)],
    ["recording", t("Recordings"), yesNo(told.recording_allowed)],
    ["visibility", t("Pictures and recordings"), told.visibility === "public" ? t("for the person at the machine too") : t("for staff only")],
    ["review", t("Time for review"), told.review_s ? t("{n} min", { n: Math.round(told.review_s / 60) }) : t("none: closes at once")],
    ["steps", t("Asked at the machine"), told.steps.map(stepName).join(", ") || t("nothing: one press is the request")],
    ["reasons", t("Reasons to choose from"), told.reasons.join(" · ")],
  ]);
  keyed(byId("articles"), told.articles.map((article) => ({ key: article.id, sign: article, make: () => articleOf(article) })));
}

function paint() {
  if (!details) return;
  const kiosk = { ...details.kiosk, ...store.kiosks.get(id) };
  const its = [...store.sessions.values()].filter((session) => session.kiosk === id && (listed.includes(session.id) || store.news.has(session.id) || !ENDED.includes(session.state)));
  const sessions = its.sort((a, b) => (a.created_at < b.created_at ? 1 : -1)).slice(0, FEW);
  paintStatus(kiosk, its.find((session) => !ENDED.includes(session.state) && session.state !== "COMPLETED"));
  keyed(byId("sessions"), sessions.map((session) => ({ key: session.id, sign: [session.epoch, session.rev], make: () => sessionLink(session) })));
  byId("no-sessions").hidden = sessions.length > 0;
  byId("all-sessions").hidden = !sessions.length;
  byId("all-sessions").href = `/?${new URLSearchParams({ device: kiosk.device?.id ?? "" })}`;
  paintHealth({ ...details, kiosk });
  facts("facts", [
    ["kiosk", t("Kiosk"), kiosk.id],
    ["device", t("Device"), kiosk.device ? `${kiosk.device.name} (${kiosk.device.id})` : ""],
    ["software", t("Software"), kiosk.software ?? ""],
    ["hardware", t("Hardware"), details.about?.hardware ?? ""],
  ]);
  paintInForce(details.in_force);
  byId("device").setAttribute("aria-busy", String(!store.loaded));
}

async function load() {
  const mine = ++asked;
  const path = `/api/kiosks/${encodeURIComponent(id)}`;
  const [told, page] = await Promise.all([getJson(path), getJson(`/api/sessions?${new URLSearchParams({ kiosk: id, limit: String(FEW) })}`)]);
  if (mine !== asked) return; // it was asked for anew meanwhile
  details = told;
  store.takeKiosks([told.kiosk]);
  for (const session of page.sessions) store.take(session, false, true);
  listed = page.sessions.map((/** @type {Session} */ session) => session.id);
  paint();
}

store.on("sessions", ({ session }) => {
  if (!session) load().catch(complain);
  else if (session.kiosk === id) paint();
});
store.on("presence", ({ kiosk }) => { // what else it has told may be new as well
  if (kiosk !== id) return;
  paint();
  clearTimeout(reloading);
  reloading = window.setTimeout(() => load().catch(complain), RELOAD_MS);
});
setInterval(paint, 30_000);
load().catch(() => {}); // at once; again when the stream is open, and then it is said what is wrong
