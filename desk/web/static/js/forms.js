// What the forms of accounts have in common.

import { ApiError } from "./api.js";
import { byId, t } from "./dom.js";

/** @param {string} id of the element that says it @param {unknown} error */
export function showProblem(id, error) {
  const place = byId(id);
  const waits = error instanceof ApiError && error.code === "too_many_tries" && error.retryAfterS;
  place.textContent = waits ? t("Too many tries. Please wait {minutes} min.", { minutes: Math.ceil(waits / 60) }) : error instanceof Error ? error.message : String(error);
  place.hidden = false;
}

/** A submit that sends, keeps its button off meanwhile and says what went wrong. @param {string} form @param {string} problem @param {() => Promise<void>} send */
export function onSubmit(form, problem, send) {
  const element = byId(form);
  element.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    const go = element.querySelector("button:not([type=button])");
    if (problem) byId(problem).hidden = true;
    go.disabled = true;
    try {
      await send();
    } catch (error) {
      if (!problem) throw error;
      showProblem(problem, error);
    } finally {
      go.disabled = false;
    }
  });
}

/** What a role is called. @param {string} role */
export function roleName(role) {
  switch (role) {
    case "administrator": return t("Administrator");
    case "moderator": return t("Moderator");
    case "fleet_manager": return t("Fleet manager");
    default: return t("Staff");
  }
}

/** @param {string} agent what a browser says of itself @returns {string} */
export function browserName(agent) {
  const browsers = /** @type {const} */ ([["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]]);
  const systems = /** @type {const} */ ([["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "macOS"], ["Linux", "Linux"]]);
  const found = [browsers, systems].map((table) => table.find(([mark]) => agent.includes(mark))?.[1]).filter(Boolean);
  return found.join(" · ") || agent.slice(0, 60) || t("Unknown browser");
}

/** @param {number} seconds of the wall clock @returns {string} for format.js */
export const iso = (seconds) => new Date(seconds * 1000).toISOString();

/** Proposed for a name: "Jörg Müller" signs in as "jorg-muller". @param {string} name */
export const shortName = (name) => name.normalize("NFD").toLowerCase().replace(/\p{M}/gu, "").replace(/ß/g, "ss").replace(/[^a-z0-9]+/g, "-").slice(0, 40).replace(/^-|-$/g, "");
