// The tools over the live picture: pen, mark, pointer; what others draw; the marks' poses for the frame that is shown.
//
// For tests: `window.desk.tools`: `.tool`, `.mirrored`, `.turn`, `.pinned`, `.strokes` (Map), `.marks` (Map), `.fit()`; `#overlay`; `#mark-list li[data-id][data-state]`;
// `#picture[data-tool][data-turn]`, `#picture.mirrored`; `<canvas id=overlay data-strokes data-marks>` count what was painted last.

import { byId, el, icon, keyed, t } from "./dom.js";
import { newId } from "./channel.js";
import { boxOf, carried, clamped, fitTurned, inverse, isInside, posesFor, product, toFrame, toView } from "./geometry.js";
import { paintBox, paintCross, paintMark, paintPointer, paintStroke, prepared } from "./overlay.js";

/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./overlay.js").Stroke & {pinned?: boolean, pin?: {anchor: number, matrix: number[]} | null}} Stroke */
/** @typedef {import("./geometry.js").Turn} Turn */
/** @typedef {import("./call.js").Call} Call */
/** @typedef {"pen" | "mark" | "pointer"} Tool */
/** @typedef {{id: string, by: string, colour: string, label: string, state: string, number: number, quad: Point[] | null}} MarkKept */

const BATCH_MS = 40;
const MAX_POINTS = 150;
const FADE_S = 4;
const TAP_PX = 10;
const POINTER_GONE_MS = 4000;
const CROSS_STEP = 0.02;
const MAX_STROKES = 200;

export class Tools {
  /** @param {Call} call */
  constructor(call) {
    this.call = call;
    /** @type {HTMLCanvasElement} */
    this.canvas = byId("overlay");
    /** @type {HTMLElement} */
    this.picture = byId("picture");
    /** @type {Tool} */
    this.tool = "pen";
    this.mirrored = false;
    /** How far the picture is turned, clockwise: for cameras that are mounted sideways. @type {Turn} */
    this.turn = 0;
    /** Whether strokes are pinned to the scene. */
    this.pinned = false;
    /** How the scene lies in the frame that is shown. @type {{anchor: number, matrix: number[]} | null} */
    this.motion = null;
    this.colour = "#ffd23f";
    /** How long strokes stay in this call, as the kiosk is set. */
    this.fadeS = FADE_S;
    /** @type {Map<string, Stroke>} */
    this.strokes = new Map();
    /** @type {Map<string, MarkKept>} */
    this.marks = new Map();
    /** @type {Map<string, {colour: string, by: string, at: Point, seenMs: number}>} */
    this.pointers = new Map();
    /** What the hand is doing. @type {{id: string, from: Point, now: Point, start: Point, waiting: Point[], sentMs: number, t: number | null} | null} */
    this.hand = null;
    /** @type {Point | null} */
    this.cross = null;
    this.pointerSentMs = 0;
    this.numbers = 0;
    this.frameRequested = false;
    this.listen();
  }

  listen() {
    const { canvas } = this;
    this.end = new AbortController();
    const { signal } = this.end;
    canvas.addEventListener("pointerdown", (event) => this.down(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.move(event), { signal });
    canvas.addEventListener("pointerup", (event) => this.up(event), { signal });
    canvas.addEventListener("pointercancel", (event) => this.up(event), { signal });
    canvas.addEventListener("pointerleave", () => this.pointAway(), { signal });
    canvas.addEventListener("keydown", (event) => this.key(event), { signal });
    canvas.addEventListener("blur", () => { this.cross = null; this.repaint(); }, { signal });
    this.call.video.addEventListener("resize", () => this.repaint(), { signal }); // another size of the same picture
    const sizes = new ResizeObserver(() => this.repaint());
    sizes.observe(canvas);
    signal.addEventListener("abort", () => sizes.disconnect());
    for (const kind of ["frame", "poses"]) this.call.on(kind, () => this.repaint());
    this.call.on("message", (message) => this.take(message));
  }

  stop() {
    this.end?.abort();
    this.clear();
  }

  /** Where the visible picture lies in the canvas. */
  fit() {
    const { video } = this.call;
    return fitTurned(this.canvas.clientWidth, this.canvas.clientHeight, video.videoWidth, video.videoHeight, this.turn);
  }

  /** How the frame is seen. @returns {import("./geometry.js").View} */
  get seen() {
    return { fit: this.fit(), mirrored: this.mirrored, turn: this.turn };
  }

  /** @param {PointerEvent} event @returns {Point} of the frame */
  pointOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return toFrame([event.clientX - box.left, event.clientY - box.top], this.fit(), this.mirrored, this.turn);
  }

  /** @param {Tool} tool */
  choose(tool) {
    this.tool = tool;
    this.picture.dataset.tool = tool;
    this.pointAway();
  }

  /** Only this view: what is sent stays in the sent frame. @param {boolean} on */
  mirror(on) {
    this.mirrored = on;
    this.picture.classList.toggle("mirrored", on);
    this.repaint();
  }

  /** Only this view, too. @param {Turn} turn */
  turnTo(turn) {
    this.turn = turn;
    this.picture.dataset.turn = String(turn);
    this.repaint();
  }

  // --- the hand -------------------------------------------------------------------------------------------------------

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button !== 0 || this.hand) return;
    const at = this.pointOf(event);
    if (!isInside(at)) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.hand = { id: newId(), from: at, now: at, start: [event.clientX, event.clientY], waiting: [], sentMs: performance.now(), t: this.call.frameTime };
    if (this.tool === "pen") this.beginStroke(this.hand.id, at);
    if (this.tool === "pointer") this.point(at);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const at = this.pointOf(event);
    if (this.tool === "pointer") return this.point(clamped(at));
    if (!this.hand) return;
    this.hand.now = at;
    if (this.tool === "pen") {
      const finer = event.getCoalescedEvents?.() ?? [];
      for (const one of finer.length ? finer : [event]) this.draw(clamped(this.pointOf(one)));
    }
    this.repaint();
  }

  /** @param {PointerEvent} event */
  up(event) {
    const { hand } = this;
    this.hand = null;
    if (!hand) return;
    if (this.tool === "pen") return this.endStroke(hand);
    if (this.tool === "mark" && event.type === "pointerup") {
      const far = Math.hypot(event.clientX - hand.start[0], event.clientY - hand.start[1]) > TAP_PX;
      this.mark(hand.t, far ? { box: boxOf(hand.from, this.pointOf(event)) } : { at: hand.from });
    }
    if (this.tool === "pointer" && event.pointerType === "touch") this.pointAway();
    this.repaint();
  }

  /** The keyboard moves a cross and marks with Enter. @param {KeyboardEvent} event */
  key(event) {
    const steps = /** @type {Record<string, Point>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });
    const step = steps[event.key];
    if (step) {
      const reach = CROSS_STEP * (event.shiftKey ? 4 : 1);
      const unit = { x: 0, y: 0, width: 1, height: 1 };
      const [x, y] = toView(this.cross ?? [0.5, 0.5], unit, this.mirrored, this.turn);
      this.cross = clamped(toFrame([x + step[0] * reach, y + step[1] * reach], unit, this.mirrored, this.turn));
      if (this.tool === "pointer") this.point(this.cross);
    } else if (event.key === "Enter" && this.cross) {
      this.mark(this.call.frameTime, { at: this.cross });
    } else return;
    event.preventDefault();
    this.repaint();
  }

  /** @param {string} id @param {Point} at */
  beginStroke(id, at) {
    this.addStroke(id, this.colour, at, true, this.pinned);
    this.call.say({ kind: "stroke-begin", id, at, ...(this.pinned && { pinned: true }), ...this.named(this.hand?.t ?? null) });
    this.repaint();
  }

  /** Drawn here at once; told in batches. @param {Point} at */
  draw(at) {
    const { hand } = this;
    const stroke = hand && this.strokes.get(hand.id);
    if (!hand || !stroke) return;
    // of a pinned stroke: where the point would lie in the frame that it began on
    const [point] = stroke.carried ? carried([at], inverse(stroke.carried)) : [at];
    if (!point) return;
    stroke.points.push(point);
    hand.waiting.push(/** @type {Point} */ (point.map((value) => Math.round(Math.min(1.5, Math.max(-0.5, value)) * 1e5) / 1e5)));
    if (hand.waiting.length >= MAX_POINTS || performance.now() - hand.sentMs >= BATCH_MS) this.flush(hand);
    else if (hand.waiting.length === 1) setTimeout(() => this.flush(hand), BATCH_MS);
  }

  /** @param {NonNullable<Tools["hand"]>} hand */
  flush(hand) {
    hand.sentMs = performance.now();
    const points = hand.waiting.splice(0);
    if (points.length) this.call.say({ kind: "stroke-points", id: hand.id, points, ...this.named(this.call.frameTime) });
  }

  /** @param {NonNullable<Tools["hand"]>} hand */
  endStroke(hand) {
    this.flush(hand);
    this.call.say({ kind: "stroke-end", id: hand.id, fade_s: this.fadeS, ...this.named(this.call.frameTime) });
    this.fade(hand.id, this.fadeS);
  }

  /** @param {number | null} time of the frame that was seen @param {{at?: Point, box?: [Point, Point]}} where */
  mark(time, where) {
    this.call.say({ kind: "mark-create", id: newId(), ...where, ...this.named(time) });
  }

  /** @param {Point} at */
  point(at) {
    if (performance.now() - this.pointerSentMs < BATCH_MS) return;
    this.pointerSentMs = performance.now();
    this.pointers.set("", { colour: this.colour, by: "", at, seenMs: this.pointerSentMs });
    this.call.say({ kind: "pointer", at, ...this.named(this.call.frameTime) });
    this.repaint();
  }

  pointAway() {
    if (!this.pointers.delete("")) return;
    this.call.say({ kind: "pointer", at: null });
    this.repaint();
  }

  /** @param {number | null} time */
  named(time) {
    return time === null ? {} : { t: time };
  }

  // --- what the kiosk says --------------------------------------------------------------------------------------------

  /** @param {import("./channel.js").Message} message */
  take(message) {
    switch (message.kind) {
      case "hello": this.clear(); this.colour = message.colour; this.fadeS = message.fade_s ?? FADE_S; break; // all that is on the picture follows
      case "stroke-begin": if (!this.strokes.has(message.id)) this.addStroke(message.id, message.colour ?? "#ffffff", message.at, false, message.pinned ?? false); break;
      case "stroke-points": this.addPoints(message.id, message.points); break;
      case "stroke-end": this.fade(message.id, message.fade_s ?? FADE_S); break;
      case "stroke-pin": this.takePin(/** @type {any} */ (message)); break;
      case "pointer": this.takePointer(/** @type {any} */ (message)); break;
      case "mark": this.takeMark(/** @type {any} */ (message)); break;
      case "mark-gone": this.marks.delete(message.id); this.listMarks(); break;
      default: return;
    }
    this.repaint();
  }

  /** @param {{id: string, anchor: number, matrix: number[]}} pin */
  takePin({ id, anchor, matrix }) {
    const stroke = this.strokes.get(id);
    if (stroke && matrix.length === 9) stroke.pin = { anchor, matrix };
  }

  /** @param {string} id @param {string} colour @param {Point} at @param {boolean} mine @param {boolean} pinned */
  addStroke(id, colour, at, mine, pinned) {
    if (this.strokes.size >= MAX_STROKES) this.strokes.delete(/** @type {string} */ (this.strokes.keys().next().value));
    this.strokes.set(id, { id, colour, points: [at], endedMs: null, fadeS: FADE_S, mine, pinned, pin: null, carried: null });
  }

  /** @param {string} id @param {Point[]} points */
  addPoints(id, points) {
    const stroke = this.strokes.get(id);
    if (stroke && !stroke.mine) stroke.points.push(...points);
  }

  /** @param {string} id @param {number} fadeS */
  fade(id, fadeS) {
    const stroke = this.strokes.get(id);
    const now = performance.now();
    const leftS = stroke && stroke.endedMs !== null ? stroke.fadeS - (now - stroke.endedMs) / 1000 : Infinity;
    if (!stroke || leftS <= fadeS) return; // one whose scene is lost goes sooner than it was told first
    stroke.endedMs = now;
    stroke.fadeS = fadeS;
    this.repaint();
  }

  /** @param {{by?: string, colour?: string, at?: Point | null}} message */
  takePointer({ by = "", colour = "#ffffff", at = null }) {
    const key = `of ${by}`;
    if (at) this.pointers.set(key, { by, colour, at, seenMs: performance.now() });
    else this.pointers.delete(key);
  }

  /** @param {{id: string, by: string, colour: string, label: string, state: string}} message */
  takeMark(message) {
    const known = this.marks.get(message.id);
    this.marks.set(message.id, { ...message, number: known?.number ?? ++this.numbers, quad: known?.quad ?? null });
    this.listMarks();
  }

  clear() {
    for (const map of [this.strokes, this.marks, this.pointers]) map.clear();
    this.numbers = 0;
    this.listMarks();
    this.repaint();
  }

  /** @param {MarkKept} mark */
  nameOf(mark) {
    return mark.label || t("Mark {n}", { n: mark.number });
  }

  listMarks() {
    keyed(byId("mark-list"), [...this.marks.values()].map((mark) => ({ key: mark.id, sign: [mark.state, mark.label, mark.colour], make: () => this.markItem(mark) })));
  }

  /** @param {MarkKept} mark */
  markItem(mark) {
    const words = { tracked: "", unsure: t("unsure"), lost: t("lost"), found: t("found again") }[mark.state] ?? "";
    const swatch = el("span", { class: "swatch" });
    swatch.style.background = mark.colour;
    return el("li", { "data-id": mark.id, "data-state": mark.state }, swatch, this.nameOf(mark), words && el("span", { class: "lost" }, words),
      el("button", { type: "button", id: `remove-${mark.id}`, "aria-label": t("Remove {name}", { name: this.nameOf(mark) }), title: t("Remove {name}", { name: this.nameOf(mark) }),
        onclick: () => this.call.say({ kind: "mark-remove", id: mark.id }) }, icon("close")));
  }

  // --- painting -------------------------------------------------------------------------------------------------------

  repaint() {
    if (this.frameRequested) return;
    this.frameRequested = true;
    requestAnimationFrame((now) => { this.frameRequested = false; this.paint(now); });
  }

  /** @param {number} now */
  paint(now) {
    const context = prepared(this.canvas);
    if (!context) return;
    const view = this.seen;
    const poses = posesFor(this.call.channels?.poses ?? [], this.call.frameTime);
    for (const pose of poses?.marks ?? []) {
      const mark = this.marks.get(pose.id);
      if (mark) [mark.quad, mark.state] = [pose.quad, pose.state];
    }
    this.carry(poses?.motion ?? null);
    for (const mark of this.marks.values()) paintMark(context, { ...mark, name: this.nameOf(mark) }, view);
    for (const stroke of this.strokes.values()) paintStroke(context, stroke, view, now);
    for (const pointer of this.pointers.values()) paintPointer(context, pointer, view);
    if (this.hand && this.tool === "mark") paintBox(context, [this.hand.from, this.hand.now], this.colour, view);
    if (this.cross) paintCross(context, this.cross, view);
    this.canvas.dataset.strokes = String(this.strokes.size);
    this.canvas.dataset.marks = String(this.marks.size);
    this.forget(now);
  }

  /** Pinned strokes follow the scene; where it is not known for this frame they stay where they were last. @param {{anchor: number, matrix: number[]} | null} motion */
  carry(motion) {
    this.motion = motion;
    for (const stroke of this.strokes.values()) if (motion && stroke.pin?.anchor === motion.anchor) stroke.carried = product(motion.matrix, stroke.pin.matrix);
  }

  /** Takes away what has faded, and paints on while something still does. @param {number} now */
  forget(now) {
    for (const [id, stroke] of this.strokes) if (stroke.endedMs !== null && now - stroke.endedMs > stroke.fadeS * 1000) this.strokes.delete(id);
    for (const [key, pointer] of this.pointers) if (key && now - pointer.seenMs > POINTER_GONE_MS) this.pointers.delete(key);
    const fading = [...this.strokes.values()].some((stroke) => stroke.endedMs !== null);
    if (fading || this.pointers.size) this.repaint();
  }
}
