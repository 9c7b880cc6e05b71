// How good the picture is, in words and in numbers, and what the kiosk is told of what was seen.
//
// For tests: `#quality[data-quality][data-step]` is a button that opens `#quality-panel`; `#quality-figures dd[data-name]`.

import { boot, byId, el, t } from "./dom.js";
import { linkWord, motionWord } from "./format.js";

/** @typedef {import("./call.js").Call} Call */
/** @typedef {import("./call.js").Figures} Figures */
/**
 * What the kiosk knows of our link (channel.Quality).
 * @typedef {{loss: number, round_trip_ms: number, bitrate_bps: number, step: string, word: string, delay_ms: number | null}} Told
 */

/** @type {Told} */
const NOTHING = { loss: 0, round_trip_ms: 0, bitrate_bps: 0, step: "", word: "", delay_ms: null };
const SAMPLE_MS = 450;
const MOST_SAMPLES = 10;
const WORSE = ["", "good", "fair", "poor"];

/** A smaller picture is a weak connection, however well it arrives. @type {Record<string, string>} */
const LEAST_BAD = { smaller: "fair", small: "poor", stills: "poor" };

/** Which frames were shown when, thinned out: the kiosk works out the delay from it. */
class Eyes {
  /** @param {Call} call */
  constructor(call) {
    this.call = call;
    /** @type {[number, number][]} RTP timestamp, `performance.now()` when it went to the screen */
    this.seen = [];
    this.lastAt = 0;
    if (call.video.requestVideoFrameCallback) this.watch();
  }

  watch() {
    this.call.video.requestVideoFrameCallback((now, { rtpTimestamp, presentationTime }) => {
      if (this.call.over) return;
      if (rtpTimestamp !== undefined && now - this.lastAt >= SAMPLE_MS && this.seen.length < MOST_SAMPLES) {
        this.seen.push([rtpTimestamp, presentationTime]); // expectedDisplayTime names a later moment for frames shown at once
        this.lastAt = now;
      }
      this.watch();
    });
  }

  /** @param {Figures} figures */
  tell({ freezes, frozenS }) {
    this.call.say({ kind: "seen", frames: this.seen, freezes, frozen_s: frozenS });
    this.seen = [];
  }
}

export class QualityView {
  constructor() {
    /** @type {Eyes | null} */
    this.eyes = null;
    this.told = NOTHING;
    /** @type {Figures | null} */
    this.figures = null;
    byId("quality").addEventListener("click", () => this.open(byId("quality-panel").hidden));
  }

  /** @param {Call} call */
  begin(call) {
    this.eyes = new Eyes(call);
    this.told = NOTHING;
    this.figures = null;
    byId("quality").replaceChildren();
    byId("quality-told").textContent = "";
    this.open(false);
    call.on("figures", (figures) => {
      this.figures = figures;
      this.eyes?.tell(figures);
      this.show();
    });
  }

  /** @param {boolean} open */
  open(open) {
    byId("quality-panel").hidden = !open;
    byId("quality").setAttribute("aria-expanded", String(open));
  }

  /** @param {Partial<Told>} told */
  take(told) {
    this.told = { ...NOTHING, ...told };
    this.show();
  }

  /** Of the link: the worse of what the kiosk says of it, of what arrives here, and of the size that it comes in. */
  get linkWord() {
    const { told, figures } = this;
    const own = figures ? linkWord({ loss: Math.max(figures.loss, told.loss), roundTripMs: figures.roundTripMs || told.round_trip_ms }) : "";
    return worst(told.word, own, LEAST_BAD[told.step] ?? "");
  }

  /** Of how smoothly the picture moves: by what came, and by what of it could be shown. @returns {[came: string, shown: string]} */
  get motionWords() {
    const { told, figures } = this;
    if (!figures || told.step === "stills") return ["", ""];
    return [motionWord(figures.cameFps), motionWord(figures.fps)];
  }

  show() {
    const { told, figures, linkWord: link } = this;
    const [came, shown] = this.motionWords;
    const word = worst(link, came, shown);
    const place = byId("quality");
    place.dataset.quality = word;
    place.dataset.step = told.step;
    const words = link === "good" && word !== "good" ? jerky(!came || came === word) : wordsOf(link, told.step);
    const short = figures && [`${Math.round(figures.roundTripMs || told.round_trip_ms)} ms`, `${Math.round(figures.fps ?? 0)} fps`].join(" · ");
    place.replaceChildren(words, short ? el("span", { class: "figures" }, short) : "");
    if (byId("quality-told").textContent !== words) byId("quality-told").textContent = words; // read aloud at each change
    if (figures) byId("quality-figures").replaceChildren(...rows(figures, told).map(([name, term, value]) => el("div", {}, el("dt", {}, term), el("dd", { "data-name": name }, value))));
  }
}

/** @param {string[]} words */
const worst = (...words) => WORSE[Math.max(...words.map((word) => WORSE.indexOf(word)))] ?? "";

/** Pictures are missing, and not because of the way. @param {boolean} there they are not sent, else they cannot be shown here */
const jerky = (there) => (there ? t("Jerky picture: too little from the machine") : t("Jerky picture: this computer is too busy"));

/** @param {string} word @param {string} step */
function wordsOf(word, step) {
  const steps = /** @type {Record<string, string>} */ ({ smaller: t("Weak connection: smaller picture"), small: t("Weak connection: small, jerky picture"),
    stills: t("Very weak connection: single pictures only") });
  const words = /** @type {Record<string, string>} */ ({ good: t("Good picture"), fair: t("Fair connection"), poor: t("Poor connection") });
  return steps[step] ?? words[word] ?? "";
}

/** @param {Figures} figures @param {Told} told @returns {[string, string, string][]} name, term, value */
function rows(figures, told) {
  const number = (/** @type {number} */ value, digits = 0) => value.toLocaleString(boot.language, { maximumFractionDigits: digits });
  const fast = figures.bitrateBps >= 1e6;
  return [
    ["delay", t("Delay from camera to screen"), told.delay_ms === null ? t("not known") : t("about {n} ms", { n: number(told.delay_ms) })],
    ["round-trip", t("Round trip"), `${number(figures.roundTripMs || told.round_trip_ms)} ms`],
    ["loss", t("Lost on the way"), `${number(100 * Math.max(figures.loss, told.loss), 1)} %`],
    ["bitrate", t("Data rate"), fast ? `${number(figures.bitrateBps / 1e6, 1)} Mbit/s` : `${number(figures.bitrateBps / 1e3)} kbit/s`],
    ["size", t("Picture size"), `${figures.width} × ${figures.height}`],
    ["fps", t("Pictures per second"), number(figures.fps ?? 0)],
    ["freezes", t("Freezes"), figures.freezes ? t("{n} ({seconds} s)", { n: figures.freezes, seconds: number(figures.frozenS, 1) }) : "0"],
  ];
}
