// For administrators: invite people, change their roles, lock, remove, help in again.
//
// For tests: `.accounts li[data-id]`, #invite, #person-name, #person-id, #person-email, `#person-roles input`, #person-go, #link-address,
// `[data-do]` in a person's menu.

import { getJson, postJson, send } from "./api.js";
import { button, byId, el, icon, initials, keyed, t } from "./dom.js";
import { ago } from "./format.js";
import { iso, onSubmit, roleName, shortName } from "./forms.js";
import { complain } from "./notify.js";
import { ask, beginPage } from "./page.js";

/** @typedef {{id: string, name: string, email: string, roles: string[], origin: string, locked: boolean, has_password: boolean, second_factor: boolean, seen_s: number}} Account */

const ROLES = ["staff", "moderator", "fleet_manager", "administrator"];
/** @type {Account[]} */
let accounts = [];
/** Whose dialog is open; "" for somebody new. */
let whose = "";

beginPage();

async function load() {
  accounts = (await getJson("/api/accounts")).accounts;
  paint();
}

function paint() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (/** @type {Account} */ one) => {
    const text = [one.name, one.id, one.email, ...one.roles.map(roleName)].join(" ").toLowerCase();
    return words.every((/** @type {string} */ word) => text.includes(word));
  };
  keyed(byId("accounts"), accounts.filter(fits).map((one) => ({ key: one.id, sign: one, make: () => row(one) })));
  byId("accounts").setAttribute("aria-busy", "false");
}

/** @param {Account} one */
function row(one) {
  const seen = one.seen_s ? t("last seen {when}", { when: ago(iso(one.seen_s)) }) : one.origin === "desk" && !one.has_password ? t("has not set a password yet") : t("never seen");
  return el("li", { "data-id": one.id, "data-locked": String(one.locked) }, el("span", { class: "avatar", "aria-hidden": "true" }, initials(one.name)),
    el("div", { "data-locked": String(one.locked) }, el("strong", {}, one.name), el("p", { class: "muted small" }, [one.id, one.email, seen].filter(Boolean).join(" · "))),
    el("div", { class: "roles" }, ...one.roles.map((role) => el("span", { class: "role" }, roleName(role))), ...signs(one)), menu(one));
}

/** @param {Account} one */
function signs(one) {
  const origin = one.origin === "settings" ? t("settings file") : one.origin === "sso" ? t("single sign-on") : "";
  return [one.locked && el("span", { class: "role", "data-warn": true }, t("locked")), one.second_factor && el("span", { class: "role" }, t("second factor")),
    origin && el("span", { class: "muted small" }, origin)].filter(Boolean);
}

/** @param {Account} one */
function menu(one) {
  const path = `/api/accounts/${encodeURIComponent(one.id)}`;
  const change = (/** @type {Promise<unknown>} */ done) => done.then(load).catch(complain);
  const item = (/** @type {string} */ name, /** @type {string} */ text, /** @type {() => void} */ go, kind = "") => {
    const made = button(text, () => { made.closest("details").open = false; go(); }, { kind });
    made.dataset.do = name;
    return made;
  };
  const own = one.origin === "desk";
  const items = [
    own && item("change", t("Change …"), () => open(one)),
    !one.locked && one.origin !== "sso" && item("link", one.has_password ? t("Link for a new password") : t("New invitation link"), () => link(one).catch(complain)),
    one.second_factor && item("reset", t("Reset the second factor"), () => change(sure(t("Reset the second factor?"), t("After it, {name}'s password alone signs in.", one), t("Reset"), () => send("DELETE", `${path}/second-factor`)))),
    item("out", t("Sign out everywhere"), () => change(send("DELETE", `${path}/sign-ins`))),
    one.origin !== "settings" && item("lock", one.locked ? t("Unlock") : t("Lock"), () => change(postJson(`${path}/lock`, { locked: !one.locked }))),
    one.origin !== "settings" && item("remove", t("Remove …"), () => change(sure(t("Remove {name}?", one), t("The account is gone for good. Sessions and the audit log keep the name."), t("Remove"), () => send("DELETE", path))), "danger"),
  ];
  return el("details", { class: "menu" }, el("summary", { class: "button quiet square", "aria-label": t("What to do with {name}", one) }, icon("more")), el("div", {}, ...items));
}

/** @param {string} title @param {string} text @param {string} yes @param {() => Promise<unknown>} go */
async function sure(title, text, yes, go) {
  const said = await ask(title, text, [{ text: t("Cancel"), value: "" }, { text: yes, value: "yes", kind: "danger solid" }]);
  if (said === "yes") await go();
}

/** @param {Account | null} one */
function open(one) {
  whose = one?.id ?? "";
  byId("person-title").textContent = one ? one.name : t("Invite somebody");
  byId("person-name").value = one?.name ?? "";
  byId("person-id").value = one?.id ?? "";
  byId("person-id").disabled = Boolean(one);
  byId("person-email").value = one?.email ?? "";
  byId("person-go").textContent = one ? t("Save") : t("Invite");
  byId("person-problem").hidden = true;
  byId("person-roles").replaceChildren(el("legend", { class: "label" }, t("Roles")), ...ROLES.map((role) => el("label", { class: "choice" },
    el("input", { type: "checkbox", value: role, checked: one ? one.roles.includes(role) : role === "staff" }), el("span", {}, roleName(role)))));
  byId("person").showModal();
}

onSubmit("person-form", "person-problem", async () => {
  const roles = [.../** @type {NodeListOf<HTMLInputElement>} */ (byId("person-roles").querySelectorAll("input:checked"))].map((box) => box.value);
  const body = { name: byId("person-name").value.trim(), email: byId("person-email").value.trim(), roles };
  if (!roles.length) throw new Error(t("At least one role is needed."));
  if (whose) await postJson(`/api/accounts/${encodeURIComponent(whose)}`, body);
  else show(await postJson("/api/accounts", { ...body, id: byId("person-id").value }));
  byId("person").close();
  await load();
});

/** @param {Account} one */
const link = async (one) => show(await postJson(`/api/accounts/${encodeURIComponent(one.id)}/link`));

/** @param {{account: Account, link: string}} made */
function show({ account, link: address }) {
  byId("link-title").textContent = t("A link for {name}", account);
  byId("link-address").textContent = address;
  byId("link").showModal();
}

byId("person-name").addEventListener("change", () => {
  const id = byId("person-id");
  if (!id.value) id.value = shortName(byId("person-name").value);
});
byId("copy-link").addEventListener("click", () => navigator.clipboard.writeText(byId("link-address").textContent).catch(complain));
byId("invite").addEventListener("click", () => open(null));
byId("search").addEventListener("input", paint);
for (const dialog of [byId("person"), byId("link")]) for (const closer of dialog.querySelectorAll("[data-close]")) closer.addEventListener("click", () => dialog.close());
document.addEventListener("click", (event) => {
  for (const one of /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll(".menu[open]"))) if (!one.contains(/** @type {Node} */ (event.target))) one.open = false;
});
load().catch(complain);
