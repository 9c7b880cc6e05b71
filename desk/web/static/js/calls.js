// The calls of a session afterwards: when, who, and how well they went (the kiosk's summary, kiosk/call/summary.py).

import { boot, byId, el, keyed, t } from "./dom.js";
import { dateTime, minutes } from "./format.js";

/** @typedef {import("./format.js").Session} Session */
/** @typedef {Record<string, number | undefined>} Summary */

/** @param {number | undefined} value @param {number} [digits] */
const number = (value, digits = 0) => (value ?? 0).toLocaleString(boot.language, { maximumFractionDigits: digits });

/** @param {Session} session */
export function paintCalls(session) {
  byId("calls-panel").hidden = !session.calls.length;
  keyed(byId("calls"), session.calls.map((call) => ({ key: call.id, sign: call, make: () => {
    const summary = /** @type {Summary} */ (call.summary ?? {});
    const people = (call.participants ?? []).map((person) => person.name).join(", ");
    return el("li", {}, el("strong", {}, dateTime(call.started_at), summary.duration_s ? ` · ${minutes(summary.duration_s)}` : ""),
      people ? el("span", { class: "muted" }, ` – ${people}`) : "",
      el("dl", { class: "facts" }, ...rows(summary).map(([name, term, value]) => el("div", {}, el("dt", {}, term), el("dd", { "data-name": name }, value)))));
  } })).reverse());
}

/** @param {Summary} summary @returns {[string, string, string][]} name, term, value; only what is known */
function rows(summary) {
  if (!summary.joins) return [];
  const seen = summary.glass_to_glass_ms !== undefined;
  return /** @type {[string, string, string][]} */ ([
    seen && ["delay", t("Delay from camera to screen"), t("about {n} ms, mostly below {most} ms (± {doubt} ms)",
      { n: number(summary.glass_to_glass_ms), most: number(summary.glass_to_glass_p95_ms), doubt: number(summary.glass_to_glass_uncertain_ms) })],
    ["steps", t("Picture"), stepsText(summary)],
    seen && ["freezes", t("Freezes"), summary.freezes ? t("{n} ({seconds} s)", { n: number(summary.freezes), seconds: number(summary.frozen_s, 1) }) : "0"],
    ["loss", t("Lost on the way"), t("{n} % on average, {worst} % at worst", { n: number(100 * (summary.mean_loss ?? 0), 1), worst: number(100 * (summary.worst_loss ?? 0), 1) })],
    ["round-trip", t("Round trip"), t("{n} ms at worst", { n: number(summary.worst_round_trip_ms) })],
    ["joins", t("Connections"), number(summary.joins)],
  ].filter(Boolean));
}

/** How long on which rung. @param {Summary} summary */
function stepsText(summary) {
  const names = { full: t("full size"), smaller: t("smaller"), small: t("small and jerky"), stills: t("single pictures") };
  const parts = Object.entries(names).map(([step, name]) => [summary[`at_${step}_s`] ?? 0, name]).filter(([seconds]) => Number(seconds) > 0);
  return parts.map(([seconds, name]) => `${name} ${minutes(Number(seconds))}`).join(", ") || t("not known");
}
