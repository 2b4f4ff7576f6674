// @ts-check
/**
 * Markdown -> elements that are safe to show. The text is a model's, so it is treated as hostile, three times over:
 * raw HTML is shown as the text that it is, DOMPurify keeps a short list of elements and attributes, and the page's
 * Content-Security-Policy lets nothing else run or load. Pictures become links: nothing is fetched because of an answer.
 */

import hljs from "./vendor/highlight.min.js";
import { Marked } from "./vendor/marked.esm.js";
import "./vendor/purify.min.js";
import { copyButton } from "./copy.js";
import { make } from "./elements.js";

/** Larger code is shown without colours: they would cost more than they tell. */
const MOST_HIGHLIGHTED = 60_000;
/** As long as it grows, and is coloured anew with every step. */
const MOST_HIGHLIGHTED_OFTEN = 8_000;
/** Raw HTML that means the same as Markdown would, and can't do more. */
const HARMLESS_TAG = /^<\/?(?:b|br|del|em|i|kbd|mark|s|strong|sub|sup|u)\s*\/?>$/i;

const SAFE = {
  ALLOWED_TAGS: [
    ..."a b blockquote br code del em h3 h4 h5 h6 hr i kbd li mark ol p pre s span strong sub sup table tbody td th thead".split(" "),
    ..."tr u ul".split(" "),
  ],
  ALLOWED_ATTR: ["align", "class", "href", "start", "title"],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ADD_URI_SAFE_ATTR: ["align", "start"], // these hold no address; of the rest, DOMPurify knows it
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: /** @type {const} */ (true),
};

const marked = new Marked({
  gfm: true,
  renderer: {
    heading({ tokens, depth }) {
      const level = Math.min(depth + 2, 6); // the page's own headings are above
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
    code({ text, lang = "" }) {
      const language = /^[\w+#.-]*/.exec(lang)?.[0].toLowerCase() ?? "";
      return `<pre><code class="language-${escapeHtml(language)}">${escapeHtml(text)}</code></pre>\n`;
    },
    html({ text, block }) {
      if (HARMLESS_TAG.test(text.trim())) return text;
      return block ? `<p class="raw">${escapeHtml(text.trimEnd())}</p>\n` : escapeHtml(text);
    },
    text({ text, tokens }) {
      // NOTE: marked would leave what stands inside a raw <kbd> or <script> as it is.
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
 * The blocks that a text consists of, in order; joined, their `raw` is the text.
 * @param {string} text with LF as its only line end
 */
export function blocks(text) {
  return marked.lexer(text);
}

/**
 * @param {import("./vendor/marked.esm.js").Token[]} tokens blocks, as `blocks` gives them
 * @param {{isGrowing?: boolean}} [options] whether this will be rendered again, with more
 * @returns {DocumentFragment}
 */
export function render(tokens, { isGrowing = false } = {}) {
  const fragment = DOMPurify.sanitize(marked.parser(tokens), SAFE);
  for (const pre of fragment.querySelectorAll("pre")) frameCode(pre, isGrowing ? MOST_HIGHLIGHTED_OFTEN : MOST_HIGHLIGHTED);
  for (const table of fragment.querySelectorAll("table")) {
    const frame = make("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Table" });
    table.replaceWith(frame);
    frame.append(table);
  }
  for (const block of fragment.children) block.setAttribute("dir", "auto"); // right to left where its first letter is
  return fragment;
}

/**
 * Colours a block of code, names its language and puts the button above it that copies it.
 * @param {HTMLPreElement} pre
 * @param {number} most larger code stays as it is
 */
function frameCode(pre, most) {
  const code = pre.querySelector("code") ?? pre;
  const text = code.textContent ?? "";
  const language = /language-(\S+)/.exec(code.className)?.[1] ?? "";
  if (text.length <= most && hljs.getLanguage(language) !== undefined) {
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

/** All that highlight.js writes besides text. */
const SPAN = /<span class="([\w -]*)">|<\/span>|&(amp|lt|gt|quot|#x27);/g;
/** @type {Record<string, string>} */
const CHARACTERS = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'" };

/**
 * Coloured code as elements. Not parsed as HTML: what is no span of highlight.js can only become text.
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
