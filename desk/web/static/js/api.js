// The desk's HTTP API. Every refusal becomes an `ApiError` with the stable code of kiosk/errors.py and a text to show.

import { t } from "./dom.js";

/** What a code means to staff; for the others the sentence that came with it is shown. @param {string} code @returns {string | null} */
function textOf(code) {
  switch (code) {
    case "wrong_state": return t("That is not possible any more: the session has changed meanwhile.");
    case "not_allowed": return t("You may not do this.");
    case "not_assigned": return t("Only assigned staff can do this. A moderator can assign you.");
    case "no_such_session": return t("This session no longer exists.");
    case "kiosk_lost": return t("The kiosk has lost this session. For another call, begin a new one.");
    case "busy": return t("Another session is in progress at this machine. Finish it first.");
    case "recording_off": return t("The provider does not allow recordings at this machine.");
    case "no_consent": return t("The person at the machine has not agreed to being recorded.");
    case "too_many_commands": return t("This machine has taken too many commands today. Please try again later.");
    case "store": return t("The disk there does not take it. Please tell whoever looks after the kiosk.");
    case "full": return t("The limit is reached.");
    case "unreachable": return t("The machine does not answer. It may have no network at the moment.");
    case "signed_out": return t("You are signed out. Please sign in again.");
    case "no_right": return t("Your roles do not include this.");
    case "second_factor_needed": return t("Set a second factor up first, in your account.");
    case "wrong_sign_in": return t("Name or password is wrong.");
    case "wrong_password": return t("This is not your present password.");
    case "wrong_code": return t("This code is not the present one.");
    case "too_many_tries": return t("Too many tries. Please wait a few minutes.");
    case "locked": return t("This account is locked. Ask an administrator.");
    case "link_over": return t("This link was used before, or its time is over.");
    case "weak_password": return t("This password is too easily guessed. Take at least 12 letters, several words that do not belong together.");
    case "taken": return t("This name or e-mail address is somebody's already.");
    case "follows": return t("This account follows the settings file or single sign-on and is changed there.");
    case "last_administrator": return t("Somebody must be left who can administer the desk.");
    case "oneself": return t("You cannot do this to yourself.");
    case "begin_again": return t("That took too long. Please begin again.");
    case "bad_address": return t("This is no address that is understood here. One looks like kind://…");
    case "kind_not_allowed": return t("Addresses of this kind are not allowed here.");
    case "quiet_hours": return t("Quiet hours that begin when they end have no length.");
    case "time_zone": return t("There is no time zone of this name.");
    case "no_web_address": return t("That is no address of the form https://host/path.");
    case "not_given_up": return t("That is on its way already.");
    case "other_time": return t("The clock says something else by now. Please load the page anew.");
    case "switched_off": return t("Switch it on first.");
    case "private_address": return t("The desk may not connect to this address: it is private, and the settings open no such network.");
    case "offline": return t("The desk cannot be reached. Check your network.");
    default: return null;
  }
}

export class ApiError extends Error {
  /** @param {number} status 0 where nothing was reached @param {string} code @param {string} text */
  constructor(status, code, text) {
    super(textOf(code) ?? (text || t("That did not work. Please try again.")));
    this.status = status;
    this.code = code;
    /** @type {number} */
    this.retryAfterS = 0;
    /** Whether the desk itself said so, not something before it. */
    this.ofDesk = false;
  }
}

/** @param {Response} response @returns {Promise<ApiError>} */
export async function errorOf(response) {
  const body = await response.json().catch(() => ({}));
  const known = response.status === 401 ? "signed_out" : response.status === 503 ? "unreachable" : "trouble";
  const error = new ApiError(response.status, String(body.code ?? known), String(body.detail ?? ""));
  error.ofDesk = Boolean(body.code);
  error.retryAfterS = Number(response.headers.get("Retry-After")) || 0;
  return error;
}

const AGAIN_MS = [300, 700, 1500];
/** The desk that had it may have died; another one is there at once. @param {unknown} error */
const nobodyWas = (error) => error instanceof ApiError && !error.ofDesk && [0, 502, 503, 504].includes(error.status);

/**
 * One request that changes something once, however often it has to be sent: the desks and the kiosk know it by its key.
 * @param {string} path @param {unknown} body @returns {Promise<any>} what came back
 */
export async function postOnce(path, body) {
  const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  for (const pauseMs of AGAIN_MS) {
    try {
      return await postJson(path, body, key);
    } catch (error) {
      if (!nobodyWas(error)) throw error;
      await new Promise((resolve) => { setTimeout(resolve, pauseMs); });
    }
  }
  return postJson(path, body, key);
}

/**
 * One request; the answer must be 2xx.
 * @param {string} method @param {string} path @param {{body?: BodyInit, type?: string, match?: string, keepalive?: boolean, limitMs?: number, key?: string}} [more]
 *   match: for If-Match; key: for Idempotency-Key; limitMs: no answer by then is as good as no network
 * @returns {Promise<Response>}
 */
export async function send(method, path, more = {}) {
  const headers = /** @type {Record<string, string>} */ (method === "GET" ? { Accept: "application/json" } : { "X-Desk": "1" });
  if (more.type) headers["Content-Type"] = more.type;
  if (more.match) headers["If-Match"] = more.match;
  if (more.key) headers["Idempotency-Key"] = more.key;
  const signal = more.limitMs ? AbortSignal.timeout(more.limitMs) : undefined;
  const options = { method, headers, signal, body: more.body, keepalive: more.keepalive ?? false, credentials: /** @type {const} */ ("same-origin") };
  const response = await fetch(path, options).catch(() => { throw new ApiError(0, "offline", ""); });
  if (!response.ok) throw await errorOf(response);
  return response;
}

/** @param {string} path @returns {Promise<any>} */
export const getJson = async (path) => (await send("GET", path)).json();

/** @param {string} path @param {unknown} [body] @param {string} [key] @returns {Promise<any>} what came back, null where it was empty */
export async function postJson(path, body = {}, key = "") {
  const response = await send("POST", path, { body: JSON.stringify(body), type: "application/json", key });
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** @param {string} id */
export const sessionPath = (id) => `/api/sessions/${encodeURIComponent(id)}`;

/**
 * A command to the kiosk, guarded by the state that the reader saw, or by what else is said.
 * @param {import("./format.js").Session} session @param {{kind: string, [key: string]: unknown}} what @param {{state?: string, rev?: number}} [guard]
 */
export const command = (session, what, guard = { state: session.state }) => postOnce(`${sessionPath(session.id)}/commands`, { do: what, guard });
