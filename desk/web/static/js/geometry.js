// Pure: where a point of the frame is on the screen, and the other way round; which pose belongs to which frame.
// Points are [x, y] in 0..1 of the sent frame, origin top left; the screen is in CSS pixels of the picture's box.

/**
 * @typedef {[number, number]} Point
 * @typedef {{x: number, y: number, width: number, height: number}} Fit where the visible picture lies in its box
 * @typedef {{t: number, marks: {id: string, quad: Point[], confidence: number, state: string}[]}} Poses
 */

/** The place of a frame in a box as `object-fit: contain` puts it. @returns {Fit} */
export function fitContain(/** @type {number} */ boxWidth, /** @type {number} */ boxHeight, /** @type {number} */ frameWidth, /** @type {number} */ frameHeight) {
  if (!(frameWidth > 0 && frameHeight > 0 && boxWidth > 0 && boxHeight > 0)) return { x: 0, y: 0, width: boxWidth, height: boxHeight };
  const scale = Math.min(boxWidth / frameWidth, boxHeight / frameHeight);
  const width = frameWidth * scale;
  const height = frameHeight * scale;
  return { x: (boxWidth - width) / 2, y: (boxHeight - height) / 2, width, height };
}

/** @param {Point} point of the frame @param {Fit} fit @param {boolean} mirrored @returns {Point} on the screen */
export function toView([u, v], fit, mirrored) {
  return [fit.x + (mirrored ? 1 - u : u) * fit.width, fit.y + v * fit.height];
}

/** @param {Point} place on the screen @param {Fit} fit @param {boolean} mirrored @returns {Point} of the frame, rounded to what a pixel needs */
export function toFrame([x, y], fit, mirrored) {
  const u = (x - fit.x) / (fit.width || 1);
  const v = (y - fit.y) / (fit.height || 1);
  return [round(mirrored ? 1 - u : u), round(v)];
}

/** Five digits: a twentieth of a pixel at 4K; -0.5..1.5 is what the wire takes. @param {number} value */
const round = (value) => Math.round(Math.min(1.5, Math.max(-0.5, value)) * 1e5) / 1e5;

/** @param {Point} point @returns {boolean} inside the frame */
export const isInside = ([u, v]) => u >= 0 && u <= 1 && v >= 0 && v <= 1;

/** @param {Point} point @returns {Point} the nearest one inside the frame */
export const clamped = ([u, v]) => [Math.min(1, Math.max(0, u)), Math.min(1, Math.max(0, v))];

/** A box dragged from one point to another: [top left, bottom right] of the frame. @param {Point} a @param {Point} b @returns {[Point, Point]} */
export function boxOf(a, b) {
  const [first, second] = [clamped(a), clamped(b)];
  return [
    [Math.min(first[0], second[0]), Math.min(first[1], second[1])],
    [Math.max(first[0], second[0]), Math.max(first[1], second[1])],
  ];
}

/** @param {Point[]} quad @returns {Point} */
export function centreOf(quad) {
  const sum = quad.reduce((total, [u, v]) => [total[0] + u, total[1] + v], [0, 0]);
  return [sum[0] / quad.length, sum[1] / quad.length];
}

/** Opacity of a stroke `age_s` after the pen was lifted: 1 for the first half of `fade_s`, then falling to 0. @param {number | null} ageS @param {number} fadeS */
export function opacity(ageS, fadeS) {
  if (ageS === null) return 1;
  if (fadeS <= 0) return 0;
  return Math.max(0, Math.min(1, 2 - (2 * ageS) / fadeS));
}

/** How far RTP time `a` is after `b`, in ticks; it wraps at 2^32. @param {number} a @param {number} b */
export const rtpAfter = (a, b) => ((a - b) | 0);

/** Three frames at 30 fps on the 90 kHz clock of video. */
export const NEAR_TICKS = 9000;

/**
 * The poses to draw over the frame `time`: its own, else the nearest within three frames, else the newest.
 * @param {Poses[]} kept in the order of arrival @param {number | null} time @returns {Poses | null}
 */
export function posesFor(kept, time) {
  if (!kept.length) return null;
  const newest = kept.reduce((best, one) => (rtpAfter(one.t, best.t) > 0 ? one : best));
  if (time === null) return newest;
  let best = newest;
  let distance = Infinity;
  for (const one of kept) {
    const away = Math.abs(rtpAfter(one.t, time));
    if (away < distance) [best, distance] = [one, away];
  }
  return distance <= NEAR_TICKS ? best : newest;
}

/** An arrow at the edge of the view that points to a place outside. @param {Point} place @param {Fit} fit @param {number} margin px @returns {{at: Point, angle: number}} */
export function edgeArrow(place, fit, margin) {
  const [cx, cy] = [fit.x + fit.width / 2, fit.y + fit.height / 2];
  const [dx, dy] = [place[0] - cx, place[1] - cy];
  const angle = Math.atan2(dy, dx);
  const [halfX, halfY] = [Math.max(1, fit.width / 2 - margin), Math.max(1, fit.height / 2 - margin)];
  const scale = Math.min(halfX / Math.max(1e-6, Math.abs(dx)), halfY / Math.max(1e-6, Math.abs(dy)));
  return { at: [cx + dx * scale, cy + dy * scale], angle };
}

/**
 * A pen line with fewer points: those within `tolerance` of a straight line are left out.
 * @param {Point[]} points @param {number} tolerance @returns {Point[]}
 */
export function simplified(points, tolerance) {
  const kept = points.slice(0, 1);
  for (let i = 1; i < points.length - 1; i++) {
    const [a, b, c] = [kept[kept.length - 1], points[i], points[i + 1]];
    const length = Math.hypot(c[0] - a[0], c[1] - a[1]);
    const off = length ? Math.abs((c[0] - a[0]) * (a[1] - b[1]) - (a[0] - b[0]) * (c[1] - a[1])) / length : Math.hypot(b[0] - a[0], b[1] - a[1]);
    if (off > tolerance || Math.hypot(b[0] - a[0], b[1] - a[1]) > 0.02) kept.push(b);
  }
  if (points.length > 1) kept.push(points[points.length - 1]);
  return kept;
}
