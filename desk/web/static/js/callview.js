// The call as it stands in the page: joins, shows, and binds every tool of the toolbar to a key and a button.
//
// For tests: `#call[data-state]` idle | connecting | on | reconnecting | ended; `body.in-call`; `#call-video`, `#call-audio`, `#own-camera`;
// `#tool-pen`, `#tool-mark`, `#tool-pointer`, `#tool-snapshot`, `#tool-mirror`, `#tool-turn`, `#tool-pin`, `#toggle-mic`, `#toggle-camera`, `#toggle-recording`,
// `#full-screen`, `#hang-up` (aria-pressed); `#gear-open`, `#keys-open`, `#no-h264`; `#recording-sign[data-state]` off | asked | on; `#quality[data-quality]`;
// `#call-people li`. `window.desk = {call, tools, snapshot}` while a call is on.

import { boot, byId, el, icon, keyed, t } from "./dom.js";
import { Call } from "./call.js";
import { minutes } from "./format.js";
import { Gear, whyNot } from "./gear.js";
import { complain, toast } from "./notify.js";
import { QualityView } from "./quality.js";
import { SnapshotView } from "./snapshot.js";
import { Tools } from "./tools.js";

/** @typedef {import("./format.js").Session} Session */

const TOOLS = /** @type {const} */ (["pen", "mark", "pointer"]);
const KEYS = /** @type {Record<string, string>} */ ({ p: "tool-pen", m: "tool-mark", l: "tool-pointer", s: "tool-snapshot", x: "tool-mirror", t: "tool-turn", n: "tool-pin", a: "toggle-mic",
  v: "toggle-camera", r: "toggle-recording", f: "full-screen", i: "quality", g: "gear-open", H: "hang-up" });

/** How the call is seen, kept over a reload. @typedef {{tool: typeof TOOLS[number], mirrored: boolean, turn: import("./geometry.js").Turn, pinned: boolean, camera: boolean, full: boolean}} Kept */
/** @type {Kept} */
const AS_NEW = { tool: "pen", mirrored: false, turn: 0, pinned: false, camera: false, full: false };

export class CallView {
  /** @param {{session: () => Session, command: (what: {kind: string}) => Promise<unknown>, hangUp: () => void, changed: () => void, ended: (error: string) => void}} page */
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
    this.gear = new Gear({ changed: (kind) => this.changeDevice(kind).catch(complain), cameraWanted: () => this.cameraWanted, wantCamera: (on) => this.wantCamera(on) });
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
    call.on("codec", () => this.showCodec());
    call.on("sound-blocked", () => { byId("tap-for-sound").hidden = false; });
    this.quality.begin(call);
    this.restore();
    this.showMic();
    call.chooseSpeaker();
    call.run();
    if (this.cameraWanted) this.setCamera(true);
  }

  get keptKey() {
    return `desk.view.${this.page.session().id}`;
  }

  /** As before the page was loaded again; else as new. */
  restore() {
    const kept = /** @type {Kept} */ ({ ...AS_NEW, ...JSON.parse(sessionStorage.getItem(this.keptKey) ?? "{}") });
    this.choose(kept.tool);
    this.tools?.mirror(kept.mirrored);
    this.tools?.turnTo(kept.turn);
    if (this.tools) this.tools.pinned = kept.pinned;
    byId("tool-pin").setAttribute("aria-pressed", String(kept.pinned));
    byId("tool-mirror").setAttribute("aria-pressed", String(kept.mirrored));
    this.cameraWanted ||= kept.camera;
    if (kept.full) this.fullScreen(true);
  }

  keep() {
    const { tools } = this;
    if (!tools) return;
    const { tool, mirrored, turn, pinned } = tools;
    const kept = { tool, mirrored, turn, pinned, camera: this.cameraWanted, full: document.body.classList.contains("full-screen") };
    sessionStorage.setItem(this.keptKey, JSON.stringify(kept));
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
    on("gear-open", () => this.gear.open());
    on("keys-open", () => byId("keys").showModal());
    byId("keys-close").addEventListener("click", () => byId("keys").close());
    window.addEventListener("pagehide", () => this.keep());
    on("tap-for-sound", () => {
      byId("tap-for-sound").hidden = true;
      for (const id of ["call-video", "call-audio"]) byId(id).play().catch(complain);
    });
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("visibilitychange", () => { if (!document.hidden && this.call?.state === "on") this.stayAwake(); });
    document.addEventListener("fullscreenchange", () => { if (!document.fullscreenElement) this.fullScreen(false); });
    setInterval(() => this.showTime(), 1000);
    const top = /** @type {HTMLElement} */ (document.querySelector(".top"));
    new ResizeObserver(() => this.stage.style.setProperty("--top", `${top.offsetHeight}px`)).observe(top);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {Element} */ (event.target);
    if (event.altKey || event.repeat || document.querySelector("dialog[open]") || target.closest("input, textarea, select")) return;
    const pressed = this.buttonOf(event);
    if (!pressed) return;
    event.preventDefault();
    pressed.click();
  }

  /** What a key stands for. @param {KeyboardEvent} event @returns {HTMLElement | undefined} */
  buttonOf({ key, ctrlKey, metaKey, shiftKey }) {
    const onSnapshot = Boolean(this.snapshot?.open);
    if (ctrlKey || metaKey) return onSnapshot && key.toLowerCase() === "z" && !shiftKey ? byId("snapshot-undo") : undefined;
    if (key === "?") return byId("keys-open");
    if (!this.call) return undefined;
    if (onSnapshot && key === "Escape") return byId("snapshot-close");
    if (onSnapshot && /^[1-6]$/.test(key)) return this.snapshot?.buttons[Number(key) - 1];
    const id = KEYS[shiftKey ? key : key.toLowerCase()];
    return id ? byId(id) : undefined;
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
    const { call } = this;
    this.cameraWanted = on;
    if (!call || (await call.setCamera(on))) return;
    this.cameraWanted = false;
    if (!call.over) toast({ title: t("The camera cannot be switched on"), text: whyNot("videoinput", call.cameraWhy), tone: "error" });
  }

  /** As soon as the call is on. @param {boolean} on */
  wantCamera(on) {
    this.cameraWanted = on;
    if (this.call) this.setCamera(on);
    else this.page.changed();
  }

  /** @param {import("./media.js").Kind} kind */
  async changeDevice(kind) {
    if (kind === "audioinput") await this.call?.openMic();
    if (kind === "videoinput") await this.call?.changeCamera();
    if (kind === "audiooutput") await this.call?.chooseSpeaker();
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
    sessionStorage.removeItem(this.keptKey);
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
    const refused = this.page.session()?.recording.consent?.given === false;
    sign.textContent = { off: "", asked: refused ? t("Recording declined at the machine") : t("Recording asked for"), on: t("Recording is on") }[state];
    byId("toggle-recording").setAttribute("aria-pressed", String(state !== "off"));
  }

  showMic() {
    const { call } = this;
    if (!call) return;
    const on = call.micOn && call.hasMic;
    setTool("toggle-mic", on ? "mic" : "mic-off", on, call.hasMic ? (on ? t("Microphone") : t("Muted")) : t("Listening only"));
    byId("toggle-mic").classList.toggle("off", !on);
    if (!call.hasMic && !this.told) toast({ title: t("You are only listening"), text: whyNot("audioinput", call.micWhy), tag: "no-mic" });
    this.told = !call.hasMic;
  }

  /** Only a browser that lacks it is told what that means. */
  showCodec() {
    const lacks = this.call?.hasH264 === false;
    if (lacks && byId("no-h264").hidden) toast({ title: t("This browser has no H.264"), text: t("The picture is smaller, and your camera cannot be shown. Firefox fetches what is missing by itself (OpenH264): allow it in its settings under plugins, and join again."), tag: "no-h264" });
    byId("no-h264").hidden = !lacks;
    if (lacks && this.call?.cameraTrack) this.setCamera(false);
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
