// A recording's picture with what was drawn over it, for the very frame that is shown: painted by the same code as in the call.
// The controls around it are in player.js.

import { el, t } from "./dom.js";
import { fitTurned, toView } from "./geometry.js";
import { paintEdit, paintMark, paintPointer, paintStroke, prepared } from "./overlay.js";

/** @typedef {import("./geometry.js").View} View */
/** @typedef {import("./geometry.js").Fit} Fit */
/** @typedef {import("./timeline.js").Replay} Replay */
/** @typedef {{title: string, film: string, timeline: string, timelineBytes: number, name: string, snapshots: Record<string, string>}} Source
 *   addresses within the desk; `snapshots`: of the originals, by the id that the timeline calls them; `name`: of the file, for stills */

/** While a screenshot is open it is so wide, at the right; the live picture is in what is left. As in desk/files/burn.py. */
const SNAPSHOT_SHARE = 0.8;
const LIVE_HEIGHT = 0.3;
const GROUND = "#101010";
/** Labels have a fixed height; in a still they are as large as in a picture of this width. */
const STILL_PX = 960;

export class FilmView {
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
    /** @type {HTMLVideoElement} */
    this.video = el("video", { preload: "metadata", playsinline: true, src: source.film, "aria-label": source.title });
    /** @type {HTMLCanvasElement} */
    this.canvas = el("canvas", { "aria-hidden": "true" });
    /** Says what is shown, for whoever asks. @type {HTMLElement} */
    this.element = el("div", { class: "player", role: "group", "aria-label": source.title, "data-drawings": source.timeline ? "on" : "none" });
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
