// A recording with what was drawn over it: strokes, marks, pointers and screenshots in time, from the timeline beside the film.
//
// Its controls and keys, and what happened in it as a list; the picture itself is in player_view.js.
// Keys, while the focus is in the player: see KEYS.
//
// For tests: `.player` (data-drawings on | off | none | failed, data-shown: seconds of the frame that was painted last, data-snapshot), `.player video`,
// `.player canvas`, `.player [data-do]`, `.player-events button[data-kind][data-at]`, `.player-note`; `element.player` is the Player.

import { el, icon, t } from "./dom.js";
import { minutes } from "./format.js";
import { happened } from "./player_events.js";
import { FilmView } from "./player_view.js";
import { parse, Replay } from "./timeline.js";

/** @typedef {import("./player_view.js").Source} Source */

const MOST_BYTES = 64_000_000;
const JUMP_S = 5;
const FRAME_S = 1 / 30;
const SPEEDS = [1, 1.5, 2, 0.5];
const SOON_PX = "400px";

/** @type {Record<string, string>} */
const KEYS = { " ": "play", k: "play", arrowleft: "back", arrowright: "forward", ",": "frame-back", ".": "frame-on", d: "drawings", x: "mirror", t: "turn", s: "still", m: "mute",
  f: "full-screen", n: "next", p: "previous", home: "begin", end: "end" };

export class Player extends FilmView {
  /** @param {Source} source */
  constructor(source) {
    super(source);
    this.build();
    this.listen();
  }

  // --- what it is made of -----------------------------------------------------------------------------------------------

  build() {
    const { source } = this;
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
    this.element.append(this.stage, this.bar, this.note, this.events);
    Object.assign(this.element, { player: this });
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
}
