// What happened in a recording, in words.

import { t } from "./dom.js";

/** @param {import("./timeline.js").Happened} event @returns {string} */
export function happened({ kind, by, name, number = 0, width = 0, height = 0 }) {
  const who = by || t("Somebody at the machine");
  const mark = name || t("Mark {n}", { n: number });
  switch (kind) {
    case "stroke": return t("{name} draws", { name: who });
    case "mark": return t("{name} marks: {mark}", { name: who, mark });
    case "lost": return t("{mark} is lost from sight", { mark });
    case "found": return t("{mark} is found again", { mark });
    case "mark-gone": return t("{mark} is taken away", { mark });
    case "snapshot": return t("Screenshot by {name}", { name: who });
    case "live": return t("Back to the live picture");
    case "joined": return t("{name} joins", { name: who });
    case "left": return t("{name} leaves", { name: who });
    case "step": return t("The picture is now {width} × {height}", { width, height });
    case "camera-lost": return t("Pause: the camera does not answer");
    case "camera-back": return t("The camera is back");
    case "recording-on": return t("Agreed to the recording");
    case "recording-off": return t("The recording is ended");
    default: return kind;
  }
}
