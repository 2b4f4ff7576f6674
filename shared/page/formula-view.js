// @ts-check
/**
 * Show formulas as MathML. The library is fetched when the first formula appears; until then, and where a formula cannot be
 * read, its source is shown. Formulas come from a model and are treated as hostile: commands that link, fetch or style are off,
 * and DOMPurify allows a short list of elements and attributes, this module a short list of styles.
 */

import "./vendor/purify.min.js";
import { make } from "./elements.js";
import { formulaAt } from "./formulas.js";

/** @typedef {typeof import("./vendor/temml.js").default} Temml */

const OPTIONS = { throwOnError: /** @type {const} */ (true), trust: /** @type {const} */ (false), maxExpand: 500 };
/** The largest sizes that a formula may ask for, in em. @type {[number, number]} */
const MAX_SIZE = [20, 60];
const MAX_CACHED = 300;
const RETRY_MS = 10_000;

const SAFE = {
  ALLOWED_TAGS: [
    ..."span math menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace".split(" "),
    ..."msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none".split(" "),
  ],
  ALLOWED_ATTR: [
    ..."accent accentunder class columnalign columnlines columnspacing depth display displaystyle fence form height".split(" "),
    ..."largeop linethickness lspace mathcolor mathvariant maxsize minsize movablelimits notation rowspacing rspace".split(" "),
    ..."scriptlevel separator stretchy style symmetric voffset width".split(" "),
  ],
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  IN_PLACE: /** @type {const} */ (true),
};
const SAFE_STYLE = /^(?:background-color|border-|color$|display$|font-(?:style|weight)$|height$|math-|padding|text-align$|width$)/;

/** @type {Temml | null} */
let library = null;
let isLoading = false;
let retryAt = 0;
/** Elements that wait for the library. @type {Set<Element>} */
const waiting = new Set();
/** Formulas as rendered, by their source; null where the source is invalid. @type {Map<string, Node | null>} */
const cache = new Map();
/** Formulas that are wider than their place scroll, and so must be reachable with the keyboard. */
const widths = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const isWide = target.scrollWidth > target.clientWidth + 1;
    target.classList.toggle("wide", isWide);
    if (isWide) target.setAttribute("tabindex", "0");
    else target.removeAttribute("tabindex");
  }
});

/**
 * Show the formulas in `.math` elements, which contain their source.
 * @param {ParentNode} parent
 */
export function showFormulas(parent) {
  for (const element of parent.querySelectorAll(".math")) {
    if (library === null) waiting.add(element);
    else show(element, library);
  }
  if (waiting.size > 0) void load();
}

/** Copy the source of formulas: MathML as plain text is a heap of letters. */
document.addEventListener("copy", (event) => {
  const selection = getSelection();
  if (selection === null || selection.rangeCount === 0 || event.target instanceof HTMLTextAreaElement) return;
  const copied = make("div", { class: "visually-hidden copied" }, selection.getRangeAt(0).cloneContents());
  const formulas = copied.querySelectorAll(".math[data-source]");
  if (formulas.length === 0) return;
  for (const formula of formulas) formula.replaceChildren(formula.getAttribute("data-source") ?? "");
  document.body.append(copied); // line breaks depend on the layout
  event.clipboardData?.setData("text/plain", copied.innerText);
  copied.remove();
  event.preventDefault();
});

async function load() {
  if (isLoading || performance.now() < retryAt) return;
  isLoading = true;
  try {
    library = (await import("./vendor/temml.js")).default;
    for (const element of waiting) {
      if (element.isConnected) show(element, library);
    }
    waiting.clear();
    document.dispatchEvent(new Event("formulas"));
  } catch (error) {
    console.warn("The library for formulas could not be fetched; their source is shown.", error);
    retryAt = performance.now() + RETRY_MS;
  } finally {
    isLoading = false;
  }
}

/**
 * @param {Element} element
 * @param {Temml} temml
 */
function show(element, temml) {
  const source = element.textContent?.trim() ?? "";
  let rendered = cache.get(source);
  if (rendered === undefined) {
    rendered = render(source, temml);
    if (cache.size >= MAX_CACHED) cache.delete(cache.keys().next().value ?? "");
    cache.set(source, rendered);
  }
  if (rendered === null) return;
  element.replaceChildren(rendered.cloneNode(true));
  element.classList.add("shown");
  element.setAttribute("data-source", source);
  widths.observe(element);
}

/**
 * @param {string} source with its delimiters
 * @param {Temml} temml
 * @returns {Node | null}
 */
function render(source, temml) {
  const formula = formulaAt(source);
  if (formula === null) return null;
  const place = make("span");
  try {
    temml.render(formula.tex, place, { ...OPTIONS, maxSize: MAX_SIZE, displayMode: formula.isDisplay });
  } catch {
    return null; // invalid, too deep, or a command that is off
  }
  DOMPurify.sanitize(place, SAFE);
  for (const element of place.querySelectorAll("[style]")) {
    const { style } = /** @type {MathMLElement} */ (element);
    for (const name of [...style]) if (!SAFE_STYLE.test(name)) style.removeProperty(name);
  }
  return place.firstChild;
}
