// The call as it stands in the page: joins, shows, and binds every tool of the toolbar to a key and a button.
//
// For tests: `#call[data-state]` idle | connecting | on | reconnecting | ended; `body.in-call`; `#call-video`, `#call-audio`, `#own-camera`;
// `#tool-pen`, `#tool-mark`, `#tool-pointer`, `#tool-snapshot`, `#tool-mirror`, `#tool-turn`, `#tool-pin`, `#toggle-mic`, `#toggle-camera`, `#toggle-recording`,
// `#full-screen`, `#hang-up` (aria-pressed); `#recording-sign[data-state]` off | asked | on; `#quality[data-quality]`;
// `#call-people li`. `window.desk = {call, tools, snapshot}` while a call is on.

import { boot, byId, el, icon, keyed, t } from "./dom.js";
import { Call } from "./call.js";
import { minutes } from "./format.js";
import { complain, toast } from "./notify.js";
import { QualityView } from "./quality.js";
import { SnapshotView } from "./snapshot.js";
import { Tools } from "./tools.js";

/** @typedef {import("./format.js").Session} Session */

const TOOLS = /** @type {const} */ (["pen", "mark", "pointer"]);
const KEYS = /** @type {Record<string, string>} */ ({ p: "tool-pen", m: "tool-mark", l: "tool-pointer", s: "tool-snapshot", x: "tool-mirror", t: "tool-turn", n: "tool-pin", a: "toggle-mic",
  v: "toggle-camera", r: "toggle-recording", f: "full-screen", i: "quality", H: "hang-up" });

export class CallView {
  /** @param {{session: () => Session, command: (what: {kind: string}) => Promise<unknown>, hangUp: () => void, ended: (error: string) => void}} page */
  constructor(page) {
    this.page = page;
    this.stage = byId("call");
    /** @type {Call | null} */
    this.call = null;
    /** @type {Tools | null} */
    this.tools = null;
    /** @type {SnapshotView | null} */
    this.snapshot = null;
    /** @type {[string, string][]} */
    this.people = [];
    /** @type {string[]} */
    this.silent = [];
    /** @type {"off" | "asked" | "on"} */
    this.recording = "off";
    this.cameraWanted = false;
    /** @type {WakeLockSentinel | null} */
    this.awake = null;
    this.quality = new QualityView();
    this.bind();
  }

  get isOn() {
    return this.call !== null;
  }

  join() {
    if (this.call) return;
    const call = new Call({ session: this.page.session().id, video: byId("call-video"), audio: byId("call-audio"), iceServers: boot.boot.ice_servers ?? [] });
    this.call = call;
    this.tools = new Tools(call);
    this.snapshot = new SnapshotView(call, this.tools);
    Object.assign(window, { desk: Object.freeze({ call, tools: this.tools, snapshot: this.snapshot }) });
    this.people = [];
    this.silent = [];
    this.stage.hidden = false;
    document.body.classList.add("in-call");
    call.on("state", ({ state, error }) => this.showState(state, error));
    call.on("message", (message) => this.take(message));
    call.on("mic", () => this.showMic());
    call.on("camera", () => this.showCamera());
    call.on("sound-blocked", () => { byId("tap-for-sound").hidden = false; });
    this.quality.begin(call);
    for (const tool of TOOLS) byId(`tool-${tool}`).setAttribute("aria-pressed", String(tool === "pen"));
    this.tools.choose("pen");
    this.tools.mirror(false);
    this.tools.turnTo(0);
    byId("tool-pin").setAttribute("aria-pressed", "false");
    byId("tool-mirror").setAttribute("aria-pressed", "false");
    this.showMic();
    call.run();
    if (this.cameraWanted) this.setCamera(true);
  }

  /** @param {boolean} tell the call goes on without us */
  async leave(tell) {
    await this.call?.leave(tell);
  }

  bind() {
    const on = (/** @type {string} */ id, /** @type {() => void} */ act) => byId(id).addEventListener("click", act);
    for (const tool of TOOLS) on(`tool-${tool}`, () => this.choose(tool));
    on("tool-snapshot", () => this.snapshot?.shoot());
    on("tool-mirror", () => this.mirror());
    on("tool-turn", () => this.turn());
    on("tool-pin", () => this.pin());
    on("toggle-mic", () => this.call?.setMic(!this.call.micOn).catch(complain));
    on("toggle-camera", () => this.setCamera(!this.call?.cameraTrack));
    on("toggle-recording", () => this.toggleRecording());
    on("full-screen", () => this.toggleFullScreen());
    on("hang-up", () => this.page.hangUp());
    on("tap-for-sound", () => {
      byId("tap-for-sound").hidden = true;
      for (const id of ["call-video", "call-audio"]) byId(id).play().catch(complain);
    });
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("visibilitychange", () => { if (!document.hidden && this.call?.state === "on") this.stayAwake(); });
    document.addEventListener("fullscreenchange", () => { if (!document.fullscreenElement) this.fullScreen(false); });
    setInterval(() => this.showTime(), 1000);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {Element} */ (event.target);
    if (!this.call || event.ctrlKey || event.metaKey || event.altKey || event.repeat || document.querySelector("dialog[open]") || target.closest("input, textarea, select")) return;
    if (event.key === "Escape" && this.snapshot?.open) byId("snapshot-close").click();
    const id = KEYS[event.shiftKey ? event.key : event.key.toLowerCase()];
    if (!id) return;
    event.preventDefault();
    byId(id).click();
  }

  /** @param {typeof TOOLS[number]} tool */
  choose(tool) {
    this.tools?.choose(tool);
    for (const other of TOOLS) byId(`tool-${other}`).setAttribute("aria-pressed", String(other === tool));
  }

  mirror() {
    if (!this.tools) return;
    this.tools.mirror(!this.tools.mirrored);
    this.snapshot?.paint();
    byId("tool-mirror").setAttribute("aria-pressed", String(this.tools.mirrored));
  }

  /** By a quarter, clockwise. */
  turn() {
    if (!this.tools) return;
    this.tools.turnTo(/** @type {import("./geometry.js").Turn} */ ((this.tools.turn + 90) % 360));
    this.snapshot?.paint();
  }

  /** What is drawn from now on is pinned to the scene, or to the picture again. */
  pin() {
    if (!this.tools) return;
    this.tools.pinned = !this.tools.pinned;
    byId("tool-pin").setAttribute("aria-pressed", String(this.tools.pinned));
    if (this.tools.pinned) this.choose("pen");
  }

  /** @param {boolean} on */
  async setCamera(on) {
    this.cameraWanted = on;
    if (!this.call || (await this.call.setCamera(on))) return;
    this.cameraWanted = false;
    toast({ title: t("The camera cannot be switched on"), text: t("It is missing, in use, or not allowed for this page. You can allow it in the address bar."), tone: "error" });
  }

  toggleRecording() {
    this.page.command({ kind: this.recording === "off" ? "ask-recording" : "stop-recording" }).catch(complain);
  }

  toggleFullScreen() {
    const on = !document.body.classList.contains("full-screen");
    this.fullScreen(on);
    if (on) document.documentElement.requestFullscreen?.().catch(() => {}); // where it is not allowed, the page alone is filled
    else if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  }

  /** @param {boolean} on */
  fullScreen(on) {
    document.body.classList.toggle("full-screen", on);
    byId("full-screen").setAttribute("aria-pressed", String(on));
  }

  // --- what is shown --------------------------------------------------------------------------------------------------

  /** @param {import("./call.js").CallState} state @param {string} error */
  showState(state, error) {
    this.stage.dataset.state = state;
    const words = { idle: "", connecting: t("Connecting …"), on: t("Connected"), reconnecting: t("Reconnecting …"), ended: t("Ended") }[state];
    byId("call-state").textContent = words;
    byId("call-cover").hidden = state === "on";
    byId("call-cover-text").textContent = words;
    if (state === "on") this.stayAwake();
    if (state === "ended") this.ended(error);
  }

  /** A phone must not go dark while somebody is shown something. The lock ends with the page being hidden. */
  stayAwake() {
    this.awake?.release().catch(() => {});
    this.awake = null;
    navigator.wakeLock?.request("screen").then((lock) => { this.awake = lock; }).catch(() => {}); // a comfort
  }

  /** @param {string} error */
  ended(error) {
    this.tools?.stop();
    this.snapshot?.stop();
    this.call = this.tools = this.snapshot = null;
    this.cameraWanted = false;
    this.awake?.release().catch(() => {});
    Object.assign(window, { desk: undefined });
    document.body.classList.remove("in-call");
    if (document.body.classList.contains("full-screen")) this.toggleFullScreen();
    byId("own-camera").srcObject = null;
    for (const id of ["call", "own-camera", "tap-for-sound"]) byId(id).hidden = true;
    this.page.ended(error);
  }

  /** @param {import("./channel.js").Message} message */
  take(message) {
    if (message.kind === "people") this.showPeople(message.people);
    if (message.kind === "recording") this.showRecording(message.state);
    if (message.kind === "quality") this.quality.take(message);
    if (message.kind === "hello") this.showDevice("camera", true); // what is lost is told again
    if (message.kind === "device") this.showDevice(message.name, message.works);
    if (message.kind === "sound") this.showSound(message);
    if (message.kind === "trouble") toast({ title: t("That did not work"), text: message.text, tone: "error" });
    if (message.kind === "snapshot-open" && message.by !== boot.me.name) toast({ title: t("Screenshot by {name}", { name: message.by || t("the machine") }) });
  }

  /** A part of the kiosk was lost or is back: the picture says so as long as there is none. @param {string} name @param {boolean} works */
  showDevice(name, works) {
    const lost = { camera: t("The camera at the machine does not answer"), microphone: t("The microphone at the machine does not answer"),
      speaker: t("The speaker at the machine does not answer") }[name];
    if (!lost) return;
    if (name === "camera") byId("camera-lost").hidden = works;
    else if (!works) toast({ title: lost, text: t("It is tried again and again."), tone: "error" });
  }

  /** How it stands with the sound at the machine, and who listens only. @param {{muted?: boolean, turns?: boolean, silent?: string[]}} sound */
  showSound({ muted = false, turns = false, silent = [] }) {
    byId("kiosk-muted").hidden = !muted;
    byId("speak-in-turns").hidden = !turns;
    this.silent = silent;
    this.showPeople(this.people);
  }

  /** @param {[string, string][]} people */
  showPeople(people) {
    this.people = people;
    keyed(byId("call-people"), people.map(([name, colour], i) => ({ key: `${i}-${name}`, sign: `${colour} ${this.silent.includes(name)}`, make: () => {
      const swatch = el("span", { class: "swatch" });
      swatch.style.background = colour;
      const silent = this.silent.includes(name) && el("span", { class: "silent", title: t("Microphone off") }, icon("mic-off"), el("span", { class: "visually-hidden" }, t("Microphone off")));
      return el("li", {}, swatch, name, silent);
    } })));
  }

  /** @param {Session} session as the kiosk has it written down; the call's own message is faster */
  update(session) {
    const { allowed, asked, running } = session.recording;
    this.showRecording(running ? "on" : allowed && asked ? "asked" : "off");
    const toggle = byId("toggle-recording");
    toggle.disabled = !allowed;
    toggle.title = allowed ? `${t("Record")} (R)` : t("The provider does not allow recordings at this machine.");
  }

  /** @param {"off" | "asked" | "on"} state */
  showRecording(state) {
    this.recording = state;
    const sign = byId("recording-sign");
    sign.hidden = state === "off";
    sign.dataset.state = state;
    sign.textContent = { off: "", asked: t("Recording asked for"), on: t("Recording is on") }[state];
    byId("toggle-recording").setAttribute("aria-pressed", String(state !== "off"));
  }

  showMic() {
    const { call } = this;
    if (!call) return;
    const on = call.micOn && call.hasMic;
    setTool("toggle-mic", on ? "mic" : "mic-off", on, call.hasMic ? (on ? t("Microphone") : t("Muted")) : t("Listening only"));
    byId("toggle-mic").classList.toggle("off", !on);
    if (!call.hasMic && !this.told) toast({ title: t("You are only listening"), text: t("There is no microphone, or it is not allowed for this page. You can allow it in the address bar."), tag: "no-mic" });
    this.told = !call.hasMic;
  }

  showCamera() {
    const track = this.call?.cameraTrack ?? null;
    setTool("toggle-camera", track ? "video" : "video-off", Boolean(track), t("Camera"));
    const own = byId("own-camera");
    own.srcObject = track ? new MediaStream([track]) : null;
    own.hidden = !track;
  }

  showTime() {
    const started = this.page.session()?.calls.at(-1)?.started_at;
    if (this.call?.state !== "on" || !started) return;
    byId("call-state").textContent = minutes(Math.max(0, (Date.now() - Date.parse(started)) / 1000));
  }
}

/** @param {string} id @param {string} iconName @param {boolean} pressed @param {string} text */
function setTool(id, iconName, pressed, text) {
  const tool = byId(id);
  tool.setAttribute("aria-pressed", String(pressed));
  tool.replaceChildren(icon(iconName), el("span", {}, text));
}
