// What draws attention: a chime made in code, toasts in the page, notifications of the system, the number in the title.
//
// For tests: `.toast[data-tone]`, and `<html data-chimes>` counts the chimes that were rung.

import { el, icon, t } from "./dom.js";

const TOAST_MS = 8000;
const MAX_TOASTS = 4;

/** @type {AudioContext | null} */
let audio = null;

/** Browsers allow sound only after the reader has done something in the page. */
export function allowSound() {
  const wake = () => {
    audio ??= new AudioContext();
    if (audio.state === "suspended") audio.resume().catch(() => {});
  };
  for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, wake, { capture: true, passive: true });
}

const REQUEST = [[659.3, 0], [830.6, 0.14], [987.8, 0.28]];
const RING = [[783.99, 0], [987.8, 0.16], [783.99, 0.5], [987.8, 0.66]];

const SILENT = "desk.silent";

/** Whether the reader wants to hear of requests in this browser. */
export const soundWanted = () => localStorage.getItem(SILENT) !== "1";

/** @param {boolean} on */
export const wantSound = (on) => (on ? localStorage.removeItem(SILENT) : localStorage.setItem(SILENT, "1"));

/** @param {"request" | "ring"} kind */
export function chime(kind) {
  if (!soundWanted()) return;
  const root = document.documentElement;
  root.dataset.chimes = String(Number(root.dataset.chimes ?? 0) + 1);
  if (!audio && navigator.userActivation?.hasBeenActive === false) return;  // it would be refused, and logged
  audio ??= new AudioContext();
  if (audio.state === "suspended") audio.resume().catch(() => {});
  if (audio.state !== "running") return;
  for (const [hz, afterS] of kind === "ring" ? RING : REQUEST) note(audio, hz, audio.currentTime + afterS);
}

/** One soft bell: a tone and its octave that fade. @param {AudioContext} context @param {number} hz @param {number} atS */
function note(context, hz, atS) {
  for (const [factor, level] of [[1, 0.16], [2, 0.05]]) {
    const tone = new OscillatorNode(context, { type: "sine", frequency: hz * factor });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.setValueAtTime(0, atS);
    volume.gain.linearRampToValueAtTime(level, atS + 0.012);
    volume.gain.exponentialRampToValueAtTime(0.0005, atS + 0.9);
    tone.connect(volume).connect(context.destination);
    tone.start(atS);
    tone.stop(atS + 1);
  }
}

const ICONS = { request: "bell", ring: "phone", error: "alert", info: "check" };

/**
 * @param {{title: string, text?: string, tone?: "request" | "ring" | "error" | "info", tag?: string, action?: {text: string, path: string}}} what
 *   `tag`: a toast of the same tag is replaced
 */
export function toast({ title, text = "", tone = "info", tag = title, action }) {
  const place = document.getElementById("toasts");
  if (!place) return;
  const closing = el("button", { class: "button quiet square close", type: "button", "aria-label": t("Dismiss"), onclick: () => box.remove() }, icon("close"));
  const box = el("div", { class: "toast", "data-tone": tone, "data-tag": tag }, icon(ICONS[tone]),
    el("div", {}, el("strong", {}, title), text && el("p", {}, text), action && el("a", { class: "button", href: action.path }, action.text)), closing);
  for (const same of [...place.children].filter((child) => /** @type {HTMLElement} */ (child).dataset.tag === tag)) same.remove();
  while (place.children.length >= MAX_TOASTS) place.firstElementChild?.remove();
  place.append(box);
  if (tone === "info" || tone === "error") setTimeout(() => box.remove(), TOAST_MS);
}

/** @param {unknown} error */
export function complain(error) {
  toast({ title: t("That did not work"), text: error instanceof Error ? error.message : String(error), tone: "error" });
}

/** @type {Set<string>} tags of the system's notifications that this page has shown */
const shown = new Set();

/** @param {string} tag */
export function dismiss(tag) {
  if (shown.delete(tag)) navigator.serviceWorker.ready.then((worker) => worker.getNotifications({ tag })).then((old) => old.forEach((one) => one.close())).catch(() => {});
  for (const box of document.querySelectorAll(".toast")) if (/** @type {HTMLElement} */ (box).dataset.tag === tag) box.remove();
}

const canNotify = () => "Notification" in window && "serviceWorker" in navigator;

/** @returns {"granted" | "denied" | "default" | "missing"} */
export const notificationState = () => (canNotify() ? Notification.permission : "missing");

/** Asks the reader; must be called from a click. */
export async function askForNotifications() {
  if (canNotify()) await Notification.requestPermission();
  return notificationState();
}

export function registerWorker() {
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(() => {}); // notifications are a comfort
}

/** @param {{title: string, text: string, tag: string, path: string}} what a notification of the system, where the reader allows it */
export async function notifySystem({ title, text, tag, path }) {
  if (notificationState() !== "granted") return;
  const registration = await navigator.serviceWorker.ready;
  shown.add(tag);
  await registration.showNotification(title, { body: text, tag, icon: "/static/icon.svg", data: { path } });
}

let plainTitle = "";

/** "(2) Sessions · Desk", and the same number beside the menu. @param {number} waiting @param {string} [title] a new title of the page */
export function badge(waiting, title) {
  plainTitle = title ?? (plainTitle || document.title);
  document.title = waiting ? `(${waiting}) ${plainTitle}` : plainTitle;
  for (const count of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-waiting]"))) {
    count.hidden = !waiting;
    count.textContent = String(waiting);
    count.title = t("Waiting: {n}", { n: waiting });
  }
}
