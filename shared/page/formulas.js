// @ts-check
/**
 * Find formulas in Markdown: `\[…\]` and `$$…$$` stand alone, `\(…\)` and `$…$` are part of a line. Pure.
 *
 * A single dollar is a currency sign more often than not. It opens a formula only where no letter, digit or dollar comes
 * before it and no space after it; the next dollar has to close it, without a space before or a letter or digit after; and what
 * is between must not read like a sentence.
 */

/** @typedef {{raw: string, tex: string, isDisplay: boolean}} Formula */
/** @typedef {{open: string, close: string, isDisplay: boolean, allows: (tex: string) => boolean, maxLength: number}} Delimiters */

const MAX_LENGTH = 5000;

/** In the order in which they are tried. @type {Delimiters[]} */
const DELIMITERS = [
  { open: "\\[", close: "\\]", isDisplay: true, allows: (tex) => !tex.includes("\n```"), maxLength: MAX_LENGTH },
  { open: "\\(", close: "\\)", isDisplay: false, allows: (tex) => !/`|\n[ \t]*\n/.test(tex), maxLength: MAX_LENGTH },
  { open: "$$", close: "$$", isDisplay: true, allows: (tex) => !tex.includes("\n```"), maxLength: MAX_LENGTH },
  { open: "$", close: "$", isDisplay: false, allows: (tex) => !/^\s|[\n`]/.test(tex) && !isProse(tex), maxLength: 500 },
];
const BEFORE_DOLLAR = /[\p{L}\p{N}$\\]/u;
const AFTER_DOLLAR = /[\p{L}\p{N}$]/u;

/** Where a formula may begin. */
export const FORMULA_START = /\\[([]|\$/;
/** Where one that stands alone may begin. */
export const DISPLAY_START = /(?:^|\n) {0,3}(?:\\\[|\$\$)/;
const CODE_OR_START = /(`+)[\s\S]*?(?<!`)\1(?!`)|`+|\\[([]|\\[\s\S]|\$/g;

/**
 * Return the formula at the beginning of a text, or null.
 * @param {string} text
 * @param {string} [before] the character before it
 * @returns {Formula | null}
 */
export function formulaAt(text, before = "") {
  const delimiters = DELIMITERS.find(({ open }) => text.startsWith(open));
  if (delimiters === undefined) return null;
  const { open, close, isDisplay, allows } = delimiters;
  const end = closing(text, delimiters);
  if (end < 0) return null;
  const tex = text.slice(open.length, end);
  const raw = text.slice(0, end + close.length);
  if (tex.trim() === "" || !allows(tex)) return null;
  if (open === "$" && (/\s$/.test(tex) || BEFORE_DOLLAR.test(before) || AFTER_DOLLAR.test(text.charAt(raw.length)))) return null;
  if (open === "\\[" && text.charAt(raw.length) === "(") return null; // a link whose brackets are escaped
  return { raw, tex, isDisplay };
}

/**
 * Return the formula that stands alone in the first lines of a text, with its line ending, or null.
 * @param {string} text
 * @returns {Formula | null}
 */
export function displayAt(text) {
  const indent = /^ {0,3}(?=\\\[|\$\$)/.exec(text)?.[0];
  if (indent === undefined) return null;
  const formula = formulaAt(text.slice(indent.length));
  if (formula === null) return null;
  const rest = /^[ \t]*(?:\n+|$)/.exec(text.slice(indent.length + formula.raw.length))?.[0];
  return rest === undefined ? null : { ...formula, raw: indent + formula.raw + rest };
}

/**
 * Return where the text has a formula, or the beginning of a delimiter, that its continuation may complete; -1 for nowhere.
 * @param {string} text outside of fenced code
 * @returns {number}
 */
export function unfinishedFormula(text) {
  CODE_OR_START.lastIndex = 0;
  for (let found = CODE_OR_START.exec(text); found !== null; found = CODE_OR_START.exec(text)) {
    const { 0: token, index } = found;
    if (!FORMULA_START.test(token) || token.startsWith("`")) continue;
    const rest = text.slice(index, index + MAX_LENGTH + 8);
    const formula = formulaAt(rest, text.charAt(index - 1));
    if (formula !== null) CODE_OR_START.lastIndex = index + formula.raw.length;
    else if (mayGrow(rest, text.charAt(index - 1))) return index;
    else if (rest.startsWith("$$")) CODE_OR_START.lastIndex = index + 2;
  }
  return /(?:^|[^\\])(?:\\\\)*\\$/.test(text) ? text.length - 1 : -1;
}

/**
 * Replace formulas by letters, in place, so that their characters count as no Markdown.
 * @param {string} text
 * @returns {string}
 */
export function maskFormulas(text) {
  const starts = new RegExp(FORMULA_START, "g");
  const parts = [];
  let done = 0;
  for (let found = starts.exec(text); found !== null; found = starts.exec(text)) {
    const { index } = found;
    const formula = formulaAt(text.slice(index, index + MAX_LENGTH + 8), text.charAt(index - 1));
    if (formula === null) {
      if (text.startsWith("$$", index)) starts.lastIndex = index + 2;
      continue;
    }
    parts.push(text.slice(done, index), "a".repeat(formula.raw.length));
    done = starts.lastIndex = index + formula.raw.length;
  }
  return parts.join("") + text.slice(done);
}

/**
 * @param {string} rest the text from an opening delimiter on
 * @param {string} before the character before it
 * @returns {boolean}
 */
function mayGrow(rest, before) {
  const delimiters = DELIMITERS.find(({ open }) => rest.startsWith(open));
  if (delimiters === undefined || closing(rest, delimiters) >= 0) return false;
  const { open, allows, maxLength } = delimiters;
  const tex = rest.slice(open.length);
  return tex.length <= maxLength && allows(tex) && !(open === "$" && BEFORE_DOLLAR.test(before));
}

/**
 * @param {string} text
 * @param {Delimiters} delimiters
 * @returns {number} the index of the closing delimiter, or -1
 */
function closing(text, { open, close, maxLength }) {
  const limit = Math.min(text.length, open.length + maxLength);
  if (!text.slice(open.length, limit + close.length).includes(close)) return -1;
  for (let index = open.length; index < limit; index += 1) {
    if (text.startsWith(close, index)) return index;
    if (text[index] === "\\") index += 1; // an escaped character: \$, or the line break \\
  }
  return -1;
}

/**
 * Whether a text reads like words: an amount of something, or two words in a row outside of commands.
 * @param {string} tex
 * @returns {boolean}
 */
function isProse(tex) {
  const plain = tex.replace(/\\[A-Za-z]+\s*(?:\{[^{}]*\}?)*/g, " \\ ");
  return /^\d[\d.,]*\s+\p{L}{2,}/u.test(plain) || /\p{L}{2,}[,.;:!?]?\s+\p{L}{2,}/u.test(plain);
}
