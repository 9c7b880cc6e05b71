// The little Markdown that articles are written in (kiosk/ui/markdown.py knows the same): headings, lists, paragraphs, emphasis,
// links. Only elements and text nodes are made of it, so whatever else stands in an article is shown as it is written.

import { el, webLink } from "./dom.js";

const HEADING = /^#{1,6}\s+(.*)$/;
const BULLET = /^[-*+]\s+(.*)$/;
const NUMBER = /^\d{1,2}[.)]\s+(.*)$/;
/** Bounded, so that no text takes long: an emphasis, or a link or picture. */
const INLINE = /(\*\*|__|\*|_|`)(\S(?:.{0,300}?\S)?)\1|!?\[([^\]]{0,300})\]\(((?:[^()\s]|\([^()\s]{0,100}\)){0,300})[^()]{0,100}\)/;
const EMPHASIS = /** @type {Record<string, string>} */ ({ "**": "strong", __: "strong", "*": "em", _: "em", "`": "code" });
const DEEPEST = 4;

/** @param {string} source @returns {HTMLElement[]} */
export function markdown(source) {
  /** @type {HTMLElement[]} */
  const blocks = [];
  let open = /** @type {HTMLElement | null} */ (null);
  for (const raw of source.split(/\r\n?|\n/)) {
    const line = raw.trim();
    const [heading, bullet, number] = [HEADING, BULLET, NUMBER].map((kind) => kind.exec(line));
    if (!line) {
      open = null;
    } else if (heading) {
      blocks.push(el("h3", {}, ...inline(heading[1])));
      open = null;
    } else if (bullet || number) {
      open = el("li", {}, ...inline((bullet ?? number)?.[1] ?? ""));
      listFor(blocks, bullet ? "ul" : "ol").append(/** @type {HTMLElement} */ (open));
    } else if (open) {
      open.append(" ", ...inline(line));
    } else {
      open = el("p", {}, ...inline(line));
      blocks.push(/** @type {HTMLElement} */ (open));
    }
  }
  return blocks;
}

/** The list that goes on, or a new one. @param {HTMLElement[]} blocks @param {"ul" | "ol"} kind */
function listFor(blocks, kind) {
  if (blocks.at(-1)?.localName !== kind) blocks.push(el(kind));
  return /** @type {HTMLElement} */ (blocks.at(-1));
}

/** @param {string} line @param {number} [depth] @returns {(Node | string)[]} */
function inline(line, depth = 0) {
  const made = [];
  let rest = line;
  for (let found = INLINE.exec(rest); found && depth < DEEPEST; found = INLINE.exec(rest)) {
    const [whole, sign, words, label, address] = found;
    const emphasis = sign && el(EMPHASIS[sign], {}, ...(sign === "`" ? [words] : inline(words, depth + 1)));
    made.push(rest.slice(0, found.index), emphasis || linkTo(whole, label, address));
    rest = rest.slice(found.index + whole.length);
  }
  return [...made, rest];
}

/** A link to the web in a tab of its own; of any other, and of a picture, the words remain. @param {string} whole @param {string} label @param {string} address */
function linkTo(whole, label, address) {
  const url = /^https?:\/\//i.test(address) && !whole.startsWith("!") ? webLink(address) : null;
  return url ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label || url) : label;
}
