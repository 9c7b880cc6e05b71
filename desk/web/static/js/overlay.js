// Paints what lies over the picture: strokes, marks, pointers, what is being drawn. Only painting; what there is comes from tools.js.

import { centreOf, edgeArrow, isInside, opacity, toView } from "./geometry.js";

/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Fit} Fit */
/**
 * @typedef {{id: string, colour: string, points: Point[], endedMs: number | null, fadeS: number, mine: boolean}} Stroke
 * @typedef {{id: string, colour: string, name: string, state: string, quad: Point[] | null}} Mark
 * @typedef {{colour: string, by: string, at: Point}} Pointer
 * @typedef {{fit: Fit, mirrored: boolean}} View
 */

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

/** Pens are as wide on every screen, measured on the picture. @param {Fit} fit */
const penWidth = (fit) => Math.max(3, fit.width * 0.005);

/** @param {CanvasRenderingContext2D} context @param {Point[]} points in pixels; smooth through the middles */
function trace(context, points) {
  context.beginPath();
  context.moveTo(...points[0]);
  for (let i = 1; i < points.length - 1; i++) {
    const [a, b] = [points[i], points[i + 1]];
    context.quadraticCurveTo(a[0], a[1], (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
  }
  context.lineTo(...points[points.length - 1]);
}

/** A dark rim below the colour: legible on white and on black. @param {CanvasRenderingContext2D} context @param {string} colour @param {number} width */
function outlined(context, colour, width) {
  context.strokeStyle = "rgb(0 0 0 / 55%)";
  context.lineWidth = width + 3;
  context.stroke();
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

/** @param {CanvasRenderingContext2D} context @param {{colour: string, points: Point[]}} line @param {View} view @param {number} [alpha] */
export function paintLine(context, { colour, points }, view, alpha = 1) {
  if (!points.length || alpha <= 0) return;
  context.save();
  context.globalAlpha = alpha;
  trace(context, points.map((point) => toView(point, view.fit, view.mirrored)));
  outlined(context, colour, penWidth(view.fit));
  context.restore();
}

/** @param {CanvasRenderingContext2D} context @param {Stroke} stroke @param {View} view @param {number} nowMs */
export function paintStroke(context, stroke, view, nowMs) {
  const age = stroke.endedMs === null ? null : (nowMs - stroke.endedMs) / 1000;
  paintLine(context, stroke, view, opacity(age, stroke.fadeS));
}

/** Solid: tracked. Dashed: unsure. An arrow at the edge: lost. @param {CanvasRenderingContext2D} context @param {Mark} mark @param {View} view */
export function paintMark(context, mark, view) {
  if (!mark.quad) return;
  const corners = mark.quad.map((point) => toView(point, view.fit, view.mirrored));
  const lost = mark.state === "lost";
  context.save();
  if (!lost || isInside(centreOf(mark.quad))) {
    context.globalAlpha = lost ? 0.45 : 1;
    context.setLineDash(mark.state === "tracked" ? [] : lost ? [2, 9] : [11, 9]);
    context.beginPath();
    corners.forEach((corner, i) => (i ? context.lineTo(...corner) : context.moveTo(...corner)));
    context.closePath();
    outlined(context, mark.colour, Math.max(2.5, penWidth(view.fit) * 0.7));
    context.setLineDash([]);
  }
  if (lost) paintArrow(context, mark, view);
  else label(context, mark.name, mark.colour, above(corners), view.fit);
  context.restore();
}

/** @param {Point[]} corners @returns {Point} where a label sits: over the highest corner, at the left */
const above = (corners) => [Math.min(...corners.map(([x]) => x)), Math.min(...corners.map(([, y]) => y)) - 30];

/** @param {CanvasRenderingContext2D} context @param {Mark} mark @param {View} view */
function paintArrow(context, mark, view) {
  const place = toView(centreOf(/** @type {Point[]} */ (mark.quad)), view.fit, view.mirrored);
  const { at, angle } = edgeArrow(place, view.fit, 26);
  context.save();
  context.globalAlpha = 1;
  context.translate(...at);
  context.rotate(angle);
  context.beginPath();
  context.moveTo(16, 0);
  context.lineTo(-10, -12);
  context.lineTo(-4, 0);
  context.lineTo(-10, 12);
  context.closePath();
  context.fillStyle = mark.colour;
  outlined(context, "#ffffff", 1.5);
  context.fill();
  context.restore();
  const text = `${mark.name} ?`;
  const half = labelWidth(context, text) / 2;
  label(context, text, mark.colour, [at[0] - (half + 18) * Math.cos(angle) - half, at[1] - 34 * Math.sin(angle) - 12], view.fit);
}

/** @param {CanvasRenderingContext2D} context @param {string} text */
function labelWidth(context, text) {
  context.font = "600 13px system-ui, sans-serif";
  return context.measureText(text).width + 16;
}

/** Letters are never mirrored. @param {CanvasRenderingContext2D} context @param {string} text @param {string} colour @param {Point} at top left @param {Fit} fit */
function label(context, text, colour, at, fit) {
  const width = labelWidth(context, text);
  const x = Math.min(Math.max(at[0], fit.x + 2), fit.x + fit.width - width - 2);
  const y = Math.min(Math.max(at[1], fit.y + 2), fit.y + fit.height - 26);
  context.globalAlpha = 1;
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(x, y, width, 24, 8);
  context.fill();
  context.fillStyle = isBright(colour) ? "#10161d" : "#ffffff";
  context.textBaseline = "middle";
  context.fillText(text, x + 8, y + 12.5);
}

/** @param {string} colour #rrggbb */
export function isBright(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140;
}

/** @param {CanvasRenderingContext2D} context @param {Pointer} pointer @param {View} view */
export function paintPointer(context, pointer, view) {
  const [x, y] = toView(pointer.at, view.fit, view.mirrored);
  context.save();
  context.beginPath();
  context.arc(x, y, 15, 0, 2 * Math.PI);
  outlined(context, pointer.colour, 3);
  context.beginPath();
  context.arc(x, y, 5, 0, 2 * Math.PI);
  context.fillStyle = pointer.colour;
  context.fill();
  context.restore();
  if (pointer.by) label(context, pointer.by, pointer.colour, [x + 18, y - 30], view.fit);
}

/** The box that is being dragged. @param {CanvasRenderingContext2D} context @param {[Point, Point]} box @param {string} colour @param {View} view */
export function paintBox(context, [a, b], colour, view) {
  const [from, to] = [toView(a, view.fit, view.mirrored), toView(b, view.fit, view.mirrored)];
  context.save();
  context.setLineDash([8, 6]);
  context.beginPath();
  context.rect(Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]));
  outlined(context, colour, 2.5);
  context.restore();
}

/** The cross for the keyboard. @param {CanvasRenderingContext2D} context @param {Point} at @param {View} view */
export function paintCross(context, at, view) {
  const [x, y] = toView(at, view.fit, view.mirrored);
  context.beginPath();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.moveTo(x + 6 * dx, y + 6 * dy);
    context.lineTo(x + 22 * dx, y + 22 * dy);
  }
  outlined(context, "#ffffff", 2.5);
}
