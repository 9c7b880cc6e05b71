// The snapshot that is open for everybody: shown full, edited together; the live picture goes on small beside it.
//
// What is done here is told to the kiosk, which puts it in order and tells everybody: that acknowledges it. What is not acknowledged yet is
// kept, drawn paler, and told again after a lost link; the kiosk takes each once.
//
// For tests: `#snapshot-view` (hidden while there is none; `data-id`, `data-edits`, `data-unsent`, `data-tool`), `#snapshot-tools button[data-tool]`,
// `#snapshot-undo`, `#snapshot-close`, `#snapshot-text-form`, `#snapshot-text`.

import { byId, t } from "./dom.js";
import { newId } from "./channel.js";
import { clamped, fitTurned, isInside, simplified, toFrame, toView } from "./geometry.js";
import { toast } from "./notify.js";
import { distanceTo, paintEdit, prepared } from "./overlay.js";

/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./channel.js").Message} Message */
/** @typedef {import("./overlay.js").EditTool | "delete"} SnapshotTool */
/** @typedef {import("./overlay.js").Edit & {id: string, snapshot: string, stale?: boolean}} Edit */

/** An edit is one message of at most 16 kB. */
const MAX_POINTS = 700;
const TOLERANCE = 0.0006;
/** A shorter arrow or box is a tap, and nothing. */
const SHORTEST_PX = 12;
const FINGER_PX = 22;
/** After a new connection the kiosk tells at once what is open; where nothing comes for so long, nothing is. */
const DOUBT_MS = 3000;
const REPLAYED_MS = 1000;
const PALE = 0.55;

export class SnapshotView {
  /** @param {import("./call.js").Call} call @param {import("./tools.js").Tools} tools */
  constructor(call, tools) {
    this.call = call;
    this.tools = tools;
    this.view = byId("snapshot-view");
    /** @type {HTMLCanvasElement} */
    this.picture = byId("snapshot-picture");
    /** @type {HTMLCanvasElement} */
    this.overlay = byId("snapshot-overlay");
    /** @type {HTMLInputElement} */
    this.input = byId("snapshot-text");
    /** @type {{id: string, by: string, width: number, height: number} | null} */
    this.open = null;
    /** @type {SnapshotTool} */
    this.tool = "pen";
    /** Acknowledged, in the kiosk's order. @type {Map<string, Edit>} */
    this.edits = new Map();
    /** Told and not acknowledged, by what acknowledges it. @type {Map<string, Message>} */
    this.waiting = new Map();
    /** @type {Point[] | null} */
    this.drawing = null;
    /** Where the text that is being typed goes. @type {Point | null} */
    this.place = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.doubt = undefined;
    this.end = new AbortController();
    /** What was not acknowledged when the page was loaded again. @type {{id: string, waiting: [string, Message][]} | null} */
    this.kept = JSON.parse(sessionStorage.getItem(this.keptKey) ?? "null");
    sessionStorage.removeItem(this.keptKey);
    this.listen(this.end.signal);
    this.choose("pen");
  }

  get keptKey() {
    return `desk.edits.${this.call.session}`;
  }

  keep() {
    if (this.open && this.waiting.size) sessionStorage.setItem(this.keptKey, JSON.stringify({ id: this.open.id, waiting: [...this.waiting] }));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    window.addEventListener("pagehide", () => this.keep(), { signal });
    const { overlay, call } = this;
    overlay.addEventListener("pointerdown", (event) => this.down(event), { signal });
    overlay.addEventListener("pointermove", (event) => this.move(event), { signal });
    overlay.addEventListener("pointerup", () => this.up(), { signal });
    overlay.addEventListener("pointercancel", () => this.up(), { signal });
    for (const button of this.buttons) button.addEventListener("click", () => this.choose(/** @type {SnapshotTool} */ (button.dataset.tool)), { signal });
    byId("snapshot-undo").addEventListener("click", () => this.undo(), { signal });
    byId("snapshot-close").addEventListener("click", () => this.call.say({ kind: "snapshot-close" }), { signal });
    byId("snapshot-text-form").addEventListener("submit", (/** @type {Event} */ event) => { event.preventDefault(); this.write(); }, { signal });
    this.input.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); this.askText(null); } }, { signal });
    const sizes = new ResizeObserver(() => this.paint());
    sizes.observe(overlay);
    signal.addEventListener("abort", () => sizes.disconnect());
    call.on("message", (message) => this.take(message));
    call.on("picture", ({ id, blob }) => this.show(id, blob));
  }

  /** @returns {HTMLElement[]} */
  get buttons() {
    return [...byId("snapshot-tools").querySelectorAll("button[data-tool]")];
  }

  stop() {
    this.end.abort();
    this.close();
  }

  /** @param {SnapshotTool} tool */
  choose(tool) {
    this.tool = tool;
    this.view.dataset.tool = tool;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    this.askText(null);
  }

  /** The frame that is seen now. */
  shoot() {
    const { frameTime } = this.call;
    this.call.say({ kind: "snapshot-take", ...(frameTime === null ? {} : { t: frameTime }) });
  }

  // --- what is done here ----------------------------------------------------------------------------------------------

  /** Told until it is acknowledged. @param {string} key of what acknowledges it @param {Message} message */
  ask(key, message) {
    this.waiting.set(key, message);
    this.call.say(message);
    this.paint();
  }

  /** @param {Omit<Edit, "id" | "snapshot" | "colour">} edit */
  add(edit) {
    if (!this.open) return;
    const id = newId();
    this.ask(id, { kind: "edit", id, snapshot: this.open.id, ...edit });
  }

  undo() {
    if (!this.open) return;
    const op = newId();
    this.ask(op, { kind: "undo", snapshot: this.open.id, op });
  }

  /** Takes away the edit that is nearest to a place on the screen, the topmost first. @param {Point} at of the picture */
  remove(at) {
    if (!this.open) return;
    const view = this.seen;
    const place = toView(at, view.fit, view.mirrored, view.turn);
    const near = [...this.edits.values()].reverse().map((edit) => ({ edit, far: distanceTo(edit, place, view) })).filter(({ far }) => far < FINGER_PX);
    const nearest = near.sort((a, b) => a.far - b.far)[0]?.edit;
    if (nearest) this.ask(`gone ${nearest.id}`, { kind: "edit-delete", snapshot: this.open.id, id: nearest.id });
  }

  /** Asks for the words of a text that goes to `place`; null: not any more. @param {Point | null} place */
  askText(place) {
    this.place = place;
    byId("snapshot-text-form").hidden = !place;
    this.input.value = "";
    if (place) this.input.focus();
    this.paint();
  }

  write() {
    const text = this.input.value.trim();
    if (text && this.place) this.add({ tool: "text", points: [this.place], text });
    this.askText(null);
  }

  // --- what the kiosk says --------------------------------------------------------------------------------------------

  /** @param {Message} message */
  take(message) {
    const here = message.snapshot === this.open?.id;
    if (message.kind === "hello") this.doubtIt();
    else if (message.kind === "snapshot-close") this.close();
    else if (message.kind === "snapshot-open") this.begin(/** @type {any} */ (message));
    else if (message.kind === "edit" && here) this.acknowledged(/** @type {any} */ (message));
    else if (message.kind === "undo" && here) this.gone(message.id ?? "", message.op ?? "");
    else if (message.kind === "trouble") this.refused(message.about ?? "");
    else return;
    this.paint();
  }

  /** @param {Edit} edit */
  acknowledged(edit) {
    this.waiting.delete(edit.id);
    this.edits.set(edit.id, { ...edit, stale: false });
  }

  /** @param {string} id @param {string} op */
  gone(id, op) {
    for (const key of [op, id, `gone ${id}`]) this.waiting.delete(key);
    this.edits.delete(id);
  }

  /** What was refused is not told again. @param {string} about */
  refused(about) {
    this.waiting.delete(about);
    this.waiting.delete(`gone ${about}`);
  }

  /** A new connection: is the picture still open? What is on it comes again. */
  doubtIt() {
    clearTimeout(this.doubt);
    if (this.open || this.kept) this.doubt = setTimeout(() => this.close(), DOUBT_MS);
  }

  /** @param {{id: string, by: string, width: number, height: number}} opened */
  begin(opened) {
    clearTimeout(this.doubt);
    if (this.open?.id === opened.id) return this.resume();
    const kept = this.kept?.id === opened.id ? this.kept.waiting : [];
    if (kept.length) this.kept = null;
    this.forget();
    this.open = opened;
    for (const [key, message] of kept) this.ask(key, message);
    this.picture.width = 0;
    delete this.view.dataset.shown; // until then a sign says that the picture is on its way
    this.view.dataset.id = opened.id;
    byId("snapshot-by").textContent = opened.by ? t("Screenshot by {name}", { name: opened.by }) : t("Screenshot");
    this.view.hidden = false;
    byId("picture").classList.add("frozen");
  }

  /** The same picture over a new connection: what waits is told again, and what is not told again to us is gone. */
  resume() {
    for (const edit of this.edits.values()) edit.stale = true;
    for (const message of this.waiting.values()) this.call.say(message);
  }

  /** @param {string} id @param {Blob} blob */
  async show(id, blob) {
    const image = await createImageBitmap(blob).catch(() => null); // a broken picture: the view stays black, drawing still works
    if (image && this.open?.id === id) {
      [this.picture.width, this.picture.height] = [image.width, image.height];
      this.picture.getContext("2d")?.drawImage(image, 0, 0);
      this.view.dataset.shown = id;
      setTimeout(() => this.dropStale(), REPLAYED_MS);
    }
    image?.close();
    this.paint();
  }

  dropStale() {
    for (const [id, edit] of this.edits) if (edit.stale) this.edits.delete(id);
    this.paint();
  }

  forget() {
    if ([...this.waiting.values(), ...(this.kept?.waiting ?? []).map(([, message]) => message)].some((message) => message.kind === "edit")) {
      toast({ title: t("Not everything was kept"), text: t("The screenshot was closed before your last edits had reached the machine."), tone: "error" });
    }
    this.waiting.clear();
    this.kept = null;
    this.edits.clear();
    this.drawing = null;
  }

  close() {
    clearTimeout(this.doubt);
    this.forget();
    this.open = null;
    this.askText(null);
    this.view.hidden = true;
    delete this.view.dataset.shown;
    byId("picture").classList.remove("frozen");
  }

  // --- the hand -------------------------------------------------------------------------------------------------------

  /** Where the picture lies in the canvas. */
  fit() {
    return fitTurned(this.overlay.clientWidth, this.overlay.clientHeight, this.open?.width ?? 0, this.open?.height ?? 0, this.tools.turn);
  }

  /** How the picture is seen: as the live one. @returns {import("./geometry.js").View} */
  get seen() {
    return { fit: this.fit(), mirrored: this.tools.mirrored, turn: this.tools.turn };
  }

  /** @param {PointerEvent} event @returns {Point} */
  pointOf(event) {
    const box = this.overlay.getBoundingClientRect();
    const { fit, mirrored, turn } = this.seen;
    return toFrame([event.clientX - box.left, event.clientY - box.top], fit, mirrored, turn);
  }

  /** @param {PointerEvent} event */
  down(event) {
    const at = this.pointOf(event);
    if (event.button !== 0 || !this.open || !isInside(at)) return;
    if (this.tool === "text") { // the input gets the focus, which the press would take away again
      event.preventDefault();
      return this.askText(at);
    }
    if (this.tool === "step") return this.add({ tool: "step", points: [at] });
    if (this.tool === "delete") return this.remove(at);
    this.overlay.setPointerCapture(event.pointerId);
    this.drawing = [at];
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!this.drawing) return;
    const finer = event.getCoalescedEvents?.() ?? [];
    for (const one of finer.length ? finer : [event]) this.drawing.push(clamped(this.pointOf(one)));
    if (this.tool !== "pen") this.drawing = [this.drawing[0], this.drawing[this.drawing.length - 1]];
    this.paint();
  }

  up() {
    const { drawing } = this;
    this.drawing = null;
    if (!drawing || !this.open) return;
    if (this.tool === "pen") this.addLine(simplified(drawing, TOLERANCE));
    else if (drawing.length === 2 && this.longEnough(drawing)) this.add({ tool: this.tool === "box" ? "box" : "arrow", points: drawing });
    this.paint();
  }

  /** A very long line goes in pieces that touch. @param {Point[]} points */
  addLine(points) {
    for (let from = 0; from < points.length; from += MAX_POINTS) this.add({ points: points.slice(from, from + MAX_POINTS + 1) });
  }

  /** @param {Point[]} line */
  longEnough([a, b]) {
    const { fit } = this.seen;
    return Math.hypot((b[0] - a[0]) * fit.width, (b[1] - a[1]) * fit.height) >= SHORTEST_PX;
  }

  paint() {
    if (!this.open) return;
    const context = prepared(this.overlay);
    if (!context) return;
    const view = this.seen;
    const { colour } = this.tools;
    for (const edit of this.edits.values()) paintEdit(context, edit, view);
    for (const message of this.waiting.values()) if (message.kind === "edit") paintEdit(context, /** @type {any} */ ({ ...message, colour }), view, PALE);
    if (this.drawing) paintEdit(context, { tool: this.tool === "box" || this.tool === "arrow" ? this.tool : "pen", colour, points: this.drawing }, view);
    if (this.place) paintEdit(context, { tool: "text", colour, points: [this.place], text: "|" }, view);
    this.view.dataset.edits = String(this.edits.size);
    this.view.dataset.unsent = String(this.waiting.size);
  }
}
