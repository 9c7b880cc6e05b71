// What a session leaves behind: recordings, snapshots with their layers, session data. Each says where it is until it is here.
//
// For tests: `.artifact[data-kind][data-id]`, `.artifact video`, `.artifact img`, `.artifact .waiting`, `.artifact progress`; player.js, film.js.

import { el, icon, keyed, t } from "./dom.js";
import { film } from "./film.js";
import { dateTime, size } from "./format.js";
import { Player } from "./player.js";

/** @typedef {import("./format.js").Artifact} Artifact */
/** @typedef {Record<string, {url: string, uploaded: boolean, received?: number, deleted_s?: number}>} Places `received`: so many bytes are here; `deleted_s`: since when it is deleted */

/** @param {Places} places @param {Artifact | undefined} artifact @returns {string} "" while it is not here; only paths of the desk itself are taken */
function urlOf(places, artifact) {
  const place = artifact && places[artifact.id];
  if (!place?.uploaded || !place.url) return "";
  const url = new URL(place.url, location.href);
  return url.origin === location.origin ? url.pathname + url.search : "";
}

/** @param {string} url @param {string} text @param {string} iconName @param {string | boolean} download */
function fileLink(url, text, iconName, download) {
  return el("a", { href: url, class: "tag", download: download || null, target: download ? null : "_blank", rel: "noopener" }, icon(iconName), text);
}

/** @param {string} [reason] */
const whyLost = (reason) => reason === "deleted" ? t("Deleted") : reason === "damaged" ? t("Lost: the file on the kiosk's disk is damaged")
  : reason === "unreadable" ? t("Lost: the kiosk's disk does not give the file back") : t("Lost: the file is no longer on the kiosk's disk");

/** What will never be here, and why. @param {Artifact} artifact */
const lost = (artifact) => el("div", { class: "waiting", "data-lost": artifact.lost ?? "" }, icon("alert"), el("span", {}, whyLost(artifact.lost)));

/** What is not here: where it is, and how much of it has come. `paintProgress` fills it in. @param {Artifact} artifact */
const waiting = (artifact) => artifact.lost ? lost(artifact) : el("div", { class: "waiting", "data-of": artifact.id }, icon("clock"), ...progress(artifact), el("span", { class: "small" }));

/** @param {Artifact} artifact */
const progress = (artifact) => [el("span", { class: "where" }, t("Still at the kiosk")),
  el("progress", { max: 100, value: 0, hidden: true, "aria-label": t("Upload of {name}", { name: artifact.name }) })];

/** When it comes. @param {Artifact} artifact @param {boolean} ended uploads begin then */
const when = (artifact, ended) => (ended ? t("{size}, comes as soon as the network allows it", { size: size(artifact.bytes) })
  : t("{size}, comes when the session is closed and the network allows it", { size: size(artifact.bytes) }));

/** In place, so that a video that plays beside it is left alone. @param {import("./format.js").Session} session @param {Places} places @param {Element} parent */
function paintProgress({ artifacts, state }, places, parent) {
  const ended = ["CLOSED", "CANCELLED"].includes(state);
  for (const place of parent.querySelectorAll("[data-of]")) {
    const artifact = artifacts.find((one) => one.id === /** @type {HTMLElement} */ (place).dataset.of);
    if (!artifact) continue;
    const received = places[artifact.id]?.received ?? 0;
    const percent = Math.floor((100 * received) / Math.max(1, artifact.bytes));
    const text = percent >= 100 ? t("Here, being verified") : received ? t("On its way: {percent} %", { percent }) : t("Still at the kiosk");
    const [where, bar] = [/** @type {HTMLElement} */ (place.querySelector(".where")), /** @type {HTMLProgressElement} */ (place.querySelector("progress"))];
    if (where.textContent !== text) where.textContent = text;
    bar.hidden = !received;
    bar.value = percent;
    const hint = /** @type {HTMLElement | null} */ (place.querySelector(".small"));
    if (!hint) continue;
    hint.hidden = received > 0;
    hint.textContent = when(artifact, ended);
  }
}

/**
 * @param {Artifact} artifact @param {string} url @param {{url: string, bytes: number}} timeline @param {string} title
 * @param {string} session its id
 */
function recording(artifact, url, timeline, title, session) {
  const path = `/api/sessions/${encodeURIComponent(session)}/artifacts/${encodeURIComponent(artifact.id)}/drawn`;
  return el("figure", { class: "artifact", "data-kind": "recording", "data-id": artifact.id },
    url ? new Player({ title, film: url, timeline: timeline.url, timelineBytes: timeline.bytes, name: artifact.name, snapshots: {} }).element : waiting(artifact),
    el("figcaption", {}, el("strong", {}, title), el("span", {}, size(artifact.bytes)), url && fileLink(url, t("Download"), "download", artifact.name),
      url && timeline.url && film(path, title), timeline.url && fileLink(timeline.url, t("Drawings and marks"), "data", "timeline.jsonl")));
}

/** What was drawn on them is shown in the recordings, as soon as they are here. @param {Artifact[]} pictures @param {Places} places @param {Element} parent */
function giveSnapshots(pictures, places, parent) {
  const originals = pictures.filter(({ kind, group }) => kind === "snapshot" && group);
  const snapshots = Object.fromEntries(originals.map((artifact) => [artifact.group, urlOf(places, artifact)]));
  for (const one of parent.querySelectorAll(".player")) /** @type {any} */ (one).player.source.snapshots = snapshots;
}

/** @param {Artifact[]} parts of one snapshot @param {Places} places @param {number} number */
function snapshot(parts, places, number) {
  const of = (/** @type {string} */ kind) => parts.find((artifact) => artifact.kind === kind);
  const [original, flattened, layers] = [of("snapshot"), of("flattened"), of("layers")];
  const shown = urlOf(places, flattened) || urlOf(places, original);
  const title = t("Screenshot {n}", { n: number });
  const any = flattened ?? original ?? parts[0];
  return el("figure", { class: "artifact", "data-kind": "snapshot", "data-id": any.id },
    shown ? el("a", { href: shown, target: "_blank", rel: "noopener" }, el("img", { src: shown, alt: title, loading: "lazy" })) : waiting(any),
    el("figcaption", {}, el("strong", {}, title),
      urlOf(places, original) && fileLink(urlOf(places, original), t("Original"), "snapshot", false),
      urlOf(places, layers) && fileLink(urlOf(places, layers), t("Drawings"), "pen", false)));
}

/** @param {Artifact} artifact @param {string} url */
function data(artifact, url) {
  return el("div", { class: "artifact artifact-line", "data-kind": "session_data", "data-id": artifact.id }, icon("data"), t("Session data"),
    el("span", { class: "muted small" }, size(artifact.bytes)),
    url ? fileLink(url, t("Download"), "download", artifact.name) : artifact.lost ? el("span", { class: "muted small", "data-lost": artifact.lost }, whyLost(artifact.lost)) : el("span", { class: "muted small on-line", "data-of": artifact.id }, ...progress(artifact)));
}

/** @param {import("./format.js").Session} told @param {Places} places @param {Element} parent */
export function paintArtifacts(told, places, parent) {
  const session = { ...told, artifacts: told.artifacts.map((one) => (places[one.id]?.deleted_s ? { ...one, lost: "deleted" } : one)) };
  const of = (/** @type {string} */ kind) => session.artifacts.filter((artifact) => artifact.kind === kind);
  const signOf = (/** @type {(Artifact | undefined)[]} */ ...parts) => parts.map((part) => part && [part.id, part.bytes, part.lost, urlOf(places, part)]);
  const recordings = of("recording").map((artifact) => {
    const timeline = of("timeline").find((one) => (one.group ? one.group === artifact.group : one.call === artifact.call));
    const started = session.calls.find((call) => call.id === artifact.call)?.started_at ?? "";
    const title = started ? t("Recording, {when}", { when: dateTime(started) }) : t("Recording");
    return { key: artifact.id, sign: signOf(artifact, timeline), make: () => recording(artifact, urlOf(places, artifact), { url: urlOf(places, timeline), bytes: timeline?.bytes ?? 0 }, title, session.id) };
  });
  const pictures = session.artifacts.filter((artifact) => ["snapshot", "flattened", "layers"].includes(artifact.kind));
  const groups = [...new Set(pictures.map((artifact) => artifact.group || artifact.id))];
  const snapshots = groups.map((group, i) => {
    const parts = pictures.filter((artifact) => (artifact.group || artifact.id) === group);
    return { key: group, sign: signOf(...parts), make: () => snapshot(parts, places, i + 1) };
  });
  const files = of("session_data").map((artifact) => ({ key: artifact.id, sign: signOf(artifact), make: () => data(artifact, urlOf(places, artifact)) }));
  if (!parent.children.length) parent.append(el("div", { class: "stack" }), el("div", { class: "pictures" }), el("div", { class: "stack" }));
  [recordings, snapshots, files].forEach((items, place) => {
    keyed(parent.children[place], items);
    /** @type {HTMLElement} */ (parent.children[place]).hidden = !items.length;
  });
  giveSnapshots(pictures, places, parent);
  paintProgress(session, places, parent);
}

/**
 * How much of all is here, files that have no place of their own on the page included.
 * @param {import("./format.js").Session} session @param {Places} places
 * @returns {{text: string, percent: number} | null} null where nothing is missing
 */
export function onTheirWay(session, places) {
  const artifacts = session.artifacts.filter((artifact) => !artifact.lost && !places[artifact.id]?.deleted_s);
  const here = artifacts.filter((artifact) => places[artifact.id]?.uploaded);
  if (here.length === artifacts.length) return null;
  const bytes = artifacts.reduce((sum, artifact) => sum + artifact.bytes, 0);
  const come = artifacts.reduce((sum, artifact) => sum + (places[artifact.id]?.uploaded ? artifact.bytes : places[artifact.id]?.received ?? 0), 0);
  const text = t("Files here: {n} of {all}. Still to come: {size}", { n: here.length, all: artifacts.length, size: size(Math.max(0, bytes - come)) });
  return { text, percent: Math.floor((100 * come) / Math.max(1, bytes)) };
}
