// What is kept of a session: all of it as a ZIP, receipts of what was deleted, and (for moderators) deleting files with a reason.
//
// For tests: `#export`, `#deletions [data-artifact][data-done]`, `#delete-files`, `#delete-what`, `#delete-reason`, `#delete-go`.

import { getJson, postJson, sessionPath } from "./api.js";
import { boot, byId, el, t } from "./dom.js";
import { dateTime, size } from "./format.js";
import { complain, toast } from "./notify.js";

/** @typedef {{artifact: string, kind: string, bytes: number, sha256: string, at_s: number, done_s: number, person: string, person_name: string, reason: string}} Receipt */
/** @typedef {import("./format.js").Session} Session */

const AGAIN_MS = 1500;
let again = 0;
let painted = "";

/** @param {string} kind */
const kindText = (kind) => ({
  recording: t("Recording"), film: t("Recording with drawings"), timeline: t("Drawings and marks"), snapshot: t("Screenshot"), flattened: t("Screenshot with drawings"),
  layers: t("Drawings"), session_data: t("Session data") })[kind] ?? kind;

/** @param {Receipt} receipt */
function line(receipt) {
  const who = receipt.person ? receipt.person_name || receipt.person : t("By rule");
  return el("div", { role: "listitem", "data-artifact": receipt.artifact, "data-done": String(receipt.done_s > 0) },
    el("strong", {}, `${kindText(receipt.kind)}, ${size(receipt.bytes)}`),
    el("div", {}, `${dateTime(new Date(1000 * receipt.at_s).toISOString())} · ${who}: ${receipt.reason}`),
    el("div", { class: "muted small" }, receipt.done_s ? t("Gone for good.") : t("Is being deleted …")),
    el("div", { class: "muted small", title: "SHA-256" }, receipt.sha256));
}

/** @param {Session} session */
async function loadReceipts(session) {
  clearTimeout(again);
  const { deletions } = await getJson(`${sessionPath(session.id)}/deletions`);
  byId("deleted").hidden = !deletions.length;
  byId("deletions").replaceChildren(...deletions.map(line));
  if (deletions.some((/** @type {Receipt} */ receipt) => !receipt.done_s)) again = window.setTimeout(() => loadReceipts(session).catch(complain), AGAIN_MS);
}

/** @param {Session} session @param {import("./artifacts.js").Places} places */
function choices({ artifacts }, places) {
  const here = artifacts.filter((artifact) => places[artifact.id]?.uploaded);
  const groups = new Map();
  for (const artifact of here) {
    const key = artifact.group || artifact.id;
    if (!groups.has(key) || artifact.kind === "recording") groups.set(key, artifact);
  }
  return [el("option", { value: "" }, t("All files of this session")),
    ...[...groups.values()].map((artifact) => el("option", { value: artifact.id }, `${kindText(artifact.kind)} · ${artifact.name}`))];
}

/** Called with every change; does something where what is here, or deleted, is something else than before. @param {Session} session @param {import("./artifacts.js").Places} places */
export function paintKeeping(session, places) {
  const sign = JSON.stringify([session.state, session.artifacts.map(({ id }) => [id, places[id]?.uploaded, places[id]?.deleted_s])]);
  if (sign === painted) return;
  painted = sign;
  const form = /** @type {HTMLFormElement} */ (byId("delete-form"));
  const any = session.artifacts.some((artifact) => places[artifact.id]?.uploaded);
  const moderates = ["moderator", "administrator"].includes(String(boot.me.role));
  byId("delete-files").hidden = !(moderates && any && ["CLOSED", "CANCELLED"].includes(session.state));
  const what = /** @type {HTMLSelectElement} */ (byId("delete-what"));
  if (!byId("delete-files").open) what.replaceChildren(...choices(session, places));
  form.onsubmit = (event) => {
    event.preventDefault();
    const reason = /** @type {HTMLInputElement} */ (byId("delete-reason"));
    postJson(`${sessionPath(session.id)}/deletions`, { reason: reason.value, artifacts: what.value ? [what.value] : [] }).then(() => {
      reason.value = "";
      byId("delete-files").open = false;
      toast({ title: t("Deleted") });
      return loadReceipts(session);
    }).catch(complain);
  };
  loadReceipts(session).catch(complain);
}
