// What every page does: follow the desk, announce requests, open the dialog for a new session, ask before something is called off.

import { button, byId, el, initials, t } from "./dom.js";
import { isCalling, isEscalated } from "./format.js";
import { badge, allowSound, chime, complain, dismiss, notifySystem, registerWorker, toast } from "./notify.js";
import { NewSession, openByButtons } from "./new_session.js";
import { Store } from "./store.js";

/** @typedef {import("./format.js").Session} Session */

const HICCUP_MS = 1500;

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
  let down = 0;
  store.on("up", () => {
    clearTimeout(down);
    down = 0;
    byId("connection").hidden = true;
  });
  store.on("down", () => { // a short hiccup is no news; each try that fails says it again
    down ||= window.setTimeout(() => { byId("connection").hidden = false; }, HICCUP_MS);
  });
  if (document.getElementById("new-session-form")) {
    store.form = new NewSession(store);
    openByButtons(store.form);
  }
  store.follow();
  return store;
}

/** @param {Session} session @param {"request" | "ring"} kind @param {string} here */
function announce(session, kind, here) {
  const ring = kind === "ring";
  const path = `/sessions/${encodeURIComponent(session.id)}`;
  const asks = isEscalated(session) ? t("Nobody has reacted yet: {device}", { device: session.device.name }) : t("New request: {device}", { device: session.device.name });
  const title = ring ? t("{device} is calling", { device: session.device.name }) : asks;
  const text = session.reason || session.requester || t("No reason given");
  const tag = `${ring ? "rings" : "asks"}-${session.id}`;
  chime(kind);
  if (session.id !== here) toast({ title, text, tone: kind, tag, action: { text: ring ? t("Join") : t("Look at it"), path } });
  if (session.id !== here || document.hidden) notifySystem({ title, text, tag, path }).catch(() => {}); // a comfort, not a duty
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

