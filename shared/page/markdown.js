// @ts-check
/**
 * Convert Markdown to elements that are safe to show. The text comes from a model and is treated as hostile, with three
 * defences: raw HTML is shown as text, DOMPurify allows a short list of elements and attributes, and the page's
 * Content-Security-Policy blocks everything else. Images become links: an answer never causes a request.
 */

import hljs from "./vendor/highlight.min.js";
import { Marked, Tokenizer } from "./vendor/marked.esm.js";
import "./vendor/purify.min.js";
import { copyButton } from "./copy.js";
import { make } from "./elements.js";
import { showFormulas } from "./formula-view.js";
import { DISPLAY_START, FORMULA_START, displayAt, formulaAt, maskFormulas } from "./formulas.js";

/** Code blocks longer than this (in characters) are not highlighted: it would take too long. */
const MAX_HIGHLIGHTED = 60_000;
/** The same while the block grows, because it is highlighted again with every step. */
const MAX_HIGHLIGHTED_WHILE_GROWING = 8_000;
/** Raw HTML tags that are equivalent to Markdown formatting, without attributes. */
const SAFE_TAG = /^<\/?(?:b|br|del|em|i|kbd|mark|s|strong|sub|sup|u)\s*\/?>$/i;

const SAFE = {
  ALLOWED_TAGS: [
    ..."a b blockquote br code del em h3 h4 h5 h6 hr i kbd li mark ol p pre s span strong sub sup table tbody td th thead".split(" "),
    ..."tr u ul".split(" "),
  ],
  ALLOWED_ATTR: ["align", "class", "href", "start", "title"],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ADD_URI_SAFE_ATTR: ["align", "start"], // not URLs; DOMPurify already knows the others
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: /** @type {const} */ (true),
};

const marked = new Marked({
  gfm: true,
  extensions: [
    {
      name: "display",
      level: "block",
      start: (source) => firstMatch(source, DISPLAY_START),
      tokenizer(source) {
        const formula = displayAt(source);
        return formula === null ? undefined : { type: "display", raw: formula.raw };
      },
      renderer: ({ raw }) => `<p class="math display">${escapeHtml(raw.trim())}</p>\n`,
    },
    {
      name: "formula",
      level: "inline",
      start: (source) => firstMatch(source, FORMULA_START),
      tokenizer(source, tokens) {
        const formula = formulaAt(source, tokens.at(-1)?.raw.at(-1));
        return formula === null ? undefined : { type: "formula", raw: formula.raw, isDisplay: formula.isDisplay };
      },
      renderer: ({ raw, isDisplay }) => `<span class="${isDisplay ? "math display" : "math"}">${escapeHtml(raw)}</span>`,
    },
  ],
  tokenizer: {
    del: (source) => (source.startsWith("~~") ? false : undefined), // H~2~O is no deletion
    emStrong(source, masked, before) {
      // NOTE: `masked` ends where the source does, and has letters in place of what is no emphasis.
      const start = masked.length - source.length;
      const formulas = maskFormulas(source);
      if (formulas !== source) masked = masked.slice(0, start) + overlay(masked.slice(start), source, formulas);
      return Tokenizer.prototype.emStrong.call(this, source, masked, before);
    },
  },
  renderer: {
    heading({ tokens, depth }) {
      const level = Math.min(depth + 2, 6); // levels 1 and 2 are the page's own
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
    code({ text, lang = "" }) {
      const language = /^[\w+#.-]*/.exec(lang)?.[0].toLowerCase() ?? "";
      return `<pre><code class="language-${escapeHtml(language)}">${escapeHtml(text)}</code></pre>\n`;
    },
    html({ text, block }) {
      if (SAFE_TAG.test(text.trim())) return text;
      return block ? `<p class="raw">${escapeHtml(text.trimEnd())}</p>\n` : escapeHtml(text);
    },
    text({ text, tokens }) {
      // NOTE: marked does not escape text inside a raw <kbd> or <script>.
      return tokens ? this.parser.parseInline(tokens) : text.replace(/&(?!#?\w{1,32};)|[<>"']/g, escapeHtml);
    },
    image({ href, text }) {
      const label = `Image: ${text || href}`;
      return `<a href="${escapeHtml(href)}">${escapeHtml(label)}</a>`;
    },
    checkbox({ checked }) {
      return `<span class="${checked ? "task done" : "task"}">${checked ? "[x]" : "[ ]"}</span> `;
    },
  },
});

DOMPurify.addHook("afterSanitizeAttributes", (element) => {
  if (element.localName !== "a" || !element.hasAttribute("href")) return;
  element.setAttribute("target", "_blank");
  element.setAttribute("rel", "noopener noreferrer");
});

/**
 * Split a text into blocks, in order; their `raw` texts, joined, are the text.
 * @param {string} text with LF as the only line ending
 */
export function blocks(text) {
  return marked.lexer(text);
}

/**
 * @param {import("./vendor/marked.esm.js").Token[]} tokens blocks, as returned by `blocks`
 * @param {{isGrowing?: boolean}} [options] whether the text is incomplete and will be rendered again
 * @returns {DocumentFragment}
 */
export function render(tokens, { isGrowing = false } = {}) {
  const fragment = DOMPurify.sanitize(marked.parser(tokens), SAFE);
  for (const pre of fragment.querySelectorAll("pre")) frameCode(pre, isGrowing ? MAX_HIGHLIGHTED_WHILE_GROWING : MAX_HIGHLIGHTED);
  for (const table of fragment.querySelectorAll("table")) {
    const frame = make("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Table" });
    table.replaceWith(frame);
    frame.append(table);
  }
  for (const link of fragment.querySelectorAll("a:not([href])")) link.replaceWith(...link.childNodes); // its address is not allowed
  for (const block of fragment.children) block.setAttribute("dir", "auto"); // right to left when its first letter is
  showFormulas(fragment);
  return fragment;
}

/**
 * Return `text` with the changes that were made to `before`, which is as long.
 * @param {string} text
 * @param {string} before
 * @param {string} after
 */
function overlay(text, before, after) {
  let changed = "";
  for (let index = 0; index < text.length; index += 1) changed += after[index] === before[index] ? text[index] : after[index];
  return changed;
}

/**
 * @param {string} source
 * @param {RegExp} start
 * @returns {number | undefined}
 */
function firstMatch(source, start) {
  const index = source.search(start);
  return index < 0 ? undefined : index + (source[index] === "\n" ? 1 : 0);
}

/**
 * Highlight a code block, and add a header with its language and a copy button.
 * @param {HTMLPreElement} pre
 * @param {number} limit code with more characters is not highlighted
 */
function frameCode(pre, limit) {
  const code = pre.querySelector("code") ?? pre;
  const text = code.textContent ?? "";
  const language = /language-(\S+)/.exec(code.className)?.[1] ?? "";
  if (text.length <= limit && hljs.getLanguage(language) !== undefined) {
    code.replaceChildren(spans(hljs.highlight(text, { language, ignoreIllegals: true }).value));
  }
  const name = hljs.getLanguage(language)?.name?.split(",", 1)[0] ?? language;
  const label = name === "" ? "Code" : `Code, ${name}`;
  pre.setAttribute("tabindex", "0"); // so that the keyboard can scroll it
  pre.setAttribute("role", "region");
  pre.setAttribute("aria-label", label);
  const frame = make("div", { class: "code" }, make("div", { class: "code-head" }, make("span", {}, name || "text"), copyButton("Copy code", () => text)));
  pre.replaceWith(frame);
  frame.append(pre);
}

/** All the markup that highlight.js produces. */
const SPAN = /<span class="([\w -]*)">|<\/span>|&(amp|lt|gt|quot|#x27);/g;
/** @type {Record<string, string>} */
const CHARACTERS = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'" };

/**
 * Convert highlight.js output to elements without parsing it as HTML: everything but its spans becomes text.
 * @param {string} html
 * @returns {DocumentFragment}
 */
function spans(html) {
  const fragment = document.createDocumentFragment();
  /** @type {ParentNode & Node} */
  let parent = fragment;
  let text = "";
  let start = 0;
  for (const { 0: found, 1: name, 2: entity, index } of html.matchAll(SPAN)) {
    text += html.slice(start, index);
    start = index + found.length;
    if (entity !== undefined) {
      text += CHARACTERS[entity] ?? "";
      continue;
    }
    if (text !== "") parent.append(text);
    text = "";
    if (name === undefined) parent = parent.parentElement ?? fragment;
    else {
      const span = make("span", { class: name });
      parent.append(span);
      parent = span;
    }
  }
  fragment.append(text + html.slice(start));
  return fragment;
}

/**
 * @param {string} text
 * @returns {string}
 */
function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
