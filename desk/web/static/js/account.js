// The own account: language, password, second factor, where one is signed in, API tokens.
//
// For tests: #language, #old, #new, #change-password, #factor-begin, #factor-code, #factor-on, #factor-off, #browsers li, #end-others,
// #token-name, #make-token, #token-secret, #leave.

import { getJson, postJson, send } from "./api.js";
import { button, byId, el, keyed, t } from "./dom.js";
import { ago, dateTime } from "./format.js";
import { browserName, iso, onSubmit, roleName, showProblem } from "./forms.js";
import { complain, toast } from "./notify.js";
import { beginPage } from "./page.js";
import { switchOff } from "./push.js";

/**
 * @typedef {{id: string, way: string, created_s: number, seen_s: number, address: string, agent: string, here: boolean}} Browser
 * @typedef {{id: string, name: string, scopes: string[], created_s: number, expires_s: number, used_s: number}} Token
 * @typedef {{account: {id: string, name: string, email: string, roles: string[], origin: string, language: string, has_password: boolean, second_factor: boolean},
 *   browsers: Browser[], tokens: Token[], recovery_left: number}} Own
 */

const bare = byId("account").dataset.bare === "true";
if (!bare) beginPage();

/** @param {string} method @param {string} path */
const change = (method, path) => send(method, path).then(load).catch(complain);

async function load() {
  /** @type {Own} */
  const own = await getJson("/api/account");
  const { account } = own;
  byId("profile").replaceChildren(...fact(t("Name"), account.name), ...fact(t("Short name"), account.id),
    ...fact(t("E-mail address"), account.email || "–"), ...fact(t("Roles"), account.roles.map(roleName).join(", ")));
  byId("language").value = account.language || document.documentElement.lang;
  byId("old-field").hidden = !account.has_password;
  byId("password-card").hidden = account.origin === "sso";
  byId("factor-card").hidden = account.origin === "sso";
  paintFactor(own);
  keyed(byId("browsers"), own.browsers.map((one) => ({ key: one.id, sign: one, make: () => browser(one) })));
  byId("end-others").hidden = own.browsers.length < 2;
  keyed(byId("tokens"), own.tokens.map((one) => ({ key: one.id, sign: one, make: () => token(one) })));
  byId("account").setAttribute("aria-busy", "false");
}

/** @param {string} name @param {string} value */
const fact = (name, value) => [el("div", {}, el("dt", {}, name), el("dd", {}, value))];

/** @param {Browser} one */
function browser(one) {
  const way = one.way === "password" ? t("with password") : one.way === "sso" ? t("by single sign-on") : t("by link");
  const end = one.here ? el("span", { class: "muted small" }, t("this browser")) : button(t("Sign out"), () => change("DELETE", `/api/account/sign-ins/${one.id}`));
  return el("li", {}, el("div", {}, el("strong", {}, browserName(one.agent)),
    el("p", { class: "muted small" }, `${way} · ${one.address} · ${ago(iso(one.seen_s))}`)), end);
}

/** @param {Token} one */
function token(one) {
  const may = one.scopes.includes("write") ? t("read and act") : t("read");
  const used = one.used_s ? t("used {when}", { when: ago(iso(one.used_s)) }) : t("never used");
  return el("li", {}, el("div", {}, el("strong", {}, one.name),
    el("p", { class: "muted small" }, `${may} · ${used} · ${t("until {when}", { when: dateTime(iso(one.expires_s)) })}`)),
  button(t("Delete"), () => change("DELETE", `/api/account/tokens/${one.id}`), { kind: "danger" }));
}

/** @param {Own} own */
function paintFactor({ account, recovery_left: left }) {
  const place = byId("factor");
  if (place.dataset.busy) return; // somebody is just setting it up, or reads the recovery codes
  if (account.second_factor) {
    const form = codeForm("factor-off", t("Switch off"), "danger", (code) => postJson("/api/account/second-factor/off", { code }).then(load));
    place.replaceChildren(el("div", { class: "enrol" }, el("p", {}, t("On. Each sign-in asks for a code from your app. Recovery codes left: {n}.", { n: left })), form));
    return;
  }
  const why = bare ? t("Your role asks for a second factor. Set it up, then go on.") : t("Off. With it, your password alone signs nobody in.");
  place.replaceChildren(el("div", { class: "factor-state" }, el("p", {}, why), button(t("Set up"), () => enrol().catch(complain), { id: "factor-begin", kind: "primary" })));
}

/** Nobody sets it up any more: it shows how it stands. */
function endFactor() {
  delete byId("factor").dataset.busy;
  load().catch(complain);
}

async function enrol() {
  const begun = await postJson("/api/account/second-factor/begin");
  const form = codeForm("factor-on", t("Switch on"), "primary", async (code) => {
    const { codes } = await postJson("/api/account/second-factor", { seal: begun.seal, code });
    showCodes(codes);
  });
  byId("factor").dataset.busy = "true";
  byId("factor").replaceChildren(el("div", { class: "enrol" },
    el("p", {}, t("Scan this with an app for one-time codes, then type the code that it shows.")),
    el("img", { src: begun.qr, alt: t("QR code for your app"), width: "208", height: "208" }),
    el("p", { class: "small" }, `${t("Or type this into the app:")} `, el("span", { class: "secret" }, begun.secret)), form,
    button(t("Cancel"), endFactor, { id: "factor-cancel", kind: "quiet" })));
  byId("factor-code").focus();
}

/** @param {string[]} codes */
function showCodes(codes) {
  const place = byId("factor");
  const done = () => { if (bare) location.href = "/"; else endFactor(); };
  place.replaceChildren(el("div", { class: "enrol" }, el("p", {}, t("It is on. Keep these recovery codes where your phone is not: each signs you in once. They are not shown again.")),
    el("ul", { class: "codes secret" }, ...codes.map((code) => el("li", {}, code))), button(t("I have kept them"), done, { id: "factor-done", kind: "primary" })));
}

/** @param {string} id @param {string} text @param {string} kind @param {(code: string) => Promise<unknown>} go */
function codeForm(id, text, kind, go) {
  const form = el("form", { class: "inline-form" },
    el("div", { class: "field" }, el("label", { for: "factor-code" }, t("Code")),
      el("input", { class: "input numbers", id: "factor-code", maxlength: "40", autocomplete: "one-time-code", required: true })),
    el("button", { class: `button ${kind}`, id }, text), el("p", { class: "problem", id: "factor-problem", role: "alert", hidden: true }));
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    go(byId("factor-code").value).catch((error) => showProblem("factor-problem", error));
  });
  return form;
}

byId("language").addEventListener("change", () => postJson("/api/account", { language: byId("language").value }).then(() => location.reload()).catch(complain));

onSubmit("password-form", "password-problem", async () => {
  await postJson("/api/account/password", { old: byId("old").value, new: byId("new").value });
  byId("password-form").reset();
  toast({ title: t("Your password is changed."), text: t("You are signed out everywhere else.") });
  await load();
});

onSubmit("token-form", "", async () => {
  const body = { name: byId("token-name").value, scopes: byId("token-scope").value.split(" "), days: Number(byId("token-days").value) };
  const made = await postJson("/api/account/tokens", body).catch(complain);
  if (!made) return;
  byId("token-form").reset();
  byId("token-secret").textContent = made.secret;
  byId("token-secret").hidden = false;
  await load();
});

byId("end-others").addEventListener("click", () => change("POST", "/api/account/sign-ins/end-others"));
byId("leave").addEventListener("click", () => switchOff().catch(() => {}).then(() => postJson("/leave")).then(() => location.replace("/sign-in")).catch(complain));
load().catch(complain);
