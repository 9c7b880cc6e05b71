// A recording with what was drawn over it: strokes, marks, pointers and screenshots in time, from the timeline beside the film.
//
// The picture itself is clean; what lies over it is painted for the very frame that is shown, by the same code as in the call.
// Keys, while the focus is in the player: see KEYS.
//
// For tests: `.player` (data-drawings on | off | none | failed, data-shown: seconds of the frame that was painted last, data-snapshot), `.player video`,
// `.player canvas`, `.player [data-do]`, `.player-events button[data-kind][data-at]`, `.player-note`; `element.player` is the Player.

import { el, icon, t } from "./dom.js";
import { minutes } from "./format.js";
import { fitTurned, toView } from "./geometry.js";
import { paintEdit, paintMark, paintPointer, paintStroke, prepared } from "./overlay.js";
import { happened } from "./player_events.js";
import { parse, Replay } from "./timeline.js";

/** @typedef {import("./geometry.js").View} View */
/** @typedef {import("./geometry.js").Fit} Fit */
/** @typedef {{title: string, film: string, timeline: string, timelineBytes: number, name: string, snapshots: Record<string, string>}} Source
 *   addresses within the desk; `snapshots`: of the originals, by the id that the timeline calls them; `name`: of the file, for stills */

const MOST_BYTES = 64_000_000;
const JUMP_S = 5;
const FRAME_S = 1 / 30;
const SPEEDS = [1, 1.5, 2, 0.5];
/** While a screenshot is open it is so wide, at the right; the live picture is in what is left. As in desk/files/burn.py. */
const SNAPSHOT_SHARE = 0.8;
const LIVE_HEIGHT = 0.3;
const GROUND = "#101010";
/** Labels have a fixed height; in a still they are as large as in a picture of this width. */
const STILL_PX = 960;
const SOON_PX = "400px";

/** @type {Record<string, string>} */
const KEYS = { " ": "play", k: "play", arrowleft: "back", arrowright: "forward", ",": "frame-back", ".": "frame-on", d: "drawings", x: "mirror", t: "turn", s: "still", m: "mute",
  f: "full-screen", n: "next", p: "previous", home: "begin", end: "end" };

export class Player {
  /** @param {Source} source */
  constructor(source) {
    this.source = source;
    this.drawings = true;
    this.mirrored = false;
    /** @type {import("./geometry.js").Turn} */
    this.turn = 0;
    /** @type {Replay | null} */
    this.replay = null;
    /** Of the frame that is shown. */
    this.shownS = 0;
    /** @type {Map<string, HTMLImageElement>} */
    this.images = new Map();
    this.build();
    this.listen();
  }

  // --- what it is made of -----------------------------------------------------------------------------------------------

  build() {
    const { source } = this;
    /** @type {HTMLVideoElement} */
    this.video = el("video", { preload: "metadata", playsinline: true, src: source.film, "aria-label": source.title });
    /** @type {HTMLCanvasElement} */
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.big = this.control("play", "play", t("Play"), { class: "player-big", tabindex: "-1" });
    this.stage = el("div", { class: "player-stage", "data-turn": "0" }, this.video, this.canvas, this.big);
    /** @type {HTMLInputElement} */
    this.slider = el("input", { type: "range", class: "player-slider", min: 0, max: 1, step: 0.01, value: 0, "aria-label": t("Position") });
    this.time = el("span", { class: "player-time" }, "0:00");
    this.playing = this.control("play", "play", t("Play"), { "aria-keyshortcuts": "Space K" });
    this.bar = el("div", { class: "player-bar" }, this.playing, this.slider, this.time,
      el("div", { class: "player-tools" }, this.toggle("drawings", "pen", t("Drawings"), "D", true), this.toggle("mirror", "mirror", t("Mirror"), "X"), this.control("turn", "turn", t("Turn"), { "aria-keyshortcuts": "T" }),
        this.control("still", "snapshot", t("Save this picture"), { "aria-keyshortcuts": "S" }), this.toggle("mute", "sound", t("Mute"), "M"), this.speed(), this.toggle("full-screen", "full-screen", t("Full screen"), "F")));
    this.note = el("p", { class: "player-note", role: "status", hidden: true });
    this.list = el("ol");
    this.events = el("details", { class: "player-events", hidden: true }, el("summary", {}, t("What happened")), this.list);
    this.element = el("div", { class: "player", role: "group", "aria-label": source.title, "data-drawings": source.timeline ? "on" : "none" }, this.stage, this.bar, this.note, this.events);
    this.element.player = this;
    this.button("drawings").hidden = !source.timeline;
  }

  /** @param {string} what @param {string} iconName @param {string} label @param {Record<string, unknown>} [more] */
  control(what, iconName, label, more = {}) {
    return el("button", { type: "button", class: "player-button", "data-do": what, "aria-label": label, title: label, onclick: () => this.act(what), ...more }, icon(iconName));
  }

  /** @param {string} what @param {string} iconName @param {string} label @param {string} key @param {boolean} [pressed] */
  toggle(what, iconName, label, key, pressed = false) {
    return this.control(what, iconName, label, { "aria-pressed": String(pressed), "aria-keyshortcuts": key, title: `${label} (${key})` });
  }

  speed() {
    return el("button", { type: "button", class: "player-button player-speed", "data-do": "speed", "aria-label": t("Speed"), title: t("Speed"), onclick: () => this.act("speed") }, "1×");
  }

  /** @param {string} what @returns {HTMLElement} of the bar */
  button(what) {
    return /** @type {HTMLElement} */ (this.bar.querySelector(`[data-do="${what}"]`));
  }

  listen() {
    const { video } = this;
    for (const kind of ["play", "pause", "ended"]) video.addEventListener(kind, () => this.showPlaying());
    for (const kind of ["durationchange", "progress", "loadedmetadata"]) video.addEventListener(kind, () => this.showTime());
    video.addEventListener("timeupdate", () => { this.showTime(); if (!this.watches) this.paintAt(video.currentTime); });
    video.addEventListener("seeked", () => { if (!this.watches) this.paintAt(video.currentTime); });
    video.addEventListener("error", () => this.broken());
    this.stage.addEventListener("click", (/** @type {MouseEvent} */ event) => { if (!(/** @type {Element} */ (event.target)).closest("button")) this.act("play"); });
    this.slider.addEventListener("input", () => this.seek(Number(this.slider.value)));
    this.element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.key(event));
    document.addEventListener("fullscreenchange", () => this.press("full-screen", document.fullscreenElement === this.element));
    new ResizeObserver(() => this.paint()).observe(this.canvas);
    const soon = new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) { soon.disconnect(); this.load(); } }, { rootMargin: SOON_PX });
    soon.observe(this.element);
    this.watch();
  }

  /** Each frame that the browser shows, with its own time; browsers that cannot tell are painted for by the clock of the film. */
  watch() {
    this.watches = "requestVideoFrameCallback" in this.video;
    if (!this.watches) return;
    this.video.requestVideoFrameCallback((_, { mediaTime }) => {
      this.paintAt(mediaTime);
      this.watch();
    });
  }

  // --- the timeline -------------------------------------------------------------------------------------------------------

  async load() {
    if (!this.source.timeline || this.replay) return;
    this.tell("");
    if (this.source.timelineBytes > MOST_BYTES) return this.lost(t("There is too much drawn in this recording to be shown here."), false);
    const text = await fetch(this.source.timeline, { credentials: "same-origin" }).then((answer) => (answer.ok ? answer.text() : null)).catch(() => null);
    if (text === null) return this.lost(t("The drawings could not be loaded; the recording plays without them."), true);
    const { lines, bad } = parse(text);
    this.replay = new Replay(lines);
    this.element.dataset.drawings = this.drawings ? "on" : "off";
    if (bad) this.tell(lines.length ? t("The list of drawings is damaged. Entries left out: {n}.", { n: bad }) : t("The list of drawings is damaged and cannot be read; the recording plays without it."));
    this.listEvents();
    this.paint();
  }

  /** @param {string} text @param {boolean} again */
  lost(text, again) {
    this.element.dataset.drawings = "failed";
    this.tell(text);
    if (again) this.note.append(" ", el("button", { type: "button", class: "player-link", onclick: () => this.load() }, t("Try again")));
  }

  /** @param {string} text "": nothing */
  tell(text) {
    this.note.hidden = !text;
    this.note.textContent = text;
  }

  /** The film itself: cut off, damaged, or of a kind that this browser does not know. */
  broken() {
    const { video } = this;
    const at = minutes(video.currentTime);
    this.tell(video.readyState || video.currentTime ? t("The recording is damaged or cut off at {time}.", { time: at }) : t("The recording cannot be played here. It can be downloaded."));
  }

  listEvents() {
    const { events } = /** @type {Replay} */ (this.replay);
    this.events.hidden = !events.length;
    this.events.querySelector("summary").textContent = t("What happened ({n})", { n: events.length });
    this.list.replaceChildren(...events.map((event) => el("li", {}, el("button", { type: "button", "data-kind": event.kind, "data-at": event.atS, onclick: () => this.seek(event.atS) },
      el("span", { class: "numbers" }, minutes(event.atS)), happened(event)))));
  }

  // --- what the reader does -----------------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const what = KEYS[event.key.toLowerCase()];
    if (!what || event.ctrlKey || event.metaKey || event.altKey || (event.key === " " && target.closest("button, summary"))) return;
    event.preventDefault();
    event.stopPropagation();
    this.act(what);
  }

  /** @param {string} what */
  act(what) {
    const { video } = this;
    switch (what) {
      case "play": video.paused ? video.play().catch(() => {}) : video.pause(); break; // a film that cannot be played has said so
      case "back": this.seek(video.currentTime - JUMP_S); break;
      case "forward": this.seek(video.currentTime + JUMP_S); break;
      case "frame-back": video.pause(); this.seek(this.shownS - FRAME_S); break;
      case "frame-on": video.pause(); this.seek(this.shownS + 1.5 * FRAME_S); break;
      case "begin": this.seek(0); break;
      case "end": this.seek(this.duration); break;
      case "next": case "previous": this.jump(what === "next"); break;
      case "drawings": this.drawings = !this.drawings; if (this.replay) this.element.dataset.drawings = this.drawings ? "on" : "off"; this.press(what, this.drawings); this.paint(); break;
      case "mirror": this.mirrored = !this.mirrored; this.stage.classList.toggle("mirrored", this.mirrored); this.press(what, this.mirrored); this.paint(); break;
      case "turn": this.turn = /** @type {import("./geometry.js").Turn} */ ((this.turn + 90) % 360); this.stage.dataset.turn = String(this.turn); this.paint(); break;
      case "mute": video.muted = !video.muted; this.press(what, video.muted); this.button(what).replaceChildren(icon(video.muted ? "sound-off" : "sound")); break;
      case "speed": video.playbackRate = SPEEDS[(SPEEDS.indexOf(video.playbackRate) + 1) % SPEEDS.length]; this.button(what).textContent = `${video.playbackRate.toLocaleString(document.documentElement.lang)}×`; break;
      case "still": this.still(); break;
      case "full-screen": (document.fullscreenElement ? document.exitFullscreen() : this.element.requestFullscreen?.())?.catch(() => {}); break;
    }
  }

  /** @param {string} what @param {boolean} on */
  press(what, on) {
    this.button(what).setAttribute("aria-pressed", String(on));
  }

  /** @param {boolean} next else the one before */
  jump(next) {
    const times = (this.replay?.events ?? []).map(({ atS }) => atS);
    const at = next ? times.find((one) => one > this.video.currentTime + 0.05) : times.findLast((one) => one < this.video.currentTime - (this.video.paused ? 0.05 : 1.5));
    if (at !== undefined) this.seek(at);
  }

  /** @param {number} at */
  seek(at) {
    this.video.currentTime = Math.min(Math.max(0, at), this.duration);
    this.showTime();
  }

  /** A recording that was cut off may not say how long it is. */
  get duration() {
    const { duration, seekable } = this.video;
    if (Number.isFinite(duration) && duration > 0) return duration;
    return Math.max(seekable.length ? seekable.end(seekable.length - 1) : 0, this.replay?.events.at(-1)?.atS ?? 0, 0.01);
  }

  showPlaying() {
    const on = !this.video.paused && !this.video.ended;
    this.element.classList.toggle("is-playing", on);
    for (const one of [this.playing, this.big]) {
      one.replaceChildren(icon(on ? "pause" : "play"));
      one.setAttribute("aria-label", on ? t("Pause") : t("Play"));
      one.title = on ? t("Pause") : t("Play");
    }
  }

  showTime() {
    const { currentTime } = this.video;
    this.slider.max = String(this.duration);
    if (document.activeElement !== this.slider || !this.slider.matches(":active")) this.slider.value = String(currentTime);
    const text = `${minutes(currentTime)} / ${minutes(this.duration)}`;
    if (this.time.textContent !== text) this.time.textContent = text;
    this.slider.setAttribute("aria-valuetext", t("{at} of {all}", { at: minutes(currentTime), all: minutes(this.duration) }));
  }

  // --- painting -------------------------------------------------------------------------------------------------------------

  /** @param {number} at seconds of the frame that is shown */
  paintAt(at) {
    this.shownS = at;
    this.paint();
  }

  paint() {
    const context = prepared(this.canvas);
    if (!context) return;
    this.compose(context, this.canvas.clientWidth, this.canvas.clientHeight);
    this.element.dataset.shown = this.shownS.toFixed(3);
  }

  /** What lies over the frame that is shown. @param {CanvasRenderingContext2D} context @param {number} width @param {number} height of the place */
  compose(context, width, height) {
    if (!this.replay || !this.drawings) return;
    const snapshot = this.replay.snapshot(this.shownS);
    const image = snapshot && this.image(snapshot.id);
    this.element.dataset.snapshot = snapshot && image ? snapshot.id : "";
    if (snapshot && image) this.composeSnapshot(context, image, snapshot.edits, width, height);
    else this.composeLive(context, this.viewIn({ x: 0, y: 0, width, height }, this.video.videoWidth, this.video.videoHeight));
  }

  /** @param {CanvasRenderingContext2D} context @param {View} view */
  composeLive(context, view) {
    const { strokes, marks, pointers } = /** @type {Replay} */ (this.replay).overlay(this.shownS);
    for (const mark of marks) paintMark(context, { ...mark, name: mark.label || t("Mark {n}", { n: mark.number }) }, view);
    for (const stroke of strokes) paintStroke(context, stroke, view, 1000 * this.shownS);
    for (const pointer of pointers) paintPointer(context, pointer, view);
  }

  /** As everybody saw it then: the screenshot with what was drawn on it, and the live picture beside it. @param {CanvasRenderingContext2D} context @param {HTMLImageElement} image @param {import("./overlay.js").Edit[]} edits @param {number} width @param {number} height */
  composeSnapshot(context, image, edits, width, height) {
    const wide = SNAPSHOT_SHARE * width;
    context.fillStyle = GROUND;
    context.fillRect(0, 0, width, height);
    const view = this.viewIn({ x: width - wide, y: 0, width: wide, height }, image.naturalWidth, image.naturalHeight);
    this.drawPicture(context, image, view);
    for (const edit of edits) paintEdit(context, edit, view);
    this.drawPicture(context, this.video, this.viewIn({ x: 0, y: 0, width: width - wide, height: LIVE_HEIGHT * height }, this.video.videoWidth, this.video.videoHeight));
  }

  /** How a picture of this size is seen in a part of the canvas. @param {Fit} part @param {number} width @param {number} height @returns {View} */
  viewIn(part, width, height) {
    const fit = fitTurned(part.width, part.height, width, height, this.turn);
    return { fit: { ...fit, x: part.x + fit.x, y: part.y + fit.y }, mirrored: this.mirrored, turn: this.turn };
  }

  /** @param {CanvasRenderingContext2D} context @param {CanvasImageSource} picture @param {View} view */
  drawPicture(context, picture, { fit, mirrored, turn = 0 }) {
    const [width, height] = turn % 180 ? [fit.height, fit.width] : [fit.width, fit.height];
    context.save();
    context.translate(...toView([0.5, 0.5], fit, false));
    context.scale(mirrored ? -1 : 1, 1);
    context.rotate((turn * Math.PI) / 180);
    context.drawImage(picture, -width / 2, -height / 2, width, height);
    context.restore();
  }

  /** A screenshot's original as soon as it is there; null until then, and where the desk does not have it. @param {string} id @returns {HTMLImageElement | null} */
  image(id) {
    const address = this.source.snapshots[id];
    if (!address) return null;
    let image = this.images.get(id);
    if (!image) {
      image = new Image();
      image.onload = () => this.paint();
      image.src = address;
      this.images.set(id, image);
    }
    return image.complete && image.naturalWidth ? image : null;
  }

  // --- a still --------------------------------------------------------------------------------------------------------------

  /** The very frame that is shown, as it is seen, in the film's full size. */
  async still() {
    const blob = await this.picture();
    if (!blob) return this.tell(t("There is no picture to save yet."));
    const address = URL.createObjectURL(blob);
    const at = `${Math.floor(this.shownS / 60)}m${(this.shownS % 60).toFixed(2).padStart(5, "0")}s`;
    el("a", { href: address, download: `${this.source.name.replace(/\.[^.]*$/, "")}-${at}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }

  /** @returns {Promise<Blob | null>} PNG; null while nothing is shown */
  async picture() {
    const { video } = this;
    const [width, height] = this.turn % 180 ? [video.videoHeight, video.videoWidth] : [video.videoWidth, video.videoHeight];
    const paper = /** @type {HTMLCanvasElement} */ (el("canvas", { width, height }));
    const context = paper.getContext("2d");
    if (!context || !width || video.readyState < 2) return null;
    if (!video.paused && this.watches) await new Promise((shown) => { video.requestVideoFrameCallback((_, { mediaTime }) => { this.shownS = mediaTime; shown(null); }); });
    this.drawPicture(context, video, this.viewIn({ x: 0, y: 0, width, height }, video.videoWidth, video.videoHeight));
    const scale = Math.max(1, width / STILL_PX);
    [context.lineJoin, context.lineCap] = ["round", "round"];
    context.scale(scale, scale);
    this.compose(context, width / scale, height / scale);
    return new Promise((made) => { paper.toBlob(made, "image/png"); });
  }
}
