// For administrators: who did what, newest first.
//
// For tests: `#entries tr`, #who, #what, #from, #until, #more, #export.

import { getJson } from "./api.js";
import { byId, el, t } from "./dom.js";
import { dateTime } from "./format.js";
import { iso, roleName } from "./forms.js";
import { complain } from "./notify.js";
import { beginPage } from "./page.js";

/** @typedef {{n: number, at_s: number, person: string, name: string, what: string, target: string, outcome: string, address: string}} Entry */

const KINDS = ["enter", "sign_in", "set_password", "second_factor_on", "second_factor_off", "second_factor_reset", "invite", "change_account", "lock", "unlock",
  "remove", "make_link", "sign_out", "make_token", "end_token", "webhook_add", "webhook_change", "webhook_secret",
  "webhook_remove", "webhook_again", "clock_doubted", "clock_believed", "call", "view", "Create", "Confirm", "Cancel", "Start", "GiveUp", "End", "Close", "Reopen",
  "Assign", "Unassign", "LinkTicket", "UnlinkTicket", "SetVisibility", "AskRecording", "StopRecording"];
let before = 0;

beginPage();

/** @param {string} what */
function wordsFor(what) {
  switch (what) {
    case "enter": return t("Signed in");
    case "sign_in": return t("Could not sign in");
    case "set_password": return t("Set a password");
    case "second_factor_on": return t("Switched the second factor on");
    case "second_factor_off": return t("Switched the second factor off");
    case "second_factor_reset": return t("Reset a second factor");
    case "invite": return t("Invited");
    case "change_account": return t("Changed an account");
    case "lock": return t("Locked");
    case "unlock": return t("Unlocked");
    case "remove": return t("Removed");
    case "make_link": return t("Made a link");
    case "sign_out": return t("Signed out everywhere");
    case "make_token": return t("Made a token");
    case "end_token": return t("Deleted a token");
    case "webhook_add": return t("Added a webhook");
    case "webhook_change": return t("Changed a webhook");
    case "webhook_secret": return t("Drew a new secret for a webhook");
    case "webhook_remove": return t("Removed a webhook");
    case "webhook_again": return t("Had a webhook's deliveries sent again");
    case "clock_doubted": return t("Noticed that the clock has jumped");
    case "clock_believed": return t("Believed the clock again");
    case "delete_file": return t("Deleted a file for good");
    case "delete_files": return t("Asked for files to be deleted");
    case "export": return t("Exported a session");
    case "call": return t("Joined a call");
    case "view": return t("Watched a call");
    case "Assign": return t("Assigned somebody");
    case "Unassign": return t("Took somebody off a session");
    case "LinkTicket": return t("Linked a ticket");
    case "UnlinkTicket": return t("Took a ticket off a session");
    case "SetVisibility": return t("Changed who sees a session");
    case "AskRecording": return t("Asked for a recording");
    case "StopRecording": return t("Stopped the recording");
    case "GiveUp": return t("Gave up or declined a call");
    case "Create": return t("Created a session");
    case "Confirm": return t("Confirmed a session");
    case "Cancel": return t("Called a session off");
    case "Start": return t("Pressed START");
    case "End": return t("Ended a call");
    case "Close": return t("Closed a session");
    case "Reopen": return t("Reopened a session");
    default: return what;
  }
}

/** @param {string} outcome of the entry, or the way in which somebody signed in */
function outcomeOf(outcome) {
  switch (outcome) {
    case "done": return t("done");
    case "password": return t("with password");
    case "sso": return t("by single sign-on");
    case "link": return t("by link");
    case "wrong_sign_in": return t("wrong name or password");
    case "wrong_password": return t("wrong password");
    case "wrong_code": return t("wrong code");
    case "locked": return t("locked");
    case "no_roles": return t("no role");
    default: return outcome.split(" ").map((word) => ["administrator", "moderator", "staff", "fleet_manager"].includes(word) ? roleName(word) : word).join(", ");
  }
}

const asked = () => {
  const day = (/** @type {string} */ id, later = 0) => byId(id).value ? String(new Date(`${byId(id).value}T00:00`).getTime() / 1000 + later) : "";
  const values = { person: byId("who").value, what: byId("what").value, since_s: day("from"), until_s: day("until", 86400) };
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value));
};

/** @param {boolean} [more] the next page, below what is shown */
async function load(more = false) {
  const query = asked();
  byId("export").href = `/api/audit/export?${query}`;
  if (more) query.set("before", String(before));
  const page = await getJson(`/api/audit?${query}`);
  before = page.before;
  const rows = page.entries.map(row);
  if (more) byId("entries").append(...rows);
  else byId("entries").replaceChildren(...(rows.length ? rows : [el("tr", {}, el("td", { colspan: "6" }, t("Nothing fits.")))]));
  byId("more").hidden = !before;
  byId("log").setAttribute("aria-busy", "false");
}

/** @param {Entry} entry */
function row(entry) {
  const bad = !["", "done"].includes(entry.outcome) && ["sign_in"].includes(entry.what);
  return el("tr", {}, el("td", {}, dateTime(iso(entry.at_s))), el("td", {}, entry.name || entry.person || t("unknown")), el("td", {}, wordsFor(entry.what)),
    el("td", {}, entry.what === "enter" ? outcomeOf(entry.target) : entry.target), el("td", { "data-bad": bad }, outcomeOf(entry.outcome)), el("td", {}, entry.address));
}

async function fillFilter() {
  const { accounts } = await getJson("/api/accounts");
  byId("who").append(...accounts.map((/** @type {{id: string, name: string}} */ one) => el("option", { value: one.id }, one.name)));
  byId("what").append(...KINDS.map((what) => el("option", { value: what }, wordsFor(what))));
}

byId("filter").addEventListener("change", () => load().catch(complain));
byId("filter").addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
byId("more").addEventListener("click", () => load(true).catch(complain));
fillFilter().then(() => load()).catch(complain);
