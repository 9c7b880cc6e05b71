// Which sessions the list shows: kept in the address, asked of the desk, and judged here for what comes live.

import { STATES, isMine, matches } from "./format.js";

/** @typedef {import("./format.js").Session} Session */
/** @typedef {{state: string, mine: boolean, provider: string, device: string, since: string, until: string, q: string}} Filters `since`, `until`: days */

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const KEPT = "desk.list";

/** @param {string} search of an address; what makes no sense in it is left out @returns {Filters} */
export function readFilters(search) {
  const query = new URLSearchParams(search);
  const text = (/** @type {string} */ name) => (query.get(name) ?? "").trim().slice(0, 200);
  const day = (/** @type {string} */ name) => (DAY.test(text(name)) && !Number.isNaN(Date.parse(text(name))) ? text(name) : "");
  const state = STATES.find((one) => one === text("state")) ?? "";
  return { state, mine: text("mine") === "1", provider: text("provider"), device: text("device"), since: day("since"), until: day("until"), q: text("q") };
}

/** Only what is set. @param {Filters} filters */
function inAddress({ mine, ...texts }) {
  const pairs = Object.entries({ ...texts, mine: mine ? "1" : "" }).filter(([, value]) => value);
  return new URLSearchParams(pairs).toString();
}

/** Into the address of the page, and kept for the way back from a session. @param {Filters} filters */
export function writeFilters(filters) {
  const query = inAddress(filters);
  const address = query ? `/?${query}` : "/";
  if (location.pathname + location.search !== address) history.replaceState(null, "", address);
  sessionStorage.setItem(KEPT, address);
}

/** Where the list was left. @returns {string} */
export function listAddress() {
  const address = sessionStorage.getItem(KEPT) ?? "/";
  return /^\/(\?|$)/.test(address) ? address : "/";
}

/** A day of the reader's calendar as a time. @param {string} day @param {number} [later] days */
function timeOf(day, later = 0) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later);
}

/** What the desk is asked for. @param {Filters} filters @param {number} limit @param {string} [after] as the page before said */
export function asQuery({ state, mine, provider, device, since, until, q }, limit, after = "") {
  const values = { state, mine: mine ? "true" : "", provider, device, q, after, limit: String(limit),
    since: since && timeOf(since).toISOString(), until: until && timeOf(until, 1).toISOString() };
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value));
}

/**
 * Whether a session is among what is asked for; the desk's own answer counts more.
 * @param {Session} session @param {Filters} filters @param {string} provider of its kiosk
 */
export function fits(session, filters, provider) {
  const at = Date.parse(session.created_at);
  return (!filters.state || session.state === filters.state) && (!filters.mine || isMine(session))
    && (!filters.device || session.device.id === filters.device) && (!filters.provider || provider === filters.provider)
    && (!filters.since || at >= timeOf(filters.since).getTime()) && (!filters.until || at < timeOf(filters.until, 1).getTime())
    && (!filters.q || matches(session, filters.q));
}

/** How many of those behind "More filters" are set. @param {Filters} filters */
export const moreSet = ({ provider, device, since, until }) => [provider, device, since, until].filter(Boolean).length;

/** @param {Filters} filters @returns {boolean} whether anything is left out */
export const anySet = (filters) => inAddress(filters) !== "";
