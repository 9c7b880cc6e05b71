// A recording with its drawings burned in: asked for, waited for with its progress, downloaded. The desk makes it in the background, once.
//
// For tests: `.film[data-state]` none | waiting | running | done | failed; `.film [data-do]` ask | cancel; `.film progress`, `.film a`, `.film [data-error]`.

import { getJson, postJson, send } from "./api.js";
import { button, el, icon, t } from "./dom.js";
import { size } from "./format.js";
import { complain } from "./notify.js";

/** @typedef {{state: "none" | "waiting" | "running" | "done" | "failed", percent: number, error: string, url: string, bytes: number}} Told */

const LOOK_MS = 1500;

/** @param {string} code */
const why = (code) => code === "damaged" ? t("The recording is damaged: nothing could be read from it.")
  : code === "store" ? t("The desk's disk is full.") : t("The film could not be made.");

/** @param {string} path of the API @param {string} title of the recording @returns {HTMLElement} */
export function film(path, title) {
  const element = el("span", { class: "film", "data-state": "none" });
  let looking = 0;
  let asked = 0;

  /** @param {Told} told */
  const show = (told) => {
    clearTimeout(looking);
    if (element.dataset.state !== told.state || !["waiting", "running"].includes(told.state)) {
      const focused = element.contains(document.activeElement);
      element.dataset.state = told.state;
      element.replaceChildren(...parts(told));
      if (focused) element.querySelector("a, button")?.focus();
    }
    const bar = element.querySelector("progress");
    if (bar) bar.value = told.percent;
    const text = element.querySelector(".film-text");
    const words = told.state === "waiting" ? t("Waits for another film …") : t("Drawings are burned in: {percent} %", { percent: told.percent });
    if (text && text.textContent !== words) text.textContent = words;
    if (["waiting", "running"].includes(told.state) && element.isConnected) looking = window.setTimeout(look, LOOK_MS);
  };

  /** What was asked before does not count any more. @param {() => Promise<Told>} ask @param {(error: any) => void} failed */
  const latest = (ask, failed) => {
    clearTimeout(looking);
    const mine = ++asked;
    return ask().then((told) => { if (mine === asked) show(told); }, failed);
  };
  const look = () => latest(() => getJson(path), () => { if (element.isConnected) looking = window.setTimeout(look, 4 * LOOK_MS); });
  const ask = () => latest(() => postJson(path), complain);
  const cancel = () => latest(() => send("DELETE", path).then(() => getJson(path)), complain);

  /** @param {Told} told */
  const parts = (told) => {
    const again = (/** @type {string} */ text) => button(text, ask, { kind: "quiet", icon: "pen" });
    const does = (/** @type {HTMLElement} */ one, /** @type {string} */ what) => { one.dataset.do = what; return one; };
    if (told.state === "done") return [el("a", { href: told.url, class: "tag", download: true }, icon("download"), t("Download with drawings"), ` (${size(told.bytes)})`)];
    if (told.state === "failed") return [el("span", { role: "alert", "data-error": told.error }, why(told.error)), does(again(t("Try again")), "ask")];
    if (told.state === "none") return [does(again(t("With drawings burned in …")), "ask")];
    return [el("progress", { max: 100, value: told.percent, "aria-label": t("Drawings for: {title}", { title }) }), el("span", { class: "film-text", role: "status" }),
      does(button(t("Cancel"), cancel, { kind: "quiet" }), "cancel")];
  };

  element.replaceChildren(...parts({ state: "none", percent: 0, error: "", url: "", bytes: 0 }));
  setTimeout(look); // as soon as it is in the page
  return element;
}
