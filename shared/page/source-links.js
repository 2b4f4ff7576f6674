// @ts-check
/** `[1]` in a rendered answer -> a link to its source. Only text is looked at, never code, formulas or other links. */

import { make } from "./elements.js";

/** @typedef {import("./ask.js").Source} Source */

const MARKER = /\[(\d{1,2})\]/g;
const NOT_TEXT = "a, code, pre, kbd, .math";

/**
 * @param {DocumentFragment | Element} rendered
 * @param {(number: string) => HTMLElement | null} linkTo returns the link to a source, or null where there is none
 */
export function linkMarkers(rendered, linkTo) {
  const walker = document.createTreeWalker(rendered, NodeFilter.SHOW_TEXT);
  /** @type {Text[]} */
  const texts = [];
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    if (node instanceof Text && node.data.includes("[") && node.parentElement?.closest(NOT_TEXT) == null) texts.push(node);
  }
  for (const text of texts) replaceMarkers(text, linkTo);
}

/**
 * @param {Text} text
 * @param {(number: string) => HTMLElement | null} linkTo
 */
function replaceMarkers(text, linkTo) {
  /** @type {(Node | string)[]} */
  const parts = [];
  let end = 0;
  for (const match of text.data.matchAll(MARKER)) {
    const link = linkTo(match[1] ?? "");
    if (link === null) continue;
    parts.push(text.data.slice(end, match.index), link);
    end = match.index + match[0].length;
  }
  if (end > 0) text.replaceWith(...parts, text.data.slice(end));
}

/**
 * Return the address if a page can link to it; the endpoint has checked it, and is not believed.
 * @param {string} url
 */
export function webAddress(url) {
  try {
    const { protocol } = new URL(url);
    return protocol === "https:" || protocol === "http:" ? url : "";
  } catch {
    return "";
  }
}

/**
 * @param {string} number
 * @param {Source} source
 * @param {string} target the id of the source's element
 */
export function markerLink(number, source, target) {
  const label = `Source ${number}: ${source.title}`;
  return make("a", { class: "marker", href: `#${target}`, "aria-label": label }, `[${number}]`);
}
