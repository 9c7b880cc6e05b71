// The page of one session: what to do now, everything that belongs to it, and the call.
//
// For tests: `#state[data-state]`, `#confirm`, `#cancel`, `#start`, `#join`, `#give-up`, `#end`, `#close`, `#reopen`, `#assign-me`,
// `#pre-camera`, `#status[data-tone]`, `#answer-yes` in the dialog that asks back; `#history li[data-state]`, `#artifacts .artifact`.

import { command, getJson, postJson, sessionPath } from "./api.js";
import { boot, button, byId, el, keyed, t } from "./dom.js";
import { CallView } from "./callview.js";
import { ago, inVain, isLost, isMine } from "./format.js";
import { badge, chime, complain, toast } from "./notify.js";
import { ask, beginPage } from "./page.js";
import { paintAssign, paintConsents, paintDetails, paintEarlier, isToldAnew, takeRating, takeTold } from "./details.js";
import { onTheirWay, paintArtifacts } from "./artifacts.js";
import { listAddress } from "./filters.js";
import { paintKeeping } from "./keeping.js";

/** @typedef {import("./format.js").Session} Session */
/** @typedef {import("./dom.js").Boot} Boot */

const RING_MS = 4000;
const RELOAD_MS = 300;
/** So long the desk is waited for when somebody hangs up: the kiosk is told without it as well. */
const END_MS = 1500;
const EDIT_TRIES = 3;
const id = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const wish = `desk.call.${id}`; // survives a reload: whoever was in the call is in it again
const store = beginPage(id);

/** @type {Session | null} */
let session = null;
/** @type {import("./artifacts.js").Places} */
let places = {};
/** How often the stream has told of them. */
let placesTold = 0;
/** @type {import("./format.js").Person[]} */
let people = [];
let reloading = 0;

const view = new CallView({
  session: () => /** @type {Session} */ (session),
  command: (what) => command(/** @type {Session} */ (session), what),
  hangUp: () => hangUp().catch(complain),
  changed: () => paint(),
  ended: (error) => {
    sessionStorage.removeItem(wish);
    if (error) toast({ title: t("The call has ended"), text: error, tone: "error" });
    paint();
  },
});

// --- what the reader does -----------------------------------------------------------------------------------------------

/** @param {string} kind @param {Record<string, unknown>} [more] @returns {Promise<boolean>} whether it was done */
async function act(kind, more = {}) {
  const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (byId("actions").querySelectorAll("button"));
  for (const one of buttons) one.disabled = true;
  try {
    await command(/** @type {Session} */ (session), { kind, ...more });
    return true;
  } catch (error) {
    tellWinner(error);
    return false;
  } finally {
    for (const one of buttons) one.disabled = false;
  }
}

/**
 * An edit of one piece of the session. Where somebody else has changed that very piece since the reader saw it, it is
 * said and nothing is overwritten; where it was another piece, it is done all the same.
 * @param {string} kind @param {Record<string, unknown>} more @param {(session: Session) => unknown} piece @returns {Promise<boolean>} whether it was done
 */
async function edit(kind, more, piece) {
  for (let tries = 0; tries < EDIT_TRIES; tries++) {
    const seen = /** @type {Session} */ (session);
    try {
      await command(seen, { kind, ...more }, { rev: seen.rev });
      return true;
    } catch (/** @type {any} */ error) {
      if (error.code !== "wrong_state") return complain(error), false;
      await load();
      if (JSON.stringify(piece(/** @type {Session} */ (session))) === JSON.stringify(piece(seen))) continue;
      toast({ title: t("Changed by somebody else"), text: t("Somebody has changed this at the same moment. Nothing of yours was overwritten or lost: look at it, and do it again if you still want to."), tone: "error" });
      return false;
    }
  }
  complain(new Error(t("The session changes too fast at the moment. Please try again.")));
  return false;
}

/** Somebody else was faster: say who. @param {any} error */
async function tellWinner(error) {
  if (error.code !== "wrong_state") return complain(error);
  await load().catch(() => {});
  const last = session?.history.at(-1);
  const name = last && last.actor.id !== boot.me.id ? last.actor.name : "";
  toast({ title: name ? t("{name} was faster", { name }) : t("That did not work"), text: error.message, tone: "error" });
}

/** Rings, or answers who rings; the call is joined as soon as the session runs. */
async function start() {
  sessionStorage.setItem(wish, "1");
  if (!(await act("start"))) sessionStorage.removeItem(wish);
}

function join() {
  if (session?.state !== "RUNNING") return start().catch(complain);
  sessionStorage.setItem(wish, "1");
  view.join();
}

async function cancel() {
  const answer = await ask(t("Call this session off?"), t("The person at the machine is told. Staff can reopen the session later."),
    [{ text: t("Keep it"), value: "" }, { text: t("Call it off"), value: "yes", kind: "danger solid" }]);
  if (answer === "yes") await act("cancel");
}

async function hangUp() {
  const inCall = (/** @type {string} */ name) => view.people.filter(([other]) => other === name).length;
  const others = (session?.calls.at(-1)?.participants ?? []).filter((person) => person.id !== boot.me.id && inCall(person.name)).map((person) => person.name);
  const twice = inCall(boot.me.name) > 1; // in another window, or on another device
  const title = others.length || !twice ? t("Others are still in the call") : t("You are in this call elsewhere as well");
  const all = !others.length && !twice ? "all" : await ask(title, others.join(", "),
    [{ text: t("Stay"), value: "" }, { text: t("Only I leave"), value: "me" }, { text: t("End it for all"), value: "all", kind: "danger solid" }]);
  if (!all) return;
  if (all === "all") await Promise.race([act("end"), new Promise((resolve) => { setTimeout(resolve, END_MS); })]);
  sessionStorage.removeItem(wish);
  await view.leave(all === "me");
}

// --- what to do now ---------------------------------------------------------------------------------------------------

/** @param {Session} s @returns {{title: string, text: string, tone?: string, buttons: HTMLElement[]}} */
function situation(s) {
  const off = button(t("Call off"), () => cancel().catch(complain), { id: "cancel", kind: "danger" });
  const again = button(t("Reopen"), () => act("reopen"), { id: "reopen", icon: "reload" });
  const who = s.requester || t("Somebody at the machine");
  switch (s.state) {
    case "REQUESTED":
      return { title: t("{name} asks for help", { name: who }), text: t("Asked {ago}. A call can start as soon as you confirm.", { ago: ago(s.created_at) }),
        buttons: [off, button(t("CONFIRM"), () => act("confirm"), { id: "confirm", kind: "primary big", icon: "check" })] };
    case "CONFIRMED":
      return confirmed(s, who, off);
    case "RUNNING":
      return { title: t("The call is on"), text: s.calls.at(-1)?.participants?.map((person) => person.name).join(", ") ?? "",
        buttons: [off, button(t("End the call"), () => hangUp().catch(complain), { id: "end", kind: "danger", icon: "hang-up" }), gear(),
          button(t("JOIN"), join, { id: "join", kind: "go big", icon: "phone" })] };
    case "COMPLETED":
      return { title: t("The call is over"), text: closesText(s),
        buttons: [off, button(t("Close"), () => act("close"), { id: "close", icon: "check" }), button(t("Call again"), () => act("reopen"), { id: "reopen", kind: "primary", icon: "reload" })] };
    case "CLOSED":
      if (isLost(s)) return lost();
      return { title: t("This session is closed"), text: t("For another call, reopen it: everything it has stays with it."), buttons: [again] };
    case "CANCELLED":
      if (isLost(s)) return lost();
      return { title: t("This session was called off"), text: s.history.at(-1)?.cause ?? "", buttons: [again] };
  }
}

/** Over, and not to be reopened: the kiosk does not know it any more. */
function lost() {
  return { title: t("The kiosk has lost this session"),
    text: t("Its storage was damaged, or the power went while the storage took nothing. What had arrived here is kept. For another call, begin a new session."), buttons: [] };
}

/** @param {Session} s @param {string} who @param {HTMLElement} off */
function confirmed(s, who, off) {
  if (s.ringing?.by === "code_user") {
    return { title: t("{device} is calling", { device: s.device.name }), text: t("{name} has pressed START and waits for you.", { name: who }), tone: "ring",
      buttons: [button(t("Decline"), () => act("give-up"), { id: "give-up", kind: "danger" }), button(t("JOIN"), join, { id: "join", kind: "go big", icon: "phone" })] };
  }
  if (s.ringing) {
    return { title: t("It rings at the machine …"), text: t("The call begins as soon as somebody there presses START."), tone: "ring",
      buttons: [button(t("Give up"), () => { sessionStorage.removeItem(wish); act("give-up"); }, { id: "give-up", kind: "danger" })] };
  }
  const camera = button(view.cameraWanted ? t("Camera will be on") : t("Camera will be off"), () => { view.cameraWanted = !view.cameraWanted; paint(); },
    { id: "pre-camera", kind: "quiet", icon: view.cameraWanted ? "video" : "video-off", pressed: view.cameraWanted });
  const call = button(t("START"), () => start().catch(complain), { id: "start", kind: "go big", icon: "phone" });
  const vain = inVain(s);
  if (vain) return { title: vain.title, text: vain.text, tone: vain.missed ? "missed" : "", buttons: [off, gear(), camera, call] };
  return { title: t("Ready for the call"), text: t("Both sides can press START now. Where the other side is not there, it rings."),
    buttons: [off, gear(), camera, call] };
}

/** Microphone and camera can be tried before anybody else sees or hears them. */
const gear = () => button(t("Try camera and microphone"), () => view.gear.open(), { id: "gear-before", kind: "quiet", icon: "settings" });

/** @param {Session} s */
function closesText(s) {
  const at = Date.parse(s.history.at(-1)?.at ?? "") + 1000 * s.review_s;
  const left = Math.round((at - Date.now()) / 60_000);
  if (!(left >= 0)) return t("Look it over, call again, or close it.");
  return t("Look it over, call again, or close it. It closes by itself {when}.", { when: new Intl.RelativeTimeFormat(boot.language).format(Math.max(1, left), "minute") });
}

function paintStatus() {
  if (!session) return;
  const { title, text, tone, buttons } = situation(session);
  const status = byId("status");
  status.dataset.tone = tone ?? "";
  setText("status-title", title);
  setText("status-text", isMine(session) || isLost(session) ? text : t("You are not assigned to this session: you can look, not act."));
  const mine = isMine(session);
  const assign = button(t("Assign me"), () => act("assign", { person: { id: boot.me.id, name: boot.me.name } }), { id: "assign-me", kind: "primary", icon: "user" });
  const may = mine || isLost(session) ? buttons : boot.me.role && boot.me.role !== "staff" ? [...buttons.filter((one) => one.id === "reopen"), assign] : [];
  keyed(byId("actions"), may.map((one) => ({ key: one.id, sign: [one.className, one.textContent, session?.state], make: () => one })));
}

/** A live region speaks only when its text changes. @param {string} place @param {string} text */
function setText(place, text) {
  if (byId(place).textContent !== text) byId(place).textContent = text;
}

// --- following ----------------------------------------------------------------------------------------------------------

function paint() {
  if (!session) return;
  badge(store.waiting, `${session.device.name} · ${t(session.state)}`);
  setText("device-name", session.device.name);
  setText("state", t(session.state));
  byId("state").dataset.state = session.state;
  const online = store.kiosks.get(session.kiosk)?.online;
  const sign = byId("kiosk-online");
  sign.hidden = online === undefined;
  sign.dataset.online = String(Boolean(online));
  setText("kiosk-online", online ? t("Online") : t("Offline"));
  paintStatus();
  paintDetails(session, act, edit);
  paintAssign(session, people, act);
  byId("artifacts-panel").hidden = !session.artifacts.length;
  paintArtifacts(session, places, byId("artifacts"));
  paintKeeping(session, places);
  const missing = onTheirWay(session, places);
  byId("on-their-way").hidden = !missing;
  if (missing) setText("on-their-way-text", missing.text);
  byId("on-their-way-bar").value = missing?.percent ?? 100;
  view.update(session);
  byId("session").setAttribute("aria-busy", "false");
}

/** @param {Session} next */
function take(next) {
  const before = session;
  session = next;
  if (before?.ringing?.by === "staff" && !next.ringing && next.state === "CONFIRMED" && sessionStorage.getItem(wish)) {
    sessionStorage.removeItem(wish);
    const vain = inVain(next);
    if (vain) toast({ title: vain.title });
  }
  if (next.state === "RUNNING" && sessionStorage.getItem(wish)) view.join();
  if (!["RUNNING", "CONFIRMED"].includes(next.state)) {
    sessionStorage.removeItem(wish);
    view.leave(false);
  }
  if (before && JSON.stringify(kept(before)) !== JSON.stringify(kept(next))) loadSoon();
  paint();
}

/** What the desk has something of its own to say about. @param {Session} s */
const kept = ({ epoch, artifacts, consents }) => [epoch, artifacts, consents];

async function load() {
  const before = placesTold;
  const details = await getJson(sessionPath(id));
  if (before === placesTold) { // else the answer may be the older one
    places = details.artifacts;
    takeRating(details.rating ?? null);
  }
  takeTold(details.told ?? []);
  paintEarlier(details.earlier);
  paintConsents(details.consents ?? { faults: [], lost: [], restored: false });
  store.take(details.session, false, true);
  take(store.sessions.get(id) ?? details.session);
  seen();
}

function loadSoon() {
  clearTimeout(reloading);
  reloading = window.setTimeout(() => load().catch(complain), RELOAD_MS);
}

/** Told once it is really looked at; the kiosk keeps who has seen it. */
function seen() {
  if (document.hidden || !session || !(isMine(session) || session.state === "REQUESTED") || session.seen_by.some((person) => person.id === boot.me.id)) return;
  postJson(`${sessionPath(id)}/seen`).catch(() => {}); // the next look tells it
}

/** @type {HTMLAnchorElement} */ (document.querySelector(".session-head .back")).href = listAddress();
store.on("sessions", ({ session: one }) => {
  if (!one) loadSoon(); // nothing was heard before: what belongs to the session may have changed as well
  else if (one.id === id) take(one);
});
store.on("places", ({ session: one, artifacts, rating, told }) => {
  if (one !== id) return;
  placesTold++;
  places = artifacts;
  takeRating(rating ?? null);
  if (isToldAnew(told ?? [])) loadSoon(); // an event names ids only
  paint();
});
store.on("kiosks", paint);
store.on("gone", (event) => {
  if (event.session === id && view.call && event.peer === view.call.peer) view.call.gone(event);
});
document.addEventListener("visibilitychange", seen);
setInterval(() => {
  if (session?.state === "CONFIRMED" && session.ringing?.by === "code_user" && isMine(session)) chime("ring");
}, RING_MS);
setInterval(paint, 30_000);
getJson("/api/people").then((list) => { people = list.people; paint(); }).catch(() => {}); // nobody can be assigned then: the rest works
load().catch((error) => {
  complain(error);
  byId("session").setAttribute("aria-busy", "false");
  byId("actions").replaceChildren(el("a", { class: "button", href: location.pathname }, t("Try again")));
});
