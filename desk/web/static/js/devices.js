// The devices with their presence, their health, and the session that is in progress at each.
//
// For tests: `.device[data-id]`, `.device [data-new-session]`, `.device .trouble`, `#search`, `[data-online]`, `#more`.

import { getJson } from "./api.js";
import { boot, byId, el, icon, keyed, t } from "./dom.js";
import { ENDED } from "./format.js";
import { byPresence, nameOf, onlineSign } from "./new_session.js";
import { complain } from "./notify.js";
import { beginPage } from "./page.js";

/** @typedef {import("./store.js").Kiosk} Kiosk */

const PAGE = 60;
const TYPED_MS = 250;
const store = beginPage();
const address = new URLSearchParams(location.search);
let words = (address.get("q") ?? "").slice(0, 200);
let online = ["true", "false"].includes(address.get("online") ?? "") ? address.get("online") ?? "" : "";
/** The ids that the desk said fit. @type {Set<string>} */
let found = new Set();
let after = "";
let asked = 0;
let answered = false;
let typing = 0;

/** @param {Kiosk} kiosk */
const openSession = (kiosk) => [...store.sessions.values()].find((session) => session.kiosk === kiosk.id && !ENDED.includes(session.state) && session.state !== "COMPLETED");

/** What is wrong with it. @param {Kiosk} kiosk */
const troubles = (kiosk) => Object.values(kiosk.parts ?? {}).filter((said) => said !== "ok").length;

/** @param {Kiosk} kiosk */
function card(kiosk) {
  const session = openSession(kiosk);
  const path = session && `/sessions/${encodeURIComponent(session.id)}`;
  const bad = troubles(kiosk);
  return el("article", { class: "card device", "data-id": kiosk.id },
    el("div", { class: "device-head" }, el("span", { class: "device-mark" }, icon("device")),
      el("div", {}, el("h2", {}, el("a", { class: "device-name", href: `/devices/${encodeURIComponent(kiosk.id)}`, id: `device-${kiosk.id}` }, nameOf(kiosk))),
        el("span", { class: "muted small" }, [kiosk.id, kiosk.provider].filter(Boolean).join(" · ")), onlineSign(kiosk.online),
        bad > 0 && el("span", { class: "trouble" }, icon("alert"), bad === 1 ? t("1 part has a problem") : t("{n} parts have problems", { n: bad })))),
    el("div", { class: "device-foot" },
      session ? el("span", { class: "pill", "data-state": session.state }, t(session.state))
        : el("span", { class: "muted small" }, kiosk.online ? t("Ready") : t("Has no network at the moment")),
      session ? el("a", { class: "button", href: path }, t("To the session"), icon("chevron"))
        : boot.me.helps !== false && el("button", { class: "button primary", type: "button", "data-new-session": kiosk.id, id: `call-${kiosk.id}`, disabled: !kiosk.online }, icon("camera-plus"), t("VIDEO SESSION"))));
}

const isFiltered = () => Boolean(words || online);

function shown() {
  const kiosks = [...store.kiosks.values()];
  const among = isFiltered() || after ? kiosks.filter((kiosk) => found.has(kiosk.id)) : kiosks;
  return among.filter((kiosk) => !online || String(kiosk.online) === online).sort(byPresence);
}

function paint() {
  const items = shown().map((kiosk) => {
    const session = openSession(kiosk);
    return { key: kiosk.id, sign: [kiosk.online, nameOf(kiosk), kiosk.provider, troubles(kiosk), session?.id, session?.state], make: () => card(kiosk) };
  });
  if (!items.length && answered) items.push({ key: isFiltered() ? "no-match" : "empty", sign: [], make: nothing });
  keyed(byId("device-list"), items);
  byId("more").hidden = !after;
  byId("list-status").textContent = isFiltered() ? t("{n} found", { n: shown().length }) : "";
  for (const chip of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-online].chip"))) chip.setAttribute("aria-pressed", String(chip.dataset.online === online));
}

function nothing() {
  if (isFiltered()) return el("div", { class: "card empty" }, icon("search"), el("h2", {}, t("No device fits.")), el("p", {}, t("Try other words, or show all devices.")));
  return el("div", { class: "card empty" }, icon("device"), el("h2", {}, t("No device is known yet.")),
    el("p", {}, t("A device appears here as soon as its kiosk is switched on and connected.")));
}

/** @param {boolean} [next] the page behind what is shown */
async function load(next = false) {
  const mine = ++asked;
  const query = new URLSearchParams(Object.entries({ q: words, online, limit: String(PAGE), after: next ? after : "" }).filter(([, value]) => value));
  const page = await getJson(`/api/kiosks?${query}`);
  if (mine !== asked) return; // something else is looked for meanwhile
  if (!next) found = new Set();
  store.takeKiosks(page.kiosks);
  for (const kiosk of page.kiosks) found.add(kiosk.id);
  after = page.after ?? "";
  answered = true;
  paint();
  byId("device-list").setAttribute("aria-busy", String(!store.loaded));
}

/** @param {{q?: string, presence?: string}} values */
function change({ q = words, presence = online }) {
  const typed = q !== words;
  [words, online, after, found] = [q, presence, "", new Set()];
  const query = new URLSearchParams(Object.entries({ q: words, online }).filter(([, value]) => value)).toString();
  history.replaceState(null, "", query ? `/devices?${query}` : "/devices");
  clearTimeout(typing);
  typing = window.setTimeout(() => load().catch(complain), typed ? TYPED_MS : 0);
}

byId("search").value = words;
byId("search").addEventListener("input", () => change({ q: byId("search").value.trim() }));
for (const chip of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-online].chip"))) chip.addEventListener("click", () => change({ presence: chip.dataset.online ?? "" }));
byId("more").addEventListener("click", () => load(true).catch(complain));
store.on("presence", paint);
store.on("sessions", ({ session }) => {
  paint();
  if (!session) load().catch(complain);
});
load().catch(() => {}); // cards at once; again when the stream is open, and then it is said what is wrong
