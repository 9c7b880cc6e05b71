// Everything that is known of a session, in words: reason, request, tickets, people, history, earlier sessions.

import { boot, button, byId, el, icon, initials, keyed, t, webLink } from "./dom.js";
import { paintCalls } from "./calls.js";
import { actorName, dateTime, mayAssign } from "./format.js";
import { ask } from "./page.js";

/** @typedef {import("./format.js").Session} Session */
/** @typedef {(kind: string, more?: Record<string, unknown>) => Promise<boolean>} Act whether it was done */
/** @typedef {(kind: string, more: Record<string, unknown>, piece: (session: Session) => unknown) => Promise<boolean>} Edit `piece`: what is changed of it */

const LANGUAGES = new Intl.DisplayNames([boot.language], { type: "language" });
const EVENTS = /** @type {Record<string, string>} */ ({
  request: t("Requested"), create: t("Created"), confirm: t("Confirmed"), start: t("Call started"), end: t("Call ended"), close: t("Closed"),
  cancel: t("Called off"), reopen: t("Reopened"),
});

/** Causes that the kiosk gives by name. @param {string} cause */
function causeText(cause) {
  const known = /** @type {Record<string, string>} */ ({
    review_over: t("The time for review is over"), link_lost: t("The connection was lost for good"), kiosk_lost: t("The kiosk has lost this session"), restart: t("The kiosk was restarted"),
    hung_up: t("Everybody had hung up"), kiosk_stopped: t("The kiosk was switched off"), code_user: t("at the machine"),
  });
  return known[cause] ?? cause;
}

/** @param {Session} session @param {Act} act @param {Edit} edit */
export function paintDetails(session, act, edit) {
  const reason = byId("reason");
  reason.textContent = session.reason || t("No reason given");
  reason.classList.toggle("muted", !session.reason);
  byId("note").hidden = !session.note;
  byId("note").textContent = session.note;
  paintFacts(session, act);
  paintTickets(session, edit);
  paintPeople(session, act);
  paintCalls(session);
  paintHistory(session);
}

/** @type {{stars: number, words: string} | null} */
let said = null;

/** What the code user said on the page behind the QR code: the latest word. @param {{stars: number, words: string} | null} rating */
export const takeRating = (rating) => { said = rating; };

/** @param {Session} session @param {Act} act */
function paintFacts(session, act) {
  const { recording } = session;
  const rating = said ?? (session.rating && { stars: session.rating.stars, words: session.rating.text ?? "" });
  const visibility = session.visibility === "public" ? t("The person at the machine gets the pictures and recordings") : t("Internal: only staff see it");
  const change = mayAssign(session) && button(t("Change"), () => act("set-visibility", { visibility: session.visibility === "public" ? "internal" : "public" }), { id: "visibility", kind: "quiet" });
  /** @type {[string, (Node | string | false)[]][]} */
  const facts = [
    [t("Device"), [el("a", { href: `/devices/${encodeURIComponent(session.kiosk)}`, id: "to-device" }, session.device.name)]],
    [session.origin === "staff" ? t("Created by") : t("Requested by"), [session.requester || actorName(session.history[0]?.actor ?? { role: "code_user", id: "", name: "" })]],
    [t("When"), [dateTime(session.created_at)]],
    [t("Consent to recording"), [consentText(recording)]],
    [t("Language at the machine"), [LANGUAGES.of(session.language) ?? session.language]],
    [t("Visibility"), [visibility, change]],
    ...(rating ? [/** @type {[string, string[]]} */ ([t("Rating"), [`${"★".repeat(rating.stars)}${"☆".repeat(5 - rating.stars)} ${rating.words}`]])] : []),
    [t("Session"), [session.id]],
  ];
  keyed(byId("facts"), facts.map(([term, values]) => ({
    key: term, sign: values.map((value) => (typeof value === "string" ? value : value && value.textContent)),
    make: () => el("div", {}, el("dt", {}, term), el("dd", {}, ...values)),
  })));
}

/** @param {Session["recording"]} recording */
function consentText({ allowed, consent }) {
  if (!allowed) return t("Recordings are not allowed here");
  if (!consent) return t("Not asked yet");
  const way = consent.way === "call" ? t("in the call") : t("with the request");
  return consent.given ? t("Given {way}, {when}", { way, when: dateTime(consent.at) }) : t("Refused {way}, {when}", { way, when: dateTime(consent.at) });
}

/**
 * @typedef {{code: string, receipt: number, file: string}} Fault
 * @typedef {{n: number, at: string, what: "said" | "kept" | "deleted", consent: {given: boolean, way: string} | null, files: {name: string}[]}} Receipt
 * @typedef {{faults: Fault[], lost: Receipt[], restored: boolean}} Consents
 */

/** What of the receipts about consent does not fit; nothing where everything does. @param {Consents} consents */
export function paintConsents({ faults, lost, restored }) {
  const panel = byId("consents-panel");
  panel.hidden = !faults.length && !lost.length;
  if (panel.hidden) return;
  const harmless = restored && !faults.length;
  panel.dataset.tone = harmless ? "" : "alert";
  byId("consents-title").replaceChildren(icon("alert"), harmless ? t("The kiosk has lost receipts about consent") : t("The receipts about consent do not fit"));
  byId("consents-text").textContent = restored
    ? t("Its memory was damaged, and it came back with an earlier state. What it had told before stands here.")
    : t("They were cut or changed after they had been told, or do not fit what they speak of. Please ask who looks after the kiosk.");
  const items = faults.map((fault) => ({ key: JSON.stringify(fault), make: () => el("li", { "data-code": fault.code }, faultText(fault)) }));
  if (lost.length) items.push({ key: "lost", make: () => el("li", { "data-code": "lost" }, t("Receipts known here that the kiosk no longer has:")) });
  items.push(...lost.map((one) => ({ key: JSON.stringify(one), make: () => el("li", { class: "lost", "data-n": one.n }, receiptText(one)) })));
  keyed(byId("consents"), items);
}

/** @param {Fault} fault */
function faultText({ code, receipt, file }) {
  switch (code) {
    case "changed": return t("Receipt {n} was changed, or stood elsewhere", { n: receipt });
    case "other_consent": return t("The consent is not the one that was receipted last");
    case "no_receipt": return t("{file} has no receipt", { file });
    case "not_there": return t("{file} has a receipt, and is not among the files", { file });
    default: return t("A receipt told earlier is missing");
  }
}

/** @param {Receipt} receipt */
function receiptText({ n, at, what, consent, files }) {
  const names = files.map((file) => file.name).join(", ");
  const said = consent?.given ? t("agreed to the recording") : t("said no to the recording");
  const text = what === "said" ? said : what === "kept" ? t("kept: {names}", { names }) : t("deleted: {names}", { names });
  return `${n} · ${dateTime(at)} · ${text}`;
}

/** The ticket of this id, as it is linked. @param {string} id */
const ticketOf = (id) => (/** @type {Session} */ session) => session.tickets.find((ticket) => ticket.id === id) ?? null;

/** @param {Session} session @param {Edit} edit */
function paintTickets(session, edit) {
  const may = mayAssign(session);
  byId("tickets-panel").hidden = !session.tickets.length && !may;
  keyed(byId("tickets"), session.tickets.map((ticket) => ({ key: ticket.id, sign: [ticket, may], make: () => {
    const address = ticket.link ? webLink(ticket.link) : null;
    return el("li", { class: "ticket" }, el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, el("strong", {}, ticket.id), address ? icon("chevron") : "", el("span", { class: "muted" }, ticket.title)),
      may && el("button", { class: "button quiet square", type: "button", "data-unlink": ticket.id, "aria-label": t("Take ticket {id} off this session", { id: ticket.id }),
        onclick: () => edit("unlink-ticket", { ticket_id: ticket.id }, ticketOf(ticket.id)) }, icon("close")));
  } })));
  byId("ticket-add").hidden = !may;
  byId("ticket-form").onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    linkTicket(session, edit);
  };
}

/** What was typed stays where it is not done. @param {Session} session @param {Edit} edit */
async function linkTicket(session, edit) {
  const fields = ["ticket-id", "ticket-title", "ticket-link"].map(byId);
  const [id, title, link] = fields.map((field) => field.value.trim());
  if (!id) return;
  const known = ticketOf(id)(session);
  if (known && (known.title !== title || known.link !== link) && !(await mayReplace(known))) return;
  if (!(await edit("link-ticket", { ticket: { id, title, link } }, ticketOf(id)))) return;
  for (const field of fields) field.value = "";
  byId("ticket-add").open = false;
}

/** @param {{id: string, title: string, link: string}} ticket */
async function mayReplace({ id, title, link }) {
  const answer = await ask(t("{id} is linked already", { id }), t("As it stands: {what}", { what: [title, link].filter(Boolean).join(", ") || t("without title and link") }),
    [{ text: t("Leave it"), value: "" }, { text: t("Replace it"), value: "yes", kind: "primary" }]);
  return answer === "yes";
}

/** @type {{id: string, name: string}[]} */
let told = [];

/** Who was told of it because nobody else had reacted. @param {{id: string, name: string}[]} people */
export const takeTold = (people) => { told = people; };

/** @param {string[]} ids as an event names them @returns {boolean} whether these are others than those that are known */
export const isToldAnew = (ids) => ids.length !== told.length || told.some((person) => !ids.includes(person.id));

/** @param {Session} session @param {Act} act */
function paintPeople(session, act) {
  const all = new Map([...session.asked, ...session.assigned, ...session.seen_by, ...told].map((person) => [person.id, person]));
  const has = (/** @type {{id: string}[]} */ people, /** @type {string} */ id) => people.some((person) => person.id === id);
  const removable = mayAssign(session) && session.assigned.length > 1; // somebody has to stay
  keyed(byId("people"), [...all.values()].map((person) => {
    const [assigned, seen] = [has(session.assigned, person.id), has(session.seen_by, person.id)];
    const why = assigned ? t("assigned") : has(session.asked, person.id) ? t("asked") : has(told, person.id) && t("told, as nobody had reacted");
    return { key: person.id, sign: [person.name, why, seen, removable], make: () => el("li", { "data-person": person.id },
      el("span", { class: "person" }, el("span", { class: "avatar", "aria-hidden": "true" }, initials(person.name)),
        el("span", {}, person.id === boot.me.id ? t("{name} (you)", { name: person.name }) : person.name)),
      el("span", { class: "muted small" }, [why, seen && t("has seen it")].filter(Boolean).join(", ")),
      assigned && removable && el("button", { class: "button quiet square", type: "button", "data-unassign": person.id, "aria-label": t("Take {name} off this session", { name: person.name }),
        onclick: () => act("unassign", { person_id: person.id }) }, icon("close"))) };
  }));
}

/** Whom the reader may assign. @param {Session} session @param {{id: string, name: string}[]} people all @param {Act} act */
export function paintAssign(session, people, act) {
  const others = people.filter((person) => !session.assigned.some((one) => one.id === person.id));
  const form = byId("assign");
  form.hidden = !others.length || !mayAssign(session);
  keyed(byId("assign-who"), others.map((person) => ({ key: person.id, sign: person.name, make: () => el("option", { value: person.id }, person.name) })));
  form.onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const person = others.find((one) => one.id === byId("assign-who").value);
    if (person) act("assign", { person: { id: person.id, name: person.name } });
  };
}

/** @param {Session} session */
function paintHistory(session) {
  keyed(byId("history"), session.history.map((change, i) => ({ key: String(i), sign: change, make: () => el("li", { "data-state": change.target },
    el("span", {}, el("strong", {}, EVENTS[change.event] ?? change.event), ` · ${actorName(change.actor)}`, change.cause ? el("span", { class: "muted" }, ` – ${causeText(change.cause)}`) : ""),
    el("time", { datetime: change.at, title: change.clock_ok === false ? t("The kiosk's clock was not set yet") : null }, (change.clock_ok === false ? "≈ " : "") + dateTime(change.at))) })).reverse());
}

/** @param {{id: string, state: string, created_at: string, reason: string}[]} earlier */
export function paintEarlier(earlier) {
  byId("earlier-panel").hidden = !earlier.length;
  keyed(byId("earlier"), earlier.map((one) => ({ key: one.id, sign: one, make: () => el("li", {}, el("a", { href: `/sessions/${encodeURIComponent(one.id)}` },
    el("span", {}, one.reason || t("No reason given")), el("span", { class: "pill", "data-state": one.state }, t(one.state)), el("span", { class: "muted small" }, dateTime(one.created_at)))) })));
}
