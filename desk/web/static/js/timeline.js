// Pure: a recording's timeline, read and played again: what lies over the picture at each moment, and what happened when.
//
// The same as kiosk/wire/replay.py, by which films with drawings are made; tests/contract/test_same_replay.py compares both.

import { product } from "./geometry.js";

/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Matrix} Matrix */
/** @typedef {{kind: string, id: string, [key: string]: any}} What */
/** @typedef {{at_s: number, what: What}} Line */
/** @typedef {{id: string, colour: string, points: Point[], endedMs: number | null, fadeS: number, mine: boolean, carried: Matrix | null}} StrokeShown */
/** @typedef {{id: string, by: string, colour: string, label: string, state: string, number: number, quad: Point[]}} MarkShown */
/** @typedef {{by: string, colour: string, at: Point}} PointerShown */
/** @typedef {{strokes: StrokeShown[], marks: MarkShown[], pointers: PointerShown[]}} Overlay */
/** @typedef {{id: string, edits: import("./overlay.js").Edit[]}} SnapshotShown */
/** @typedef {{atS: number, kind: string, by?: string, colour?: string, name?: string, number?: number, width?: number, height?: number}} Happened */

const BETWEEN_S = 0.35;
const POINTER_S = 4;
const FADE_S = 4;
const MAX_LINES = 1_000_000;
const MAX_AT_S = 7 * 86400;
/** Strokes of one person that follow each other so closely are one event. */
const TOGETHER_S = 3;
const COLOUR = /^#[0-9a-f]{6}$/;

/** What a line must have, by its kind; what it may leave out is filled in. @type {Record<string, (what: any) => boolean>} */
const FITS = {
  "stroke-begin": (what) => isId(what.id) && isPoint(what.at) && fill(what, { by: "", colour: "#ffffff" }),
  "stroke-points": (what) => isId(what.id) && Array.isArray(what.points) && what.points.every(isPoint),
  "stroke-end": (what) => isId(what.id) && fill(what, { fade_s: FADE_S }) && isNumber(what.fade_s),
  "stroke-pin": (what) => isId(what.id) && isNumber(what.anchor) && isMatrix(what.matrix),
  pointer: (what) => fill(what, { at: null, by: "", colour: "#ffffff" }) && (what.at === null || isPoint(what.at)),
  edit: (what) => isId(what.id) && Array.isArray(what.points) && what.points.length > 0 && what.points.every(isPoint) && fill(what, { tool: "pen", text: "", n: 0, by: "", colour: "#ffffff" }),
  undo: (what) => fill(what, { id: "" }),
  "snapshot-open": (what) => isId(what.id) && fill(what, { by: "" }),
  "snapshot-close": () => true,
  mark: (what) => isId(what.id) && fill(what, { by: "", label: "", colour: "#ffffff" }) && typeof what.state === "string",
  "mark-gone": (what) => isId(what.id),
  poses: (what) => Array.isArray(what.marks) && what.marks.every(isPose) && (!what.motion || (isNumber(what.motion.anchor) && isMatrix(what.motion.matrix))),
  person: (what) => typeof what.name === "string" && ["joined", "left"].includes(what.change) && fill(what, { colour: "#ffffff" }),
  step: (what) => isNumber(what.width) && isNumber(what.height),
  device: (what) => typeof what.name === "string" && typeof what.works === "boolean",
  recording: (what) => typeof what.state === "string",
};

const isId = (/** @type {unknown} */ id) => typeof id === "string" && id !== "";
const isNumber = (/** @type {unknown} */ value) => typeof value === "number" && Number.isFinite(value);
const isPoint = (/** @type {unknown} */ point) => Array.isArray(point) && point.length === 2 && point.every(isNumber);
const isMatrix = (/** @type {unknown} */ matrix) => Array.isArray(matrix) && matrix.length === 9 && matrix.every(isNumber);
const isPose = (/** @type {any} */ pose) => isId(pose?.id) && Array.isArray(pose.quad) && pose.quad.length === 4 && pose.quad.every(isPoint) && typeof pose.state === "string";

/** @param {any} what @param {Record<string, unknown>} left */
function fill(what, left) {
  for (const [key, value] of Object.entries(left)) what[key] ??= value;
  return !("colour" in what) || COLOUR.test(what.colour);
}

/** @param {string} text JSON lines @returns {{lines: Line[], bad: number}} `bad`: so many cannot be read */
export function parse(text) {
  /** @type {Line[]} */ const lines = [];
  let bad = 0;
  for (const raw of text.split("\n")) {
    if (!raw.trim()) continue;
    const line = lines.length < MAX_LINES ? lineOf(raw) : null;
    if (line) lines.push(line);
    else bad += 1;
  }
  return { lines, bad };
}

/** @param {string} raw @returns {Line | null} */
function lineOf(raw) {
  try {
    const { at_s, what } = JSON.parse(raw);
    return isNumber(at_s) && at_s >= 0 && at_s <= MAX_AT_S && Object.hasOwn(FITS, what.kind) && FITS[what.kind](what) ? { at_s, what } : null;
  } catch {
    return null;
  }
}

/** By time. Times of strokes run back a little, but a line never begins after its points. @param {Line[]} lines @returns {[number, What][]} */
function inOrder(lines) {
  /** @type {Map<string, number>} */ const latest = new Map();
  const timed = lines.map(({ at_s, what }) => {
    let at = at_s;
    if (what.kind === "stroke-begin") latest.set(what.id, at);
    else if (what.kind === "stroke-points" || what.kind === "stroke-end") latest.set(what.id, at = Math.max(at, latest.get(what.id) ?? 0));
    return /** @type {[number, What]} */ ([at, what]);
  });
  return timed.sort((a, b) => a[0] - b[0]); // stable
}

/** How many of these times are not after `at`. @param {number[]} times @param {number} at */
function countUntil(times, at) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How far `at` is on the way from the time before to the one after; 0 where both are too far apart. @param {number[]} times @param {number} after @param {number} at */
function shareOf(times, after, at) {
  const span = times[after] - times[after - 1];
  return span > 0 && span <= BETWEEN_S ? (at - times[after - 1]) / span : 0;
}

/** Values and since when they hold. @template V */
class Track {
  constructor() {
    /** @type {number[]} */ this.times = [];
    /** @type {V[]} */ this.values = [];
  }

  /** @param {number} at @param {V} value */
  add(at, value) {
    this.times.push(at);
    this.values.push(value);
  }

  /** @param {number} at @returns {V | undefined} */
  at(at) {
    return this.values[countUntil(this.times, at) - 1];
  }
}

class StrokeTrack {
  /** @param {number} begunS @param {What} told */
  constructor(begunS, told) {
    this.begunS = begunS;
    this.told = told;
    /** @type {number[]} */ this.times = [begunS];
    /** @type {Point[]} */ this.points = [told.at];
    /** When, and seconds to fade; a later one is sooner over. @type {[number, number][]} */ this.ends = [];
    /** @type {{anchor: number, matrix: Matrix} | null} */ this.pin = null;
  }

  /** @param {number} at @param {number} fadeS */
  end(at, fadeS) {
    const last = this.ends.at(-1);
    if (!last || at + fadeS < last[0] + last[1]) this.ends.push([at, fadeS]);
  }

  /** @param {number} at @param {(anchor: number, at: number) => Matrix | null} motion @returns {StrokeShown | null} */
  shown(at, motion) {
    const last = this.ends.at(-1);
    if (at < this.begunS || (last && at >= last[0] + last[1])) return null;
    const ended = this.ends.findLast(([when]) => when <= at);
    const moved = this.pin && motion(this.pin.anchor, at);
    return {
      id: this.told.id, colour: this.told.colour, points: this.points.slice(0, countUntil(this.times, at)), mine: false,
      endedMs: ended ? 1000 * ended[0] : null, fadeS: ended ? ended[1] : FADE_S, carried: this.pin && moved ? product(moved, this.pin.matrix) : null,
    };
  }
}

class MarkTrack {
  /** @param {number} number */
  constructor(number) {
    this.number = number;
    this.goneS = Infinity;
    /** @type {Track<What>} */ this.told = new Track();
    /** @type {Track<string>} */ this.states = new Track();
    /** @type {Track<{state: string, quad: Point[]}>} */ this.poses = new Track();
  }

  /** @param {number} at @returns {MarkShown | null} */
  shown(at) {
    const [told, quad] = [this.told.at(at), this.quad(at)];
    if (!told || !quad || at >= this.goneS) return null;
    return { id: told.id, by: told.by, colour: told.colour, label: told.label, number: this.number, state: this.states.at(at) ?? told.state, quad };
  }

  /** Between the poses before and after; a mark that was just made is where it is found a moment later. @param {number} at @returns {Point[] | null} */
  quad(at) {
    const { times, values } = this.poses;
    const after = countUntil(times, at);
    if (!after) return times.length && times[0] - at <= BETWEEN_S ? values[0].quad : null;
    const [here, there] = [values[after - 1], values[after]];
    if (!there || there.state !== here.state) return here.quad;
    const share = shareOf(times, after, at);
    return here.quad.map(([x, y], k) => [x + (there.quad[k][0] - x) * share, y + (there.quad[k][1] - y) * share]);
  }
}

export class Replay {
  /** @param {Line[]} lines in any order */
  constructor(lines) {
    /** @type {StrokeTrack[]} */ this.strokes = [];
    /** @type {MarkTrack[]} */ this.marks = [];
    /** @type {Map<string, Track<What>>} */ this.pointers = new Map();
    /** @type {Map<number, Track<Matrix>>} */ this.motions = new Map();
    /** @type {{id: string, begunS: number, closedS: number, edits: [number, What][]}[]} */ this.snapshots = [];
    /** @type {Happened[]} */ this.events = [];
    const open = { strokes: new Map(), marks: new Map() };
    for (const [at, what] of inOrder(lines)) this.take(at, what, open);
  }

  /** @param {number} at @param {What} what @param {{strokes: Map<string, StrokeTrack>, marks: Map<string, MarkTrack>}} open */
  take(at, what, { strokes, marks }) {
    this.note(at, what, marks);
    switch (what.kind) {
      case "stroke-begin": strokes.get(what.id)?.end(at, 0); strokes.set(what.id, this.begun(new StrokeTrack(at, what))); break;
      case "stroke-points": for (const point of what.points) { strokes.get(what.id)?.times.push(at); strokes.get(what.id)?.points.push(point); } break;
      case "stroke-end": strokes.get(what.id)?.end(at, Math.max(0, what.fade_s)); break;
      case "stroke-pin": { const stroke = strokes.get(what.id); if (stroke) stroke.pin = { anchor: what.anchor, matrix: what.matrix }; break; }
      case "mark": this.takeMark(at, what, marks); break;
      case "mark-gone": { const mark = marks.get(what.id); if (mark) mark.goneS = at; marks.delete(what.id); break; }
      case "poses": this.takePoses(at, what, marks); break;
      case "pointer": track(this.pointers, what.by).add(at, what); break;
      default: this.takeSnapshot(at, what);
    }
  }

  /** @param {StrokeTrack} stroke */
  begun(stroke) {
    this.strokes.push(stroke);
    return stroke;
  }

  /** @param {number} at @param {What} what @param {Map<string, MarkTrack>} marks */
  takeMark(at, what, marks) {
    let mark = marks.get(what.id);
    if (!mark) {
      mark = new MarkTrack(this.marks.length + 1);
      marks.set(what.id, mark);
      this.marks.push(mark);
    }
    mark.told.add(at, what);
    mark.states.add(at, what.state);
  }

  /** @param {number} at @param {What} what @param {Map<string, MarkTrack>} marks */
  takePoses(at, what, marks) {
    for (const { id, state, quad } of what.marks) {
      marks.get(id)?.states.add(at, state);
      marks.get(id)?.poses.add(at, { state, quad });
    }
    if (what.motion) track(this.motions, what.motion.anchor).add(at, what.motion.matrix);
  }

  /** @param {number} at @param {What} what */
  takeSnapshot(at, what) {
    const last = this.snapshots.at(-1);
    if (last && (what.kind === "snapshot-open" || what.kind === "snapshot-close")) last.closedS = Math.min(last.closedS, at);
    if (what.kind === "snapshot-open") this.snapshots.push({ id: what.id, begunS: at, closedS: Infinity, edits: [] });
    if (last && (what.kind === "edit" || what.kind === "undo") && what.snapshot === last.id) last.edits.push([at, what]);
  }

  // --- what is shown --------------------------------------------------------------------------------------------------

  /** What lies over the frame that is shown `at` seconds after the recording's first. @param {number} at @returns {Overlay} */
  overlay(at) {
    const motion = (/** @type {number} */ anchor, /** @type {number} */ when) => this.motion(anchor, when);
    const there = (/** @type {any} */ shape) => shape !== null;
    return {
      strokes: /** @type {StrokeShown[]} */ (this.strokes.map((stroke) => stroke.shown(at, motion)).filter(there)),
      marks: /** @type {MarkShown[]} */ (this.marks.map((mark) => mark.shown(at)).filter(there)),
      pointers: /** @type {PointerShown[]} */ ([...this.pointers.values()].map((told) => pointerAt(told, at)).filter(there)),
    };
  }

  /** How the scene lies in the frame; the last that is known where it is not known for this one. @param {number} anchor @param {number} at @returns {Matrix | null} */
  motion(anchor, at) {
    const { times, values } = this.motions.get(anchor) ?? { times: [], values: [] };
    const after = countUntil(times, at);
    if (!after || after === times.length) return after ? values[after - 1] : null;
    const share = shareOf(times, after, at);
    return values[after - 1].map((value, k) => value + (values[after][k] - value) * share);
  }

  /** The picture that everybody saw in place of the live one. @param {number} at @returns {SnapshotShown | null} */
  snapshot(at) {
    const shown = this.snapshots.findLast(({ begunS, closedS }) => begunS <= at && at < closedS);
    if (!shown) return null;
    /** @type {Map<string, any>} */ const edits = new Map();
    for (const [when, what] of shown.edits) {
      if (when > at) break;
      if (what.kind === "undo") edits.delete(what.id);
      else edits.set(what.id, what);
    }
    return { id: shown.id, edits: [...edits.values()] };
  }

  // --- what happened ----------------------------------------------------------------------------------------------------

  /** @param {number} at @param {What} what @param {Map<string, MarkTrack>} marks as they were before */
  note(at, what, marks) {
    const add = (/** @type {string} */ kind, /** @type {Partial<Happened>} */ more = {}) => this.events.push({ atS: at, kind, ...more });
    const { by, colour } = what;
    switch (what.kind) {
      case "stroke-begin": this.noteStroke(at, what); break;
      case "mark": { // lost and found are told by this, too
        const [mark, before] = [marks.get(what.id), marks.get(what.id)?.states.at(at)];
        const more = { by, colour, name: what.label, number: mark?.number ?? this.marks.length + 1 };
        if (!mark) add("mark", more);
        else if (what.state === "lost" && mark.told.values.at(-1)?.state !== "lost") add("lost", more);
        else if (what.state !== "lost" && (before === "lost" || mark.told.values.at(-1)?.state === "lost")) add("found", more);
        break;
      }
      case "mark-gone": { const mark = marks.get(what.id); if (mark) add("mark-gone", { name: mark.told.values.at(-1)?.label, number: mark.number }); break; }
      case "snapshot-open": add("snapshot", { by }); break;
      case "snapshot-close": add("live"); break;
      case "person": add(what.change, { by: what.name, colour }); break;
      case "step": if (at > 0) add("step", { width: what.width, height: what.height }); break;
      case "device": if (what.name === "camera") add(what.works ? "camera-back" : "camera-lost"); break;
      case "recording": if (what.state !== "asked") add(`recording-${what.state}`); break;
    }
  }

  /** @param {number} at @param {What} what */
  noteStroke(at, { by, colour }) {
    const last = this.events.findLast(({ kind }) => kind === "stroke");
    if (!last || last.by !== by || at - (this.strokes.at(-1)?.ends.at(-1)?.[0] ?? last.atS) > TOGETHER_S) this.events.push({ atS: at, kind: "stroke", by, colour });
  }
}

/** @template K, V @param {Map<K, Track<V>>} tracks @param {K} key @returns {Track<V>} */
function track(tracks, key) {
  const found = tracks.get(key) ?? new Track();
  tracks.set(key, found);
  return found;
}

/** @param {Track<What>} told @param {number} at @returns {PointerShown | null} */
function pointerAt(told, at) {
  const after = countUntil(told.times, at);
  const what = told.values[after - 1];
  if (!what?.at || at - told.times[after - 1] >= POINTER_S) return null;
  return { by: what.by, colour: what.colour, at: what.at };
}
