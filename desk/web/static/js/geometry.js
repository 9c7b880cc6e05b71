// Pure: where a point of the frame is on the screen, and the other way round; which pose belongs to which frame.
// Points are [x, y] in 0..1 of the sent frame, origin top left; the screen is in CSS pixels of the picture's box.

/**
 * @typedef {[number, number]} Point
 * @typedef {{x: number, y: number, width: number, height: number}} Fit where the visible picture lies in its box
 * @typedef {{t: number, marks: {id: string, quad: Point[], confidence: number, state: string}[], motion?: {anchor: number, matrix: number[]} | null}} Poses
 */

/** The place of a frame in a box as `object-fit: contain` puts it. @returns {Fit} */
export function fitContain(/** @type {number} */ boxWidth, /** @type {number} */ boxHeight, /** @type {number} */ frameWidth, /** @type {number} */ frameHeight) {
  if (!(frameWidth > 0 && frameHeight > 0 && boxWidth > 0 && boxHeight > 0)) return { x: 0, y: 0, width: boxWidth, height: boxHeight };
  const scale = Math.min(boxWidth / frameWidth, boxHeight / frameHeight);
  const width = frameWidth * scale;
  const height = frameHeight * scale;
  return { x: (boxWidth - width) / 2, y: (boxHeight - height) / 2, width, height };
}

/**
 * @typedef {{fit: Fit, mirrored: boolean, turn?: Turn}} View how a frame is seen: turned clockwise, then mirrored left to right
 * @typedef {0 | 90 | 180 | 270} Turn
 * @typedef {number[]} Matrix nine numbers, by rows: maps (x, y, 1)
 */

/** @param {Point} point of the frame @param {Fit} fit @param {boolean} mirrored @param {Turn} [turn] @returns {Point} on the screen */
export function toView([u, v], fit, mirrored, turn = 0) {
  const [x, y] = /** @type {Record<number, Point>} */ ({ 0: [u, v], 90: [1 - v, u], 180: [1 - u, 1 - v], 270: [v, 1 - u] })[turn];
  return [fit.x + (mirrored ? 1 - x : x) * fit.width, fit.y + y * fit.height];
}

/** @param {Point} place on the screen @param {Fit} fit @param {boolean} mirrored @param {Turn} [turn] @returns {Point} of the frame, rounded to what a pixel needs */
export function toFrame([px, py], fit, mirrored, turn = 0) {
  const seen = (px - fit.x) / (fit.width || 1);
  const [x, y] = [mirrored ? 1 - seen : seen, (py - fit.y) / (fit.height || 1)];
  const [u, v] = /** @type {Record<number, Point>} */ ({ 0: [x, y], 90: [y, 1 - x], 180: [1 - x, 1 - y], 270: [1 - y, x] })[turn];
  return [round(u), round(v)];
}

/** The place of a frame that is turned. @param {number} boxWidth @param {number} boxHeight @param {number} width @param {number} height @param {Turn} turn @returns {Fit} */
export function fitTurned(boxWidth, boxHeight, width, height, turn) {
  return turn % 180 ? fitContain(boxWidth, boxHeight, height, width) : fitContain(boxWidth, boxHeight, width, height);
}

/** How wide the frame's own width is on the screen, and its height. @param {View} view @returns {[number, number]} */
export const shownSize = ({ fit, turn = 0 }) => (turn % 180 ? [fit.height, fit.width] : [fit.width, fit.height]);

/** Where a homography puts points; what would lie behind the camera is left out. @param {Point[]} points @param {Matrix | null | undefined} matrix @returns {Point[]} */
export function carried(points, matrix) {
  if (!matrix) return points;
  const [a, b, c, d, e, f, g, h, i] = matrix;
  return points.flatMap(([x, y]) => {
    const w = g * x + h * y + i;
    return w > 1e-6 ? [/** @type {Point} */ ([(a * x + b * y + c) / w, (d * x + e * y + f) / w])] : [];
  });
}

/** Does `b` first. @param {Matrix} a @param {Matrix} b @returns {Matrix} */
export function product(a, b) {
  return [0, 3, 6].flatMap((row) => [0, 1, 2].map((column) => a[row] * b[column] + a[row + 1] * b[column + 3] + a[row + 2] * b[column + 6]));
}

/** @param {Matrix} m @returns {Matrix} up to a factor, which a homography does not mind */
export function inverse([a, b, c, d, e, f, g, h, i]) {
  const sign = Math.sign(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)) || 1;
  return [e * i - f * h, c * h - b * i, b * f - c * e, f * g - d * i, a * i - c * g, c * d - a * f, d * h - e * g, b * g - a * h, a * e - b * d].map((value) => value * sign);
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
 * The poses to draw over the frame `time`: its own; else between those of the frames before and after it; else the nearest within three
 * frames; else the newest.
 * @param {Poses[]} kept in the order of arrival @param {number | null} time @returns {Poses | null}
 */
export function posesFor(kept, time) {
  if (!kept.length) return null;
  const newest = kept.reduce((best, one) => (rtpAfter(one.t, best.t) > 0 ? one : best));
  if (time === null) return newest;
  /** @type {Poses | null} */ let before = null;
  /** @type {Poses | null} */ let after = null;
  for (const one of kept) {
    const away = rtpAfter(one.t, time);
    if (away === 0) return one;
    if (away < 0 && away >= -NEAR_TICKS && (!before || rtpAfter(one.t, before.t) > 0)) before = one;
    if (away > 0 && away <= NEAR_TICKS && (!after || rtpAfter(after.t, one.t) > 0)) after = one;
  }
  if (before && after) return between(before, after, rtpAfter(time, before.t) / rtpAfter(after.t, before.t), time);
  return before ?? after ?? newest;
}

/** @param {Poses} a @param {Poses} b @param {number} share 0: as in `a`, 1: as in `b` @param {number} t @returns {Poses} */
function between(a, b, share, t) {
  const mixed = (/** @type {number} */ x, /** @type {number} */ y) => x + (y - x) * share;
  const marks = b.marks.map((mark) => {
    const was = a.marks.find((one) => one.id === mark.id);
    if (!was || was.state !== mark.state) return mark;
    return { ...mark, quad: mark.quad.map(([u, v], k) => /** @type {Point} */ ([mixed(was.quad[k][0], u), mixed(was.quad[k][1], v)])) };
  });
  const motion = a.motion && b.motion && a.motion.anchor === b.motion.anchor
    ? { anchor: b.motion.anchor, matrix: b.motion.matrix.map((value, k) => mixed(/** @type {Matrix} */ (a.motion?.matrix)[k], value)) } : b.motion ?? a.motion;
  return { t, marks, motion };
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
