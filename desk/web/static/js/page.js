// What every page does: follow the desk, announce requests, open the dialog for a new session, ask before something is called off.

import { postJson } from "./api.js";
import { button, byId, el, initials, t } from "./dom.js";
import { isCalling } from "./format.js";
import { badge, allowSound, chime, complain, dismiss, notifySystem, registerWorker, toast } from "./notify.js";
import { Store } from "./store.js";

/** @typedef {import("./format.js").Session} Session */

/** @param {string} [here] id of the session that the page itself shows @returns {Store} */
export function beginPage(here = "") {
  const store = new Store();
  for (const avatar of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-initials]"))) {
    avatar.textContent = initials(avatar.dataset.initials ?? "");
  }
  allowSound();
  registerWorker();
  store.on("sessions", () => {
    badge(store.waiting);
    for (const session of store.sessions.values()) {
      if (session.state !== "REQUESTED") dismiss(`asks-${session.id}`);
      if (!isCalling(session)) dismiss(`rings-${session.id}`);
    }
  });
  store.on("asks", ({ session }) => announce(session, "request", here));
  store.on("rings", ({ session }) => announce(session, "ring", here));
  store.on("up", () => { byId("connection").hidden = true; });
  let down = 0;
  store.on("up", () => clearTimeout(down));
  store.on("down", () => { // a short hiccup is no news
    clearTimeout(down);
    down = window.setTimeout(() => { byId("connection").hidden = false; }, 1500);
  });
  newSessionDialog(store);
  store.follow();
  return store;
}

/** @param {Session} session @param {"request" | "ring"} kind @param {string} here */
function announce(session, kind, here) {
  const ring = kind === "ring";
  const path = `/sessions/${encodeURIComponent(session.id)}`;
  const title = ring ? t("{device} is calling", { device: session.device.name }) : t("New request: {device}", { device: session.device.name });
  const text = session.reason || session.requester || t("No reason given");
  const tag = `${ring ? "rings" : "asks"}-${session.id}`;
  chime(kind);
  if (session.id !== here) toast({ title, text, tone: kind, tag, action: { text: ring ? t("Join") : t("Look at it"), path } });
  if (session.id !== here || document.hidden) notifySystem({ title, text, tag, path }).catch(() => {}); // a comfort, not a duty
}

/** The dialog behind every VIDEO SESSION button. `data-new-session="kiosk-id"` chooses the device. @param {Store} store */
function newSessionDialog(store) {
  const dialog = byId("new-session");
  /** @param {string} chosen */
  const devices = (chosen) => {
    const kiosks = [...store.kiosks.values()].sort((a, b) => Number(b.online) - Number(a.online) || nameOf(a).localeCompare(nameOf(b)));
    const picked = kiosks.find((kiosk) => kiosk.id === chosen && kiosk.online) ?? kiosks.find((kiosk) => kiosk.online);
    const rows = kiosks.map((kiosk) => choice(kiosk, kiosk === picked));
    byId("new-session-devices").replaceChildren(el("legend", { class: "label" }, t("Device")), ...(rows.length ? rows : [el("p", { class: "muted" }, t("No device is known yet."))]));
    byId("new-session-create").disabled = !picked;
  };
  document.addEventListener("click", (event) => {
    const opener = /** @type {Element} */ (event.target).closest("[data-new-session]");
    if (!(opener instanceof HTMLElement)) return;
    byId("new-session-error").hidden = true;
    devices(opener.dataset.newSession ?? "");
    dialog.showModal();
  });
  store.on("kiosks", () => {
    if (dialog.open) devices(dialog.querySelector("input:checked")?.value ?? "");
  });
  for (const closer of dialog.querySelectorAll("[data-close]")) closer.addEventListener("click", () => dialog.close());
  byId("new-session-form").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    create(dialog).catch(complain);
  });
}

/** @param {import("./store.js").Kiosk} kiosk */
export const nameOf = (kiosk) => kiosk.device?.name || kiosk.id;

/** @param {import("./store.js").Kiosk} kiosk @param {boolean} checked */
function choice(kiosk, checked) {
  return el("label", { class: "choice" },
    el("input", { type: "radio", name: "kiosk", value: kiosk.id, checked, disabled: !kiosk.online, required: true }),
    el("span", {}, nameOf(kiosk)), onlineSign(kiosk.online));
}

/** @param {boolean} online */
export const onlineSign = (online) => el("span", { class: "online", "data-online": String(online) }, online ? t("Online") : t("Offline"));

/** @param {HTMLDialogElement} dialog */
async function create(dialog) {
  const value = (/** @type {string} */ id) => byId(id).value.trim();
  const kiosk = /** @type {HTMLInputElement | null} */ (dialog.querySelector("input[name=kiosk]:checked"))?.value ?? "";
  const id = value("new-session-ticket");
  const tickets = id ? [{ id, title: value("new-session-ticket-title"), link: value("new-session-ticket-link") }] : [];
  const problem = byId("new-session-error");
  byId("new-session-create").disabled = true;
  try {
    const answer = await postJson("/api/sessions", { kiosk, reason: value("new-session-reason"), tickets });
    const session = typeof answer.session === "string" ? answer.session : answer.session.id;
    location.href = `/sessions/${encodeURIComponent(session)}`;
  } catch (error) {
    problem.textContent = error instanceof Error ? error.message : String(error);
    problem.hidden = false;
  } finally {
    byId("new-session-create").disabled = false;
  }
}

/**
 * Asks before something that cannot be taken back.
 * @param {string} title @param {string} text @param {{text: string, value: string, kind?: string}[]} answers the last one is the bold one
 * @returns {Promise<string>} the chosen value, "" where the dialog was closed
 */
export function ask(title, text, answers) {
  const dialog = byId("ask");
  byId("ask-title").textContent = title;
  byId("ask-text").textContent = text;
  return new Promise((resolve) => {
    dialog.returnValue = "";
    byId("ask-buttons").replaceChildren(...answers.map(({ text: words, value, kind }) => button(words, () => dialog.close(value), { kind, id: `answer-${value || "no"}` })));
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
    dialog.showModal();
  });
}

