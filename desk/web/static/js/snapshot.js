// The snapshot that is open for everybody: shown full, drawn upon together; the live picture goes on small beside it.
//
// For tests: `#snapshot-view` (hidden while there is none; `data-id`, `data-edits`), `#snapshot-undo`, `#snapshot-close`.

import { byId, t } from "./dom.js";
import { newId } from "./channel.js";
import { clamped, fitContain, isInside, simplified, toFrame } from "./geometry.js";
import { paintLine, prepared } from "./overlay.js";

/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {{id: string, colour: string, points: Point[]}} Edit */

/** An edit is one message of at most 16 kB. */
const MAX_POINTS = 700;
const TOLERANCE = 0.0006;

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
    /** @type {{id: string, by: string, width: number, height: number} | null} */
    this.open = null;
    /** @type {Map<string, Edit>} */
    this.edits = new Map();
    /** @type {Point[] | null} */
    this.drawing = null;
    this.end = new AbortController();
    const { signal } = this.end;
    this.overlay.addEventListener("pointerdown", (event) => this.down(event), { signal });
    this.overlay.addEventListener("pointermove", (event) => this.move(event), { signal });
    for (const kind of ["pointerup", "pointercancel"]) this.overlay.addEventListener(kind, () => this.up(), { signal });
    byId("snapshot-undo").addEventListener("click", () => this.undo(), { signal });
    byId("snapshot-close").addEventListener("click", () => this.call.say({ kind: "snapshot-close" }), { signal });
    const sizes = new ResizeObserver(() => this.paint());
    sizes.observe(this.overlay);
    signal.addEventListener("abort", () => sizes.disconnect());
    call.on("message", (message) => this.take(message));
    call.on("picture", ({ id, blob }) => this.show(id, blob));
  }

  stop() {
    this.end.abort();
    this.close();
  }

  /** The frame that is seen now. */
  shoot() {
    const { frameTime } = this.call;
    this.call.say({ kind: "snapshot-take", ...(frameTime === null ? {} : { t: frameTime }) });
  }

  undo() {
    if (this.open) this.call.say({ kind: "undo", snapshot: this.open.id });
  }

  /** @param {import("./channel.js").Message} message */
  take(message) {
    if (message.kind === "hello" || message.kind === "snapshot-close") this.close();
    else if (message.kind === "snapshot-open") this.begin(/** @type {any} */ (message));
    else if (message.kind === "edit" && message.snapshot === this.open?.id) this.edits.set(message.id, /** @type {any} */ (message));
    else if (message.kind === "undo" && message.snapshot === this.open?.id) this.edits.delete(message.id);
    else return;
    this.paint();
  }

  /** @param {{id: string, by: string, width: number, height: number}} opened */
  begin(opened) {
    this.open = opened;
    this.edits.clear();
    this.picture.width = 0;
    this.view.dataset.id = opened.id;
    byId("snapshot-by").textContent = opened.by ? t("Screenshot by {name}", { name: opened.by }) : t("Screenshot");
    this.view.hidden = false;
    byId("picture").classList.add("frozen");
  }

  /** @param {string} id @param {Blob} blob */
  async show(id, blob) {
    const image = await createImageBitmap(blob).catch(() => null); // a broken picture: the view stays black, drawing still works
    if (image && this.open?.id === id) {
      [this.picture.width, this.picture.height] = [image.width, image.height];
      this.picture.getContext("2d")?.drawImage(image, 0, 0);
      this.view.dataset.shown = id;
    }
    image?.close();
    this.paint();
  }

  close() {
    this.open = null;
    this.drawing = null;
    this.edits.clear();
    this.view.hidden = true;
    delete this.view.dataset.shown;
    byId("picture").classList.remove("frozen");
  }

  fit() {
    return fitContain(this.overlay.clientWidth, this.overlay.clientHeight, this.open?.width ?? 0, this.open?.height ?? 0);
  }

  /** @param {PointerEvent} event @returns {Point} */
  pointOf(event) {
    const box = this.overlay.getBoundingClientRect();
    return toFrame([event.clientX - box.left, event.clientY - box.top], this.fit(), this.tools.mirrored);
  }

  /** @param {PointerEvent} event */
  down(event) {
    const at = this.pointOf(event);
    if (event.button !== 0 || !this.open || !isInside(at)) return;
    this.overlay.setPointerCapture(event.pointerId);
    this.drawing = [at];
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!this.drawing) return;
    const finer = event.getCoalescedEvents?.() ?? [];
    for (const one of finer.length ? finer : [event]) this.drawing.push(clamped(this.pointOf(one)));
    this.paint();
  }

  up() {
    const points = this.drawing && simplified(this.drawing, TOLERANCE);
    this.drawing = null;
    if (!points || !this.open) return;
    for (let from = 0; from < points.length; from += MAX_POINTS) { // a very long line goes in pieces that touch
      const edit = { id: newId(), snapshot: this.open.id, points: points.slice(from, from + MAX_POINTS + 1) };
      if (this.call.say({ kind: "edit", ...edit })) this.edits.set(edit.id, { ...edit, colour: this.tools.colour });
    }
    this.paint();
  }

  paint() {
    if (!this.open) return;
    const context = prepared(this.overlay);
    if (!context) return;
    const view = { fit: this.fit(), mirrored: this.tools.mirrored };
    for (const edit of this.edits.values()) paintLine(context, edit, view);
    if (this.drawing) paintLine(context, { colour: this.tools.colour, points: this.drawing }, view);
    this.view.dataset.edits = String(this.edits.size);
  }
}
