// Notifications on the account page: Web Push of browsers, addresses for Apprise, e-mail, quiet hours, and a test.
//
// For tests: #push-on, #push-off, #push-browsers li, #mail, #notify-address, #notify-name, #notify-add, #notify-addresses li, #quiet,
// #quiet-from, #quiet-to, #quiet-zone, #even-then, #quiet-save, #notify-test, #notify-results li[data-code], #notify-card[aria-busy].

import { getJson, postJson, send } from "./api.js";
import { button, byId, el, keyed, t } from "./dom.js";
import { ago } from "./format.js";
import { browserName, iso, onSubmit } from "./forms.js";
import { complain, toast } from "./notify.js";
import { canPush, keepUp, ownId, switchOff, switchOn } from "./push.js";

/**
 * @typedef {{id: string, name: string, service?: string, created_s: number, used_s: number, failed: string}} Place
 * @typedef {{quiet: {begin: number, end: number, zone: string} | null, even_then: boolean, mail: boolean}} Wishes
 * @typedef {{key: string, browsers: Place[], addresses: Place[], wishes: Wishes, schemas: string[], mail: string}} Own
 */

const PATH = "/api/account/notifications";
const KINDS = 6;

/** @type {Wishes} */
let wishes = { quiet: null, even_then: false, mail: false };

async function load() {
  /** @type {Own} */
  const own = await getJson(PATH);
  const here = await ownId();
  paintPush(own, here);
  keyed(byId("push-browsers"), own.browsers.map((one) => ({ key: one.id, sign: [one, here], make: () => place(one, "browsers", one.id === here) })));
  keyed(byId("notify-addresses"), own.addresses.map((one) => ({ key: one.id, sign: one, make: () => place(one, "addresses", false) })));
  byId("mail-choice").hidden = !own.mail;
  byId("mail-text").textContent = t("By e-mail to {address}", { address: own.mail });
  byId("notify-address-form").hidden = !own.schemas.length;
  const kinds = own.schemas.slice(0, KINDS).map((kind) => `${kind}://`).join(" ") + (own.schemas.length > KINDS ? " …" : "");
  byId("notify-kinds").textContent = t("As Apprise writes them: {kinds} The address is not shown again.", { kinds });
  if (byId("notify-card").getAttribute("aria-busy") === "true") { // later they are the reader's, saved or not
    wishes = own.wishes;
    paintWishes();
  }
  byId("notify-card").setAttribute("aria-busy", "false");
  return own;
}

/** @param {Own} own @param {string} here */
function paintPush(own, here) {
  const on = own.browsers.some((one) => one.id === here);
  byId("push").replaceChildren(el("p", {}, pushText(on)));
  if (!canPush() || Notification.permission === "denied") return;
  byId("push").append(on ? button(t("Switch off"), () => switchOff().then(load).catch(complain), { id: "push-off" })
    : button(t("Switch on here"), () => begin(own.key).catch(complain), { id: "push-on", kind: "primary" }));
}

/** @param {boolean} on @returns {string} */
function pushText(on) {
  if (!canPush()) return t("This browser cannot be told while no page is open. On an iPhone, put the desk on the home screen first.");
  if (Notification.permission === "denied") return t("This browser forbids notifications of the desk. You can allow them in its settings.");
  return on ? t("This browser is told, also while no page is open.") : t("This browser is not told while no page is open.");
}

/** @param {string} key */
async function begin(key) {
  let on = false;
  try {
    on = await switchOn(key);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    toast({ title: t("That did not work"), text: t("This browser's push service does not answer."), tone: "error" });
  }
  if (on) toast({ title: t("Notifications are on.") });
  await load();
}

/** @param {Place} one @param {"browsers" | "addresses"} kind @param {boolean} here */
function place(one, kind, here) {
  const state = one.failed ? t("Not delivered last: {reason}", { reason: codeText(one.failed) })
    : one.used_s ? t("used {when}", { when: ago(iso(one.used_s)) }) : t("never used");
  const facts = [here && t("this browser"), one.service, state].filter(Boolean).join(" · ");
  const remove = () => (here ? switchOff() : send("DELETE", `${PATH}/${kind}/${one.id}`)).then(load).catch(complain);
  return el("li", { "data-failed": one.failed }, el("div", {}, el("strong", {}, kind === "browsers" ? browserName(one.name) : one.name),
    el("p", { class: one.failed ? "small bad" : "muted small" }, facts)), button(t("Remove"), remove, { kind: "danger" }));
}

/** What became of a message. @param {string} code of desk/notifications/jobs.py @returns {string} */
function codeText(code) {
  switch (code) {
    case "ok": return t("delivered");
    case "gone": return t("does not want any more");
    case "later": return t("cannot be reached at the moment");
    case "late": return t("does not answer");
    case "refused": return t("was refused there");
    case "private": return t("leads to a private network, which is not allowed");
    default: return t("is not understood");
  }
}

/** @param {string} text "22:30" @returns {number} minutes after midnight */
const minutes = (text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));

/** @param {number} minute @returns {string} */
const clock = (minute) => [Math.floor(minute / 60), minute % 60].map((part) => String(part).padStart(2, "0")).join(":");

function paintWishes() {
  const { quiet } = wishes;
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const zones = new Set([...Intl.supportedValuesOf("timeZone"), "UTC", here, quiet?.zone ?? here]);
  byId("quiet-zone").replaceChildren(...[...zones].sort().map((zone) => el("option", { value: zone }, zone.replaceAll("_", " "))));
  byId("quiet").checked = Boolean(quiet);
  byId("quiet-zone").value = quiet?.zone ?? here;
  if (quiet) [byId("quiet-from").value, byId("quiet-to").value] = [clock(quiet.begin), clock(quiet.end)];
  byId("even-then").checked = wishes.even_then;
  byId("mail").checked = wishes.mail;
  byId("quiet-hours").hidden = !quiet;
  for (const id of ["quiet-from", "quiet-to"]) byId(id).disabled = !quiet; // a hidden field that is required could not be mended
}

let saving = Promise.resolve();

/** One after the other: each is told with what the one before has changed. @param {Partial<Wishes>} changes */
function save(changes) {
  saving = saving.catch(() => {}).then(async () => {
    const next = { ...wishes, ...changes };
    await postJson(PATH, next);
    wishes = next;
  });
  return saving;
}

byId("quiet").addEventListener("change", () => {
  byId("quiet-hours").hidden = !byId("quiet").checked;
  for (const id of ["quiet-from", "quiet-to"]) byId(id).disabled = !byId("quiet").checked;
});

onSubmit("quiet-form", "quiet-problem", async () => {
  const quiet = byId("quiet").checked ? { begin: minutes(byId("quiet-from").value), end: minutes(byId("quiet-to").value), zone: byId("quiet-zone").value } : null;
  await save({ quiet, even_then: byId("even-then").checked });
  toast({ title: t("Saved.") });
  await load();
});

byId("mail").addEventListener("change", () => save({ mail: byId("mail").checked }).catch(complain));

onSubmit("notify-address-form", "notify-address-problem", async () => {
  await postJson(`${PATH}/addresses`, { address: byId("notify-address").value, name: byId("notify-name").value });
  byId("notify-address-form").reset();
  await load();
});

byId("notify-test").addEventListener("click", async () => {
  byId("notify-test").disabled = true;
  try {
    const { results } = await postJson(`${PATH}/test`);
    const rows = results.map((/** @type {{kind: string, name: string, code: string}} */ one) => el("li", { "data-code": one.code },
      el("div", {}, el("strong", {}, one.kind === "push" ? browserName(one.name) : one.name)), el("span", { class: one.code === "ok" ? "small" : "small bad" }, codeText(one.code))));
    byId("notify-results").replaceChildren(...(rows.length ? rows : [el("li", { "data-code": "none" }, t("There is nothing to tell you by yet."))]));
    await load();
  } catch (error) {
    complain(error);
  } finally {
    byId("notify-test").disabled = false;
  }
});

if (byId("account").dataset.bare !== "true") load().then((own) => keepUp(own.key)).catch(complain);
