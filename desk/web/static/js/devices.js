// The devices with their presence and the session that is in progress at each.
//
// For tests: `.device[data-id]`, `.device [data-new-session]`.

import { boot, byId, el, icon, keyed, t } from "./dom.js";
import { beginPage, nameOf, onlineSign } from "./page.js";

/** @typedef {import("./store.js").Kiosk} Kiosk */

const store = beginPage();
const OPEN = ["REQUESTED", "CONFIRMED", "RUNNING"];

/** @param {Kiosk} kiosk */
const openSession = (kiosk) => [...store.sessions.values()].find((session) => session.kiosk === kiosk.id && OPEN.includes(session.state));

/** @param {Kiosk} kiosk */
function card(kiosk) {
  const session = openSession(kiosk);
  const path = session && `/sessions/${encodeURIComponent(session.id)}`;
  return el("article", { class: "card device", "data-id": kiosk.id },
    el("div", { class: "device-head" }, el("span", { class: "device-mark" }, icon("device")),
      el("div", {}, el("h2", {}, nameOf(kiosk)), el("span", { class: "muted small" }, kiosk.id), onlineSign(kiosk.online))),
    el("div", { class: "device-foot" },
      session ? el("span", { class: "pill", "data-state": session.state }, t(session.state))
        : el("span", { class: "muted small" }, kiosk.online ? t("Ready") : t("Has no network at the moment")),
      session ? el("a", { class: "button", href: path }, t("To the session"), icon("chevron"))
        : boot.me.helps !== false && el("button", { class: "button primary", type: "button", "data-new-session": kiosk.id, id: `call-${kiosk.id}`, disabled: !kiosk.online }, icon("camera-plus"), t("VIDEO SESSION"))));
}

function paint() {
  const kiosks = [...store.kiosks.values()].sort((a, b) => Number(b.online) - Number(a.online) || nameOf(a).localeCompare(nameOf(b)));
  const items = kiosks.map((kiosk) => {
    const session = openSession(kiosk);
    return { key: kiosk.id, sign: [kiosk.online, nameOf(kiosk), session?.id, session?.state], make: () => card(kiosk) };
  });
  if (!items.length && store.loaded) items.push({ key: "", sign: [false, "", undefined, undefined], make: empty });
  const list = byId("device-list");
  keyed(list, items);
  list.setAttribute("aria-busy", String(!store.loaded));
}

const empty = () => el("div", { class: "card empty" }, icon("device"), el("h2", {}, t("No device is known yet.")),
  el("p", {}, t("A device appears here as soon as its kiosk is switched on and connected.")));

store.on("kiosks", paint);
store.on("sessions", paint);
