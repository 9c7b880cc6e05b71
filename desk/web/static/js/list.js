// The list of sessions: what waits for the reader first; live, filtered by state and words.
//
// For tests: `.session-row[data-id][data-state][data-ringing]`, `.unread`, `#search`, `#state-filter [data-filter]`, `.empty`.

import { boot, byId, el, icon, keyed, t } from "./dom.js";
import { GROUPS, STATES, ago, byUrgency, dateTime, inVain, isCalling, isUnread, matches } from "./format.js";
import { askForNotifications, notificationState } from "./notify.js";
import { beginPage } from "./page.js";

/** @typedef {import("./format.js").Session} Session */

const MAX_ROWS = 200;
const AGE_MS = 30_000;
const store = beginPage();
let filter = "";
let shown = MAX_ROWS;

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
    sign: [session.epoch, session.rev, ago(session.created_at)],
    make: () => row(session),
  })));
}

/** @param {string} title @param {string} text @param {string} iconName */
const empty = (title, text, iconName) => el("div", { class: "card empty" }, icon(iconName), el("h2", {}, title), el("p", {}, text));

function nothing() {
  if (store.sessions.size) return empty(t("Nothing fits"), t("No session fits your search. Try other words, or show all states."), "search");
  return empty(t("No sessions yet"),
    t("When somebody at a machine presses the camera button, the request appears here at once, with a sound. You can also call a machine yourself: press VIDEO SESSION."), "camera-plus");
}

function paint() {
  const words = byId("search").value.trim();
  const found = [...store.sessions.values()].filter((session) => (!filter || session.state === filter) && matches(session, words)).sort(byUrgency);
  const groups = GROUPS.map(([title, holds]) => ({ title: t(title), sessions: found.slice(0, shown).filter(holds) }))
    .filter(({ sessions }) => sessions.length);
  const list = byId("session-list");
  const items = groups.map(({ title, sessions }) => ({ key: title, make: () => group(title, sessions) }));
  if (!found.length) items.push({ key: store.sessions.size ? "no-match" : "empty", make: nothing });
  if (found.length > shown) items.push({ key: `more-${shown}`, make: moreButton });
  keyed(list, items);
  for (const { title, sessions } of groups) {
    const section = [...list.children].find((child) => child.dataset.key === title);
    if (section) fillGroup(section, sessions);
  }
  list.setAttribute("aria-busy", "false");
  byId("list-status").textContent = words || filter ? t("{n} found", { n: found.length }) : "";
  paintFilters();
}

function moreButton() {
  return el("button", { class: "button", type: "button", onclick: () => { shown += MAX_ROWS; paint(); } }, t("Show more"));
}

function paintFilters() {
  const counts = new Map(STATES.map((state) => [state, 0]));
  for (const session of store.sessions.values()) counts.set(session.state, (counts.get(session.state) ?? 0) + 1);
  const all = /** @type {[string, string, number][]} */ ([["", t("All"), store.sessions.size], ...STATES.map((state) => [state, t(state), counts.get(state) ?? 0])]);
  keyed(byId("state-filter"), all.map(([state, text, count]) => ({
    key: state || "all",
    sign: [count, filter === state],
    make: () => el("button", { class: "chip", type: "button", id: `filter-${state || "all"}`, "data-filter": state, "aria-pressed": String(filter === state),
      onclick: () => { filter = state; paint(); } }, text, el("span", { class: "numbers" }, String(count))),
  })));
}

function paintBanner() {
  byId("notifications-banner").hidden = notificationState() !== "default";
}

/** Until the reader has done something in the page, browsers keep it silent. */
function hintAtSound() {
  const hint = byId("sound-hint");
  hint.hidden = navigator.userActivation?.hasBeenActive ?? true;
  for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => { hint.hidden = true; }, { once: true });
}

hintAtSound();
byId("search").addEventListener("input", paint);
byId("notifications-on").addEventListener("click", () => askForNotifications().then(paintBanner));
store.on("sessions", paint);
setInterval(() => store.loaded && paint(), AGE_MS);
paintBanner();
if (Array.isArray(boot.boot.sessions)) { // the page may bring the list along
  for (const session of boot.boot.sessions) store.take(session, false, true);
  paint();
}
