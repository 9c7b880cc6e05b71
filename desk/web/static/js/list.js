// The list of sessions: what waits for the reader first; live, filtered by state and words.
//
// What has not ended is known to the store anyway; the rest comes from the desk in pages, by the filters.
//
// For tests: `.session-row[data-id][data-state][data-ringing]`, `.unread`, `#search`, `#state-filter [data-filter]`, `#mine`, `#more-filters`,
// `#provider`, `#device`, `#since`, `#until`, `#clear`, `#more`, `#sound`, `.empty`; `#session-list[aria-busy]`.

import { getJson } from "./api.js";
import { boot, byId, el, icon, keyed, t } from "./dom.js";
import { anySet, asQuery, fits, moreSet, readFilters, writeFilters } from "./filters.js";
import { ENDED, GROUPS, STATES, ago, byUrgency, dateTime, inVain, isCalling, isUnread } from "./format.js";
import { askForNotifications, complain, notificationState, soundWanted, wantSound } from "./notify.js";
import { beginPage } from "./page.js";
import { withTold } from "./store.js";

/** @typedef {import("./format.js").Session} Session */

const PAGE = 50;
const AGE_MS = 30_000;
const TYPED_MS = 250;
const store = beginPage();
let filters = readFilters(location.search);
/** What the desk said fits, as it was then. @type {Map<string, string>} */
let found = new Map();
/** What the next page is asked for with; "" where there is none. */
let after = "";
let asked = 0;
let typing = 0;

/** @param {string} text @param {string} iconName */
const tag = (text, iconName) => el("span", { class: "tag" }, icon(iconName), text);

/** @param {Session} session */
function row(session) {
  const link = `/sessions/${encodeURIComponent(session.id)}`;
  const vain = inVain(session);
  const tags = [
    isCalling(session) && el("strong", { class: "row-call" }, t("is calling – join")),
    vain && el("strong", { class: vain.missed ? "row-missed" : "row-vain" }, icon(vain.missed ? "phone" : "hang-up"), vain.short),
    session.requester && tag(session.requester, "user"),
    session.tickets.length > 0 && tag(session.tickets[0].id + (session.tickets.length > 1 ? ` +${session.tickets.length - 1}` : ""), "ticket"),
    session.artifacts.some((artifact) => artifact.kind === "recording") && tag(t("Recording"), "video"),
  ];
  return el("li", { class: `session-row${isUnread(session) ? " unread" : ""}`, "data-id": session.id, "data-state": session.state, "data-ringing": session.ringing?.by },
    el("a", { class: "row-link", href: link, id: `row-${session.id}` },
      el("span", {}, el("span", { class: "pill", "data-state": session.state }, t(session.state))),
      el("span", { class: "row-main" },
        el("span", { class: "row-title" }, session.device.name, isUnread(session) && el("span", { class: "visually-hidden" }, t("not seen yet"))),
        el("span", { class: "row-text" }, session.reason || t("No reason given")),
        el("span", { class: "row-tags" }, ...tags)),
      el("span", { class: "row-side" },
        el("time", { datetime: session.created_at, title: dateTime(session.created_at) }, ago(session.created_at)),
        chevron())));
}

function chevron() {
  const sign = icon("chevron");
  sign.classList.add("chevron");
  return sign;
}

/** @param {string} title @param {Session[]} sessions */
function group(title, sessions) {
  const section = el("section", { class: "group" }, el("h2", {}, title), el("ul", { class: "card rows" }));
  fillGroup(section, sessions);
  return section;
}

/** @param {Element} section @param {Session[]} sessions */
function fillGroup(section, sessions) {
  const rows = /** @type {Element} */ (section.querySelector(".rows"));
  keyed(rows, sessions.map((session) => ({
    key: session.id,
    sign: [session.epoch, session.rev, session.told, ago(session.created_at)],
    make: () => row(session),
  })));
}

/** @param {string} title @param {string} text @param {string} iconName */
const empty = (title, text, iconName) => el("div", { class: "card empty" }, icon(iconName), el("h2", {}, title), el("p", {}, text));

function nothing() {
  if (anySet(filters)) return empty(t("Nothing fits"), t("No session fits your search. Try other words, or show all states."), "search");
  if (boot.me.helps === false) return empty(t("No sessions for you"), t("Your role looks after devices: you find them under Devices."), "device");
  return empty(t("No sessions yet"),
    t("When somebody at a machine presses the camera button, the request appears here at once, with a sound. You can also call a machine yourself: press VIDEO SESSION."), "camera-plus");
}

/** @param {Session} session */
const sign = (session) => `${session.epoch} ${session.rev}`;

/** @param {Session} session @param {import("./filters.js").Filters} by */
const isAmong = (session, by) => found.get(session.id) === sign(session) || fits(session, by, store.kiosks.get(session.kiosk)?.provider ?? "");

/** What has ended comes in pages: an old one that is known by chance would stand where others are missing. @returns {Session[]} */
function shown() {
  const known = [...store.sessions.values()].filter((session) => !ENDED.includes(session.state) || found.has(session.id) || store.news.has(session.id));
  return known.filter((session) => isAmong(session, filters)).sort(byUrgency);
}

function paint() {
  const sessions = shown();
  const groups = GROUPS.map(([title, holds]) => ({ title: t(title), sessions: sessions.filter(holds) })).filter((one) => one.sessions.length);
  const list = byId("session-list");
  const items = groups.map(({ title, sessions: its }) => ({ key: title, make: () => group(title, its) }));
  if (!sessions.length && !after) items.push({ key: anySet(filters) ? "no-match" : "empty", make: nothing });
  keyed(list, items);
  for (const { title, sessions: its } of groups) {
    const section = [...list.children].find((child) => child.dataset.key === title);
    if (section) fillGroup(section, its);
  }
  byId("more").hidden = !after;
  byId("list-status").textContent = anySet(filters) ? t("{n} found", { n: sessions.length }) : "";
  paintFilters();
}

function paintFilters() {
  const open = [...store.sessions.values()].filter((session) => fits(session, { ...filters, state: "" }, store.kiosks.get(session.kiosk)?.provider ?? ""));
  const count = (/** @type {string} */ state) => (ENDED.includes(state) || !state || !store.loaded ? "" : String(open.filter((session) => session.state === state).length));
  const all = /** @type {[string, string][]} */ ([["", t("All")], ...STATES.map((state) => [state, t(state)])]);
  keyed(byId("state-filter"), all.map(([state, text]) => ({
    key: state || "all",
    sign: [count(state), filters.state === state],
    make: () => el("button", { class: "chip", type: "button", id: `filter-${state || "all"}`, "data-filter": state, "aria-pressed": String(filters.state === state),
      onclick: () => change({ state }) }, text, count(state) && el("span", { class: "numbers" }, count(state))),
  })));
  byId("mine").setAttribute("aria-pressed", String(filters.mine));
  const n = moreSet(filters);
  byId("more-count").textContent = n ? String(n) : "";
  byId("more-count").hidden = !n;
  byId("clear").hidden = !anySet(filters);
}

// --- what the desk is asked ---------------------------------------------------------------------------------------------

/** @param {boolean} [next] the page behind what is shown, not the first one */
async function load(next = false) {
  const mine = ++asked;
  byId("session-list").setAttribute("aria-busy", "true");
  const page = await getJson(`/api/sessions?${asQuery(filters, PAGE, next ? after : "")}`);
  if (mine !== asked) return; // other filters are set meanwhile
  if (!next) found = new Map();
  for (const session of withTold(page)) {
    store.take(session, false, true);
    found.set(session.id, sign(session));
  }
  after = page.after ?? "";
  paint();
  byId("session-list").setAttribute("aria-busy", String(!store.loaded)); // there are rows, but nothing is heard of changes yet
}

/** @param {Partial<import("./filters.js").Filters>} values */
function change(values) {
  filters = { ...filters, ...values };
  writeFilters(filters);
  found = new Map();
  after = "";
  paint();
  clearTimeout(typing);
  typing = window.setTimeout(() => load().catch(failed), "q" in values ? TYPED_MS : 0);
}

/** @param {unknown} error */
function failed(error) {
  complain(error);
  byId("session-list").setAttribute("aria-busy", "false");
}

/** The fields as the filters are. */
function fill() {
  byId("search").value = filters.q;
  for (const name of /** @type {const} */ (["since", "until"])) byId(name).value = filters[name];
  byId("device").value = deviceName(filters.device);
  paintProviders([]);
  if (moreSet(filters)) byId("more-filters").open = true;
}

// --- more filters -------------------------------------------------------------------------------------------------------

/** Its id by the name that is offered. @type {Map<string, string>} */
const devices = new Map();

/** @param {string} id */
function deviceName(id) {
  const device = [...store.kiosks.values()].find((kiosk) => kiosk.device?.id === id)?.device;
  return device?.name ?? id;
}

/** Offers devices as one types; a name chosen from them is one, and so is an id. */
async function offerDevices() {
  const typed = byId("device").value.trim();
  const { kiosks } = await getJson(`/api/kiosks?${new URLSearchParams({ q: typed, limit: "20" })}`);
  for (const { device } of kiosks) if (device) devices.set(device.name, device.id);
  byId("device-names").replaceChildren(...kiosks.filter((/** @type {any} */ kiosk) => kiosk.device).map((/** @type {any} */ kiosk) => el("option", { value: kiosk.device.name }, kiosk.device.id)));
}

function chooseDevice() {
  const typed = byId("device").value.trim();
  change({ device: devices.get(typed) ?? typed });
}

/** Where there is a choice. @param {string[]} known */
function paintProviders(known) {
  const names = [...new Set([filters.provider, ...known])].filter(Boolean);
  const options = [["", t("all providers")], ...names.map((name) => [name, name])];
  keyed(byId("provider"), options.map(([value, text]) => ({ key: value || "all", sign: text, make: () => el("option", { value }, text) })));
  byId("provider").value = filters.provider;
  byId("provider-field").hidden = names.length < 2 && !filters.provider;
}

function paintBanner() {
  byId("notifications-banner").hidden = notificationState() !== "default";
}

/** Until the reader has done something in the page, browsers keep it silent. */
function hintAtSound() {
  const hint = byId("sound-hint");
  hint.hidden = navigator.userActivation?.hasBeenActive ?? true;
  for (const kind of ["click", "keydown"]) document.addEventListener(kind, () => { hint.hidden = true; }, { once: true }); // sooner, what is clicked would move away
}

function paintSound() {
  const on = soundWanted();
  byId("sound").setAttribute("aria-pressed", String(on));
  byId("sound").replaceChildren(icon(on ? "sound" : "sound-off"), on ? t("Sound is on") : t("Sound is off"));
  if (!on) byId("sound-hint").hidden = true;
}

hintAtSound();
paintSound();
fill();
writeFilters(filters);
byId("sound").addEventListener("click", () => { wantSound(!soundWanted()); paintSound(); });
byId("search").addEventListener("input", () => change({ q: byId("search").value.trim() }));
byId("mine").addEventListener("click", () => change({ mine: !filters.mine }));
for (const name of /** @type {const} */ (["since", "until", "provider"])) byId(name).addEventListener("change", () => change({ [name]: byId(name).value }));
byId("device").addEventListener("input", () => offerDevices().catch(() => {})); // the id can be typed all the same
byId("device").addEventListener("change", chooseDevice);
byId("more-filters").addEventListener("toggle", async () => {
  if (byId("more-filters").open) paintProviders((await getJson("/api/providers").catch(() => ({ providers: [] }))).providers); // the others work without
});
byId("clear").addEventListener("click", () => { change(readFilters("")); fill(); });
byId("more").addEventListener("click", () => load(true).catch(failed));
byId("notifications-on").addEventListener("click", () => askForNotifications().then(paintBanner));
store.on("sessions", ({ session }) => {
  paint();
  if (!session) load().catch(failed); // the page was asked for before anything was heard, or the connection was away
});
store.on("kiosks", () => { if (document.activeElement !== byId("device")) byId("device").value = deviceName(filters.device); });
setInterval(() => store.loaded && paint(), AGE_MS);
paintBanner();
load().catch(() => {}); // rows at once; again when the stream is open, and then it is said what is wrong
