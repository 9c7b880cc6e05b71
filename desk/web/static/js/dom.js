// Elements and texts. Whatever comes from outside reaches the page through `textContent` or a checked attribute only.

/** @typedef {{me: {id: string, name: string, [key: string]: unknown}, language: string, boot: Record<string, any>}} Boot */

/** @param {string} id @returns {any} the JSON in a data block of the page, or {} */
function block(id) {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent || "{}") : {};
}

/** @type {Boot} */
export const boot = { me: { id: "", name: "" }, language: document.documentElement.lang || "en", boot: {}, ...block("boot") };
const texts = block("texts");

/**
 * The text in the reader's language; `{name}` is filled in from `values`.
 * @param {string} text English, as in the catalogues
 * @param {Record<string, string | number>} [values]
 */
export function t(text, values = {}) {
  return (texts[text] ?? text).replace(/\{(\w+)\}/g, (/** @type {string} */ whole, /** @type {string} */ name) => String(values[name] ?? whole));
}

/** @param {string} id @returns {any} the element of that id, which is in the page by its template */
export const byId = (id) => {
  const element = document.getElementById(id);
  if (!element) throw new Error(`#${id} is missing in the page`);
  return element;
};

/**
 * An element. `attributes`: "class", "data-…", "aria-…" and so on; `onclick` and the like are listeners;
 * true sets an empty attribute, false and null leave it out (but not of aria-…). Strings among the children become text.
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {any}
 */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (key.startsWith("aria-")) element.setAttribute(key, String(value)); // "false" says something there
    else if (value === false) continue;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map((child) => /** @type {Node | string} */ (child)));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} name one of static/icons.svg */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/**
 * @param {string} text @param {() => void} onclick
 * @param {{id?: string, kind?: string, icon?: string, pressed?: boolean, disabled?: boolean}} [look]
 */
export function button(text, onclick, look = {}) {
  const attributes = { class: `button ${look.kind ?? ""}`.trim(), type: "button", id: look.id, disabled: look.disabled, onclick, "aria-pressed": look.pressed };
  return el("button", attributes, look.icon && icon(look.icon), text);
}

/** A link from outside, or null where it is no web address. @param {string} address @returns {string | null} */
export function webLink(address) {
  try {
    const url = new URL(address, location.href);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

/** @param {string} name @returns {string} up to two letters */
export function initials(name) {
  const words = name.trim().split(/\s+/).filter(Boolean);
  return [words[0], words.length > 1 ? words[words.length - 1] : ""].map((word) => [...(word ?? "")][0] ?? "").join("").toUpperCase();
}

/**
 * Makes the children of `parent` those of `items`, and keeps what has not changed: focus, playing videos, scrolling.
 * @param {Element} parent @param {{key: string, sign?: unknown, make: () => HTMLElement}[]} items `sign`: what the element depends on
 */
export function keyed(parent, items) {
  const before = new Map([...parent.children].map((child) => [/** @type {HTMLElement} */ (child).dataset.key, /** @type {HTMLElement} */ (child)]));
  const focusedId = parent.contains(document.activeElement) ? document.activeElement?.id : "";
  const wanted = items.map(({ key, sign, make }) => {
    const signature = JSON.stringify(sign ?? null);
    const old = before.get(key);
    if (old && old.dataset.sign === signature) return old;
    const element = make();
    element.dataset.key = key;
    element.dataset.sign = signature;
    return element;
  });
  wanted.forEach((element, place) => {
    if (parent.children[place] !== element) parent.insertBefore(element, parent.children[place] ?? null);
  });
  while (parent.children.length > wanted.length) parent.lastElementChild?.remove();
  if (focusedId && document.activeElement?.id !== focusedId) document.getElementById(focusedId)?.focus();
}
