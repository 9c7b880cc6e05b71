// For administrators, on every page: nothing is deleted by rule while the desk's clock is in doubt (desk/keeping/clock.py).
//
// For tests: #clock, #clock-right.

import { getJson, postJson } from "./api.js";
import { button, byId, icon, t } from "./dom.js";
import { dateTime } from "./format.js";
import { iso } from "./forms.js";
import { complain } from "./notify.js";

const PATH = "/api/retention/clock";

/** @param {{believed: boolean, now_s: number, good_s: number, believed_from_s: number}} clock */
function paint(clock) {
  const times = { now: dateTime(iso(clock.now_s)), good: dateTime(iso(clock.good_s)), from: dateTime(iso(clock.believed_from_s)) };
  const words = document.createElement("span");
  words.textContent = [t("Files are not deleted by rule: the desk's clock says {now}, and was believed last at {good}.", times),
    clock.believed_from_s ? t("By itself it is believed again from {from} on.", times) : t("After such a jump it is believed only when an administrator says that it is right.")].join(" ");
  const right = button(t("The clock is right"), () => postJson(PATH, { now_s: clock.now_s }).then(paint).catch(complain), { id: "clock-right" });
  byId("clock").replaceChildren(icon("clock"), words, right);
  byId("clock").hidden = clock.believed;
}

getJson(PATH).then(paint).catch(() => {}); // the next page asks again
