// Paints what lies over the picture: strokes, marks, pointers, the edits of a snapshot, what is being drawn. Only painting; what there is
// comes from tools.js and snapshot.js. How it looks is said in kiosk/wire/overlay.py, which the kiosk's display paints by as well: the same
// curve, the same shares of the picture's width. tests/contract/test_same_overlay.py compares both.

import { carried, opacity, shownSize, toView } from "./geometry.js";

/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Fit} Fit */
/** @typedef {import("./geometry.js").View} View */
/** @typedef {import("./geometry.js").Matrix} Matrix */
/** @typedef {"pen" | "arrow" | "box" | "text" | "step"} EditTool */
/**
 * @typedef {{id: string, colour: string, points: Point[], endedMs: number | null, fadeS: number, mine: boolean, carried?: Matrix | null}} Stroke
 * @typedef {{id: string, colour: string, name: string, state: string, quad: Point[] | null}} Mark
 * @typedef {{colour: string, by: string, at: Point}} Pointer
 * @typedef {{tool?: EditTool, colour: string, points: Point[], text?: string, n?: number}} Edit
 */

const PEN_SHARE = 0.006;
const LEAST_PEN_PX = 3;
const RIM_SHARE = 0.35;
const DARK = "#101418";
const HEAD_PENS = 5;
const TEXT_SHARE = 0.03;
const TEXT_ASCENT = 0.93;
const STEP_SHARE = 0.019;
const MARK_PENS = 1;
const DASH_PENS = 6;
const FOUND_PENS = 3;
const POINTER_SHARE = 0.014;

/** A canvas as sharp as the screen, cleared, with its context in CSS pixels. @param {HTMLCanvasElement} canvas @returns {CanvasRenderingContext2D | null} */
export function prepared(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  if (!context) return null;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  context.lineJoin = "round";
  context.lineCap = "round";
  return context;
}

/** The width of a line. @param {View} view */
const penOf = (view) => Math.max(LEAST_PEN_PX, PEN_SHARE * shownSize(view)[0]);

/** @param {Point[]} points @param {View} view @returns {Point[]} */
const onScreen = (points, view) => points.map((point) => toView(point, view.fit, view.mirrored, view.turn));

/** The curve through the middles between the points. @param {CanvasRenderingContext2D} context @param {Point[]} points px */
function trace(context, points) {
  context.moveTo(...points[0]);
  for (let i = 1; i < points.length - 1; i++) {
    const [a, b] = [points[i], points[i + 1]];
    context.quadraticCurveTo(a[0], a[1], (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
  }
  const [x, y] = points[points.length - 1];
  context.lineTo(points.length > 1 ? x : x + 0.01, y); // a line of no length at all may not be painted
}

/** A dark rim below the colour: legible on white and on black. Where a line fades, its rim does not show through. @param {CanvasRenderingContext2D} context @param {string} colour @param {number} width @param {number} [alpha] */
function outlined(context, colour, width, alpha = 1) {
  const stroke = (/** @type {string} */ style, /** @type {number} */ wide, /** @type {number} */ opaque, /** @type {GlobalCompositeOperation} */ how = "source-over") => {
    context.globalCompositeOperation = how;
    [context.globalAlpha, context.strokeStyle, context.lineWidth] = [opaque, style, wide];
    context.stroke();
  };
  if (alpha < 1) stroke(DARK, width * (1 + 2 * RIM_SHARE), 1, "destination-out");
  stroke(DARK, width * (1 + 2 * RIM_SHARE), alpha);
  if (alpha < 1) stroke(colour, width, 1, "destination-out");
  stroke(colour, width, alpha);
  context.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} context @param {Point[][]} lines px @param {string} colour @param {number} width @param {number} [alpha] */
function paintLines(context, lines, colour, width, alpha = 1) {
  if (alpha <= 0) return;
  context.save();
  context.beginPath();
  for (const line of lines) if (line.length) trace(context, line);
  outlined(context, colour, width, alpha);
  context.restore();
}

/** @param {CanvasRenderingContext2D} context @param {Stroke} stroke @param {View} view @param {number} nowMs */
export function paintStroke(context, stroke, view, nowMs) {
  const age = stroke.endedMs === null ? null : (nowMs - stroke.endedMs) / 1000;
  paintLines(context, [onScreen(carried(stroke.points, stroke.carried), view)], stroke.colour, penOf(view), opacity(age, stroke.fadeS));
}

// --- edits of a snapshot ----------------------------------------------------------------------------------------------

/** @param {CanvasRenderingContext2D} context @param {Edit} edit @param {View} view @param {number} [alpha] */
export function paintEdit(context, edit, view, alpha = 1) {
  const points = onScreen(edit.points, view);
  const lines = editLines(edit, points, view);
  if (lines.length) return paintLines(context, lines, edit.colour, penOf(view), alpha);
  context.save();
  context.globalAlpha = alpha;
  if (edit.tool === "text") paintText(context, edit, points[0], view);
  else paintStep(context, edit, points[0], view);
  context.restore();
}

/** @param {Edit} edit @param {Point[]} points px @param {View} view @returns {Point[][]} px; none for a text and a step */
function editLines({ tool = "pen" }, points, view) {
  const [from, to] = [points[0], points[points.length - 1]];
  if (tool === "pen") return [points];
  if (tool === "arrow") return arrow(from, to, penOf(view));
  if (tool === "box") return [[from, [to[0], from[1]]], [[to[0], from[1]], to], [to, [from[0], to[1]]], [[from[0], to[1]], from]];
  return [];
}

/** Shaft and the two sides of the head. @param {Point} tail @param {Point} tip @param {number} pen @returns {Point[][]} */
function arrow(tail, tip, pen) {
  const [dx, dy] = [tip[0] - tail[0], tip[1] - tail[1]];
  const long = Math.min(HEAD_PENS * pen, 0.6 * Math.hypot(dx, dy));
  const turn = Math.atan2(dy, dx);
  const side = (/** @type {number} */ by) => /** @type {Point} */ ([tip[0] - long * Math.cos(turn + by), tip[1] - long * Math.sin(turn + by)]);
  return [[tail, tip], [side(0.55), tip], [tip, side(-0.55)]];
}

/** Letters are never mirrored or turned. @param {CanvasRenderingContext2D} context @param {Edit} edit @param {Point} at @param {View} view */
function paintText(context, { colour, text = "" }, at, view) {
  const size = TEXT_SHARE * shownSize(view)[0];
  context.font = `700 ${size}px Roboto, system-ui, sans-serif`;
  context.textBaseline = "alphabetic";
  context.lineWidth = penOf(view) * 2 * RIM_SHARE;
  context.strokeStyle = DARK;
  context.strokeText(text, at[0], at[1] + TEXT_ASCENT * size);
  context.fillStyle = colour;
  context.fillText(text, at[0], at[1] + TEXT_ASCENT * size);
}

/** @param {CanvasRenderingContext2D} context @param {Edit} edit @param {Point} at @param {View} view */
function paintStep(context, { colour, n = 0 }, at, view) {
  const [size, radius, rim] = [TEXT_SHARE * shownSize(view)[0], STEP_SHARE * shownSize(view)[0], penOf(view) * RIM_SHARE];
  for (const [style, r] of /** @type {[string, number][]} */ ([[DARK, radius + rim], [colour, radius]])) {
    context.beginPath();
    context.arc(at[0], at[1], r, 0, 2 * Math.PI);
    context.fillStyle = style;
    context.fill();
  }
  context.font = `700 ${size}px Roboto, system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.fillStyle = isBright(colour) ? DARK : "#ffffff";
  context.fillText(n ? String(n) : "…", at[0], at[1] + 0.355 * size);
}

/** How far a place on the screen is from an edit, in px. @param {Edit} edit @param {Point} place @param {View} view */
export function distanceTo(edit, place, view) {
  const points = onScreen(edit.points, view);
  const lines = editLines(edit, points, view);
  if (lines.length) return Math.min(...lines.map((line) => distanceToLine(line, place)));
  const [width] = shownSize(view);
  const [x, y] = [place[0] - points[0][0], place[1] - points[0][1]];
  if (edit.tool === "step") return Math.max(0, Math.hypot(x, y) - STEP_SHARE * width);
  const long = 0.55 * TEXT_SHARE * width * (edit.text ?? "").length; // letters are about so wide
  return Math.hypot(Math.max(0, -x, x - long), Math.max(0, -y, y - TEXT_SHARE * width * 1.2));
}

/** @param {Point[]} line @param {Point} place */
function distanceToLine(line, place) {
  let least = Math.hypot(line[0][0] - place[0], line[0][1] - place[1]);
  for (let i = 1; i < line.length; i++) {
    const [[ax, ay], [bx, by]] = [line[i - 1], line[i]];
    const share = ((place[0] - ax) * (bx - ax) + (place[1] - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2 || 1);
    const s = Math.min(1, Math.max(0, share));
    least = Math.min(least, Math.hypot(ax + s * (bx - ax) - place[0], ay + s * (by - ay) - place[1]));
  }
  return least;
}

// --- marks ------------------------------------------------------------------------------------------------------------

/** Solid: tracked. Dashed: unsure. An arrow at the edge: lost. Two outlines: found again. @param {CanvasRenderingContext2D} context @param {Mark} mark @param {View} view */
export function paintMark(context, mark, view) {
  if (!mark.quad) return;
  const corners = onScreen(mark.quad, view);
  if (mark.state === "lost") return paintArrow(context, mark, corners, view);
  const pen = MARK_PENS * penOf(view);
  const sides = sidesOf(corners);
  paintLines(context, mark.state === "unsure" ? sides.flatMap(([a, b]) => dashes(a, b, pen)) : sides, mark.colour, pen);
  if (mark.state === "found") paintLines(context, sidesOf(wider(corners, FOUND_PENS * pen)), mark.colour, pen);
  label(context, mark.state === "unsure" ? `${mark.name} ?` : mark.name, mark.colour, above(corners), view.fit);
}

/** @param {Point[]} corners @returns {Point[][]} */
const sidesOf = (corners) => corners.map((corner, k) => [corner, corners[(k + 1) % corners.length]]);

/** Each corner so far farther from the middle. @param {Point[]} corners @param {number} by px @returns {Point[]} */
function wider(corners, by) {
  const [x, y] = [0, 1].map((k) => corners.reduce((sum, corner) => sum + corner[k], 0) / corners.length);
  return corners.map(([u, v]) => {
    const long = Math.hypot(u - x, v - y) || 1;
    return [u + ((u - x) * by) / long, v + ((v - y) * by) / long];
  });
}

/** @param {Point} a @param {Point} b @param {number} pen @returns {Point[][]} */
function dashes([x, y], [x2, y2], pen) {
  const n = Math.max(1, Math.floor(Math.hypot(x2 - x, y2 - y) / (DASH_PENS * pen) + 0.5));
  const at = (/** @type {number} */ share) => /** @type {Point} */ ([x + (x2 - x) * share, y + (y2 - y) * share]);
  return [...Array(n).keys()].map((k) => [at((k + 0.2) / n), at((k + 0.75) / n)]);
}

/** @param {Point[]} corners @returns {Point} where a label sits: over the highest corner, at the left */
const above = (corners) => [Math.min(...corners.map(([x]) => x)), Math.min(...corners.map(([, y]) => y)) - 32];

/** At the picture's edge, towards where the element was last. @param {CanvasRenderingContext2D} context @param {Mark} mark @param {Point[]} corners px @param {View} view */
function paintArrow(context, mark, corners, view) {
  const { fit } = view;
  const pen = penOf(view);
  const [cx, cy] = [fit.x + fit.width / 2, fit.y + fit.height / 2];
  let [dx, dy] = [corners.reduce((sum, [x]) => sum + x, 0) / corners.length - cx, corners.reduce((sum, [, y]) => sum + y, 0) / corners.length - cy];
  if (Math.hypot(dx, dy) < 1) [dx, dy] = [0, -1];
  const scale = Math.min((fit.width / 2 - 6 * pen) / Math.max(1e-6, Math.abs(dx)), (fit.height / 2 - 6 * pen) / Math.max(1e-6, Math.abs(dy)));
  const [x, y, angle] = [cx + dx * scale, cy + dy * scale, Math.atan2(dy, dx)];
  const wing = (/** @type {number} */ by) => /** @type {Point} */ ([x - 5 * pen * Math.cos(angle + by), y - 5 * pen * Math.sin(angle + by)]);
  paintLines(context, [[wing(0.6), [x, y]], [[x, y], wing(-0.6)]], mark.colour, pen);
  if (!mark.name) return;
  const text = `${mark.name} ?`;
  const half = labelWidth(context, text) / 2;
  label(context, text, mark.colour, [x - (half + 5 * pen) * Math.cos(angle) - half, y - 6 * pen * Math.sin(angle) - 12], fit);
}

/** @param {CanvasRenderingContext2D} context @param {string} text */
function labelWidth(context, text) {
  context.font = "600 13px system-ui, sans-serif";
  return context.measureText(text).width + 16;
}

/** Letters are never mirrored. @param {CanvasRenderingContext2D} context @param {string} text @param {string} colour @param {Point} at top left @param {Fit} fit */
function label(context, text, colour, at, fit) {
  if (!text) return;
  const width = labelWidth(context, text);
  const x = Math.min(Math.max(at[0], fit.x + 2), fit.x + fit.width - width - 2);
  const y = Math.min(Math.max(at[1], fit.y + 2), fit.y + fit.height - 26);
  context.globalAlpha = 1;
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(x, y, width, 24, 8);
  context.fill();
  context.fillStyle = isBright(colour) ? DARK : "#ffffff";
  context.textBaseline = "middle";
  context.fillText(text, x + 8, y + 12.5);
}

/** @param {string} colour #rrggbb */
export function isBright(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140;
}

// --- pointers, and what the hand is doing -----------------------------------------------------------------------------

/** @param {CanvasRenderingContext2D} context @param {Pointer} pointer @param {View} view */
export function paintPointer(context, pointer, view) {
  const [[x, y]] = onScreen([pointer.at], view);
  const radius = POINTER_SHARE * shownSize(view)[0];
  const pen = MARK_PENS * penOf(view);
  context.save();
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  outlined(context, pointer.colour, pen);
  for (const [style, r] of /** @type {[string, number][]} */ ([[DARK, radius / 3 + pen * RIM_SHARE], [pointer.colour, radius / 3]])) {
    context.beginPath();
    context.arc(x, y, r, 0, 2 * Math.PI);
    context.fillStyle = style;
    context.fill();
  }
  context.restore();
  if (pointer.by) label(context, pointer.by, pointer.colour, [x + radius + 3, y - radius - 15], view.fit);
}

/** The box that is being dragged. @param {CanvasRenderingContext2D} context @param {[Point, Point]} box @param {string} colour @param {View} view */
export function paintBox(context, box, colour, view) {
  const [a, b] = onScreen(box, view);
  const corners = /** @type {Point[]} */ ([a, [b[0], a[1]], b, [a[0], b[1]]]);
  paintLines(context, corners.flatMap((corner, k) => dashes(corner, corners[(k + 1) % 4], 3)), colour, 2.5);
}

/** The cross for the keyboard. @param {CanvasRenderingContext2D} context @param {Point} at @param {View} view */
export function paintCross(context, at, view) {
  const [[x, y]] = onScreen([at], view);
  const arms = [[1, 0], [-1, 0], [0, 1], [0, -1]];
  paintLines(context, arms.map(([dx, dy]) => [[x + 6 * dx, y + 6 * dy], [x + 22 * dx, y + 22 * dy]]), "#ffffff", 2.5);
}
