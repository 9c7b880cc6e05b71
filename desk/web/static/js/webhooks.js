// For administrators: who is told of changes, of which, and what came of the last deliveries.
//
// For tests: `.webhook[data-id][data-active]`, `[data-do]` in its menu, #add, #webhook-name, #webhook-url, `#webhook-kinds input`, #webhook-go,
// #webhook-problem, #secret-text, `.delivery[data-state]`, `[data-again]` (a delivery's id, or "all").

import { getJson, postJson, send } from "./api.js";
import { button, byId, el, icon, keyed, t } from "./dom.js";
import { ago, dateTime } from "./format.js";
import { iso, onSubmit } from "./forms.js";
import { complain, toast } from "./notify.js";
import { ask, beginPage } from "./page.js";

/** @typedef {{id: string, name: string, url: string, kinds: string[], active: boolean, failures: number, pause_until_s: number}} Webhook */
/** @typedef {{id: number, event: string, kind: string, session: string, state: string, made_s: number, due_s: number, tries: number, status: number, error: string, took_ms: number, ended_s: number, again: boolean}} Delivery */

const FEW = 5;
const LOOK_MS = 3000;
/** @type {Webhook[]} */
let webhooks = [];
/** @type {string[]} */
let kinds = [];
/** By webhook; newest first. @type {Map<string, Delivery[]>} */
const deliveries = new Map();
/** Whose deliveries are all shown. @type {Set<string>} */
const whole = new Set();
/** Which one the dialog changes; "" for a new one. */
let which = "";

beginPage();

/** @param {string} kind */
function kindName(kind) {
  return kind === "test" ? t("Test") : t(kind.replace("session.", "").toUpperCase());
}

/** Why there was no answer. @param {string} error */
function errorText(error) {
  switch (error) {
    case "private": return t("The settings open no such network.");
    case "address": return t("That is no address to be told at.");
    case "name": return t("This name is not known.");
    case "timeout": return t("No answer in time");
    case "tls": return t("Its certificate is not believed.");
    case "connection": return t("Nobody takes the connection.");
    case "secret": return t("The desk's signing secret is another one now: draw a new secret.");
    default: return error;
  }
}

/** @param {Delivery} delivery */
function outcome({ state, status, error, tries, due_s: due }) {
  const answer = status ? t("Answer {status}", { status }) : error ? errorText(error) : "";
  if (state === "done") return answer;
  if (state === "failed" && tries < 2) return t("Given up: {why}", { why: answer });
  if (state === "failed") return t("Given up after {n} tries: {why}", { n: tries, why: answer });
  if (!tries || !answer) return t("On its way");
  return t("Try {n}: {why} Again {when}.", { n: tries, why: answer.endsWith(".") ? answer : `${answer}.`, when: soon(due) });
}

/** @param {number} seconds of the wall clock */
function soon(seconds) {
  const left = Math.max(0, seconds - Date.now() / 1000);
  if (left < 90) return t("in {n} s", { n: Math.ceil(left) });
  return left < 5400 ? t("in {n} min", { n: Math.round(left / 60) }) : t("in {n} h", { n: Math.round(left / 3600) });
}

/** @param {Webhook} webhook @param {Delivery} delivery */
const deliveryRow = (webhook, delivery) => el("li", { class: "delivery", "data-state": delivery.state },
  icon(delivery.state === "done" ? "check" : delivery.state === "failed" ? "alert" : "clock"),
  el("span", {}, kindName(delivery.kind), delivery.session && el("a", { class: "muted small", href: `/sessions/${encodeURIComponent(delivery.session)}` }, delivery.session)),
  el("span", { class: "muted small" }, outcome(delivery)),
  el("time", { class: "muted small", title: dateTime(iso(delivery.made_s)) }, ago(iso(delivery.made_s))),
  delivery.again && webhook.active && again(webhook, [delivery], t("Send again"), String(delivery.id)));

/** A button that sends what was given up once more. @param {Webhook} webhook @param {Delivery[]} which @param {string} text @param {string} name */
function again(webhook, which, text, name) {
  const made = button(text, async () => {
    made.disabled = true; // a second press would be told that nothing is left to send
    await postJson(`${pathOf(webhook)}/again`, { deliveries: which.map(({ id }) => id) }).catch(complain);
    await look();
  }, { icon: "reload", id: `again-${webhook.id}-${name}` });
  made.dataset.again = name;
  return made;
}

/** @param {Webhook} webhook */
function card(webhook) {
  const all = deliveries.get(webhook.id) ?? [];
  const shown = all.slice(0, whole.has(webhook.id) ? all.length : FEW);
  const more = all.length > shown.length && button(t("Show all {n}", { n: all.length }), () => { whole.add(webhook.id); paint(); }, { kind: "quiet" });
  const state = !webhook.active ? el("span", { class: "role" }, t("switched off")) : webhook.failures > 0 && el("span", { class: "role", "data-warn": true }, t("does not answer"));
  const givenUp = webhook.active ? all.filter((delivery) => delivery.again) : [];
  return el("section", { class: "card panel webhook", "data-id": webhook.id, "data-active": String(webhook.active) },
    el("div", { class: "webhook-head" }, el("div", {}, el("h2", {}, webhook.name, state), el("p", { class: "muted small" }, webhook.url)),
      el("div", { class: "actions" }, button(t("Test"), () => test(webhook), { icon: "live", id: `test-${webhook.id}`, disabled: !webhook.active }), menu(webhook))),
    el("p", { class: "roles" }, ...webhook.kinds.map((kind) => el("span", { class: "role" }, kindName(kind)))),
    el("div", { class: "webhook-head" }, el("h3", {}, t("Last deliveries")),
      givenUp.length > 1 && again(webhook, givenUp, t("Send all {n} again that were given up", { n: givenUp.length }), "all")),
    shown.length ? el("ul", { class: "deliveries" }, ...shown.map((delivery) => deliveryRow(webhook, delivery))) : el("p", { class: "muted" }, t("Nothing has been told yet.")), more);
}

/** @param {Webhook} webhook */
function menu(webhook) {
  const item = (/** @type {string} */ name, /** @type {string} */ text, /** @type {() => Promise<unknown>} */ go, kind = "") => {
    const made = button(text, () => { made.closest("details").open = false; go().then(load).catch(complain); }, { kind });
    made.dataset.do = name;
    return made;
  };
  return el("details", { class: "menu" }, el("summary", { class: "button quiet square", "aria-label": t("What to do with {name}", webhook) }, icon("more")), el("div", {},
    item("change", t("Change …"), async () => open(webhook)),
    item("off", webhook.active ? t("Switch off") : t("Switch on"), () => postJson(pathOf(webhook), { name: webhook.name, url: webhook.url, kinds: webhook.kinds, active: !webhook.active })),
    item("secret", t("Draw a new secret …"), () => renew(webhook)),
    item("remove", t("Remove …"), () => remove(webhook), "danger")));
}

/** @param {Webhook} webhook */
const pathOf = (webhook) => `/api/webhooks/${encodeURIComponent(webhook.id)}`;

/** @param {Webhook} webhook */
async function test(webhook) {
  await postJson(`${pathOf(webhook)}/test`).catch(complain);
  toast({ title: t("A test is on its way"), text: webhook.name });
  await look();
}

/** @param {Webhook} webhook */
async function renew(webhook) {
  const said = await ask(t("Draw a new secret?"), t("The present one is worth nothing from then on: until the program knows the new one, it believes nothing that is told."),
    [{ text: t("Cancel"), value: "" }, { text: t("Draw a new secret"), value: "yes", kind: "danger solid" }]);
  if (said === "yes") show((await postJson(`${pathOf(webhook)}/secret`)).secret);
}

/** @param {Webhook} webhook */
async function remove(webhook) {
  const said = await ask(t("Remove {name}?", webhook), t("What it has not been told yet is not told any more."),
    [{ text: t("Cancel"), value: "" }, { text: t("Remove"), value: "yes", kind: "danger solid" }]);
  if (said === "yes") await send("DELETE", pathOf(webhook));
}

/** @param {string} secret */
function show(secret) {
  byId("secret-text").textContent = secret;
  byId("secret").showModal();
}

/** @param {Webhook | null} webhook */
function open(webhook) {
  which = webhook?.id ?? "";
  byId("webhook-title").textContent = webhook ? webhook.name : t("Add a webhook");
  byId("webhook-name").value = webhook?.name ?? "";
  byId("webhook-url").value = webhook?.url ?? "";
  byId("webhook-go").textContent = webhook ? t("Save") : t("Add");
  byId("webhook-problem").hidden = true;
  byId("webhook-kinds").replaceChildren(el("legend", { class: "label" }, t("Is told when a session becomes")), ...kinds.map((kind) => el("label", { class: "choice" },
    el("input", { type: "checkbox", value: kind, checked: webhook ? webhook.kinds.includes(kind) : true }), el("span", {}, kindName(kind)))));
  byId("webhook").showModal();
}

onSubmit("webhook-form", "webhook-problem", async () => {
  const chosen = [.../** @type {NodeListOf<HTMLInputElement>} */ (byId("webhook-kinds").querySelectorAll("input:checked"))].map((box) => box.value);
  if (!chosen.length) throw new Error(t("Choose at least one."));
  const body = { name: byId("webhook-name").value.trim(), url: byId("webhook-url").value.trim(), kinds: chosen };
  const known = webhooks.find((one) => one.id === which);
  const made = await postJson(known ? pathOf(known) : "/api/webhooks", known ? { ...body, active: known.active } : body);
  byId("webhook").close();
  if (!known) show(made.secret);
  await load();
});

function paint() {
  const items = webhooks.map((webhook) => ({ key: webhook.id, sign: [webhook, deliveries.get(webhook.id), whole.has(webhook.id), Math.floor(Date.now() / 10_000)], make: () => card(webhook) }));
  const nothing = () => el("div", { class: "card empty" }, icon("live"), el("h2", {}, t("Nobody is told yet.")), el("p", {}, t("Add the address of a program, and it learns of each change at once.")));
  const list = byId("webhooks");
  if (!list.querySelector(".menu[open]")) keyed(list, items.length ? items : [{ key: "empty", sign: [], make: nothing }]); // nothing vanishes under the pointer
  list.setAttribute("aria-busy", "false");
}

async function load() {
  const told = await getJson("/api/webhooks");
  [webhooks, kinds] = [told.webhooks, told.kinds];
  await Promise.all(webhooks.map(async (webhook) => deliveries.set(webhook.id, (await getJson(`${pathOf(webhook)}/deliveries`)).deliveries)));
  paint();
}

/** What came of it meanwhile. */
const look = () => load().catch(() => {}); // the next look says more

byId("add").addEventListener("click", () => open(null));
byId("copy-secret").addEventListener("click", () => navigator.clipboard.writeText(byId("secret-text").textContent).catch(complain));
for (const dialog of [byId("webhook"), byId("secret")]) for (const closer of dialog.querySelectorAll("[data-close]")) closer.addEventListener("click", () => dialog.close());
byId("secret").addEventListener("close", () => { byId("secret-text").textContent = ""; });
document.addEventListener("click", (event) => {
  for (const one of /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll(".menu[open]"))) if (!one.contains(/** @type {Node} */ (event.target))) one.open = false;
});
setInterval(() => { if (!document.hidden) look(); }, LOOK_MS);
load().catch(complain);
