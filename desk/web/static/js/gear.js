// Microphone, camera and speaker: chosen, seen and heard before the call as well as in it, and what is wrong said in words.
//
// For tests: `#gear` (dialog), `#gear-camera`, `#gear-microphone`, `#gear-speaker` (selects), `#gear-video[data-works]`, `#gear-video-why`,
// `#gear-level`, `#gear-microphone-why`, `#gear-camera-on`.

import { byId, el, t } from "./dom.js";
import { NoDevice, choose, chosen, openCamera, openMicrophone } from "./media.js";

/** @typedef {import("./media.js").Kind} Kind */

const LEVEL_MS = 80;
const TONE_S = 0.7;
/** A voice at arm's length reaches about so much of full scale. */
const LOUD = 0.25;

const SELECTS = /** @type {Record<Kind, string>} */ ({ audioinput: "gear-microphone", videoinput: "gear-camera", audiooutput: "gear-speaker" });

/** @param {"audioinput" | "videoinput"} kind @param {string} why */
export function whyNot(kind, why) {
  const microphone = kind === "audioinput";
  switch (why) {
    case "": return "";
    case "denied": return microphone ? t("The microphone is not allowed for this page. You can allow it in the address bar.") : t("The camera is not allowed for this page. You can allow it in the address bar.");
    case "absent": return microphone ? t("There is no microphone.") : t("There is no camera.");
    case "insecure": return t("Browsers hand out microphone and camera to secure pages (https) only.");
    case "no-h264": return t("This browser has no H.264: your camera cannot be shown at the machine.");
    default: return microphone ? t("The microphone does not answer. Perhaps another program is using it.") : t("The camera does not answer. Perhaps another program is using it.");
  }
}

export class Gear {
  /** @param {{changed: (kind: Kind) => void, cameraWanted: () => boolean, wantCamera: (on: boolean) => void}} page `changed`: another one was chosen */
  constructor(page) {
    this.page = page;
    /** @type {Partial<Record<"audioinput" | "videoinput", MediaStreamTrack>>} */
    this.tracks = {};
    /** @type {AudioContext | null} */
    this.sound = null;
    this.timer = 0;
    this.dialog = byId("gear");
    for (const closer of this.dialog.querySelectorAll("[data-close]")) closer.addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.stop());
    for (const kind of /** @type {Kind[]} */ (Object.keys(SELECTS))) byId(SELECTS[kind]).addEventListener("change", () => this.choose(kind));
    byId("gear-camera-on").addEventListener("change", (/** @type {Event} */ event) => page.wantCamera(/** @type {HTMLInputElement} */ (event.target).checked));
    byId("gear-tone").addEventListener("click", () => this.play());
    navigator.mediaDevices?.addEventListener("devicechange", () => { if (this.dialog.open) this.preview(); });
  }

  open() {
    byId("gear-camera-on").checked = this.page.cameraWanted();
    this.dialog.showModal();
    this.preview();
  }

  async preview() {
    await Promise.all([this.see(), this.hear()]);
    await this.list(); // their names are told once one of them was allowed
  }

  /** @param {Kind} kind */
  async choose(kind) {
    choose(kind, byId(SELECTS[kind]).value);
    this.page.changed(kind);
    if (kind === "videoinput") await this.see();
    if (kind === "audioinput") await this.hear();
  }

  async see() {
    const track = await this.track("videoinput");
    const video = byId("gear-video");
    video.srcObject = track ? new MediaStream([track]) : null;
    video.dataset.works = String(Boolean(track));
  }

  async hear() {
    const track = await this.track("audioinput");
    clearInterval(this.timer);
    byId("gear-level").value = 0;
    if (!track) return;
    this.sound ??= new AudioContext();
    await this.sound.resume();
    const ear = new AnalyserNode(this.sound, { fftSize: 1024 });
    this.sound.createMediaStreamSource(new MediaStream([track])).connect(ear);
    const wave = new Float32Array(ear.fftSize);
    this.timer = window.setInterval(() => {
      ear.getFloatTimeDomainData(wave);
      byId("gear-level").value = Math.min(1, Math.max(...wave.map(Math.abs)) / LOUD);
    }, LEVEL_MS);
  }

  /** The one that is chosen, in the place of the one before; says why there is none. @param {"audioinput" | "videoinput"} kind */
  async track(kind) {
    const why = byId(kind === "audioinput" ? "gear-microphone-why" : "gear-video-why");
    this.tracks[kind]?.stop();
    delete this.tracks[kind];
    try {
      const track = await (kind === "audioinput" ? openMicrophone() : openCamera());
      if (!this.dialog.open) return void track.stop();
      this.tracks[kind] = track;
      const other = chosen(kind) && track.getSettings().deviceId !== chosen(kind);
      why.textContent = other ? t("The one you chose is not plugged in: another one is used.") : "";
      return track;
    } catch (error) {
      if (!(error instanceof NoDevice)) throw error;
      why.textContent = whyNot(kind, error.why);
      return null;
    }
  }

  async list() {
    const found = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    for (const [kind, id] of Object.entries(SELECTS)) {
      const options = found.filter((one) => one.kind === kind && one.deviceId && one.deviceId !== "default" && one.deviceId !== "communications");
      byId(id).replaceChildren(el("option", { value: "" }, t("As the system is set")), ...options.map((one, n) => el("option", { value: one.deviceId }, one.label || t("Device {n}", { n: n + 1 }))));
      byId(id).value = options.some((one) => one.deviceId === chosen(/** @type {Kind} */ (kind))) ? chosen(/** @type {Kind} */ (kind)) : "";
    }
    byId("gear-speaker-field").hidden = !("setSinkId" in HTMLMediaElement.prototype) || byId("gear-speaker").options.length < 2;
  }

  /** A tone where the voice of the machine will come from. */
  async play() {
    const sound = new AudioContext();
    const out = sound.createMediaStreamDestination();
    const tone = new OscillatorNode(sound, { frequency: 660 });
    tone.connect(new GainNode(sound, { gain: 0.2 })).connect(out);
    const player = new Audio();
    player.srcObject = out.stream;
    await player.setSinkId?.(chosen("audiooutput")).catch(() => {});
    await player.play().catch(() => {});
    tone.start();
    tone.stop(sound.currentTime + TONE_S);
    tone.addEventListener("ended", () => sound.close());
  }

  /** Nobody is watched or heard by a dialog that is closed. */
  stop() {
    clearInterval(this.timer);
    for (const track of Object.values(this.tracks)) track.stop();
    this.tracks = {};
    byId("gear-video").srcObject = null;
    this.sound?.close();
    this.sound = null;
  }
}
