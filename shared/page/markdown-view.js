// @ts-check
/**
 * A growing Markdown text on the screen. Blocks that can't change any more are rendered once and stay; only the last one
 * is rendered again as it grows, so the cost of a step does not grow with the answer, and selections survive.
 */

import { blocks, render } from "./markdown.js";

/** The last line while it could still become a heading, a rule, a fence or the next item of the list before it. */
const UNDECIDED_LINE = /(?:^|\n)[ \t]*(?:[-*+_=#>|`~]+|\d{1,9}[.)]?)[ \t]*$/;

export class MarkdownView {
  #container;
  /** How much of the text is rendered for good. */
  #settled = 0;
  /** The nodes of the last block. @type {ChildNode[]} */
  #last = [];
  #hasReferences = false;

  /** @param {Element} container an empty element */
  constructor(container) {
    this.#container = container;
  }

  /**
   * @param {string} text the text so far; always an extension of the one before
   * @param {{isWhole: boolean}} options whether the text is complete
   */
  show(text, { isWhole }) {
    text = text.replace(/\r\n?/g, "\n");
    let rest = text.slice(this.#settled);
    let tokens = blocks(isWhole ? rest : mend(rest));
    this.#hasReferences ||= Object.keys(tokens.links).length > 0;
    if (isWhole && this.#hasReferences) {
      this.#startOver(); // a definition may come after what refers to it
      rest = text;
      tokens = blocks(rest);
    }
    const lastBlock = tokens.findLastIndex((token) => token.type !== "space");
    const settled = tokens.slice(0, Math.max(0, lastBlock));
    const source = settled.map((token) => token.raw).join("");
    this.#forgetLast();
    if (source !== "" && rest.startsWith(source)) {
      this.#container.append(render(settled));
      this.#settled += source.length;
      tokens.splice(0, settled.length);
    }
    const fragment = render(tokens, { isGrowing: !isWhole });
    this.#last = [...fragment.childNodes];
    this.#container.append(fragment);
  }

  #startOver() {
    this.#settled = 0;
    this.#last = [];
    this.#hasReferences = false;
    this.#container.replaceChildren();
  }

  #forgetLast() {
    for (const node of this.#last) node.remove();
    this.#last = [];
  }
}

/**
 * Text that is cut somewhere, such that it looks as it will when the rest is there: what is undecided is left out, and
 * bold and code that were begun in the last paragraph are ended.
 * @param {string} text
 * @returns {string}
 */
export function mend(text) {
  const fences = text.match(/^ {0,3}(?:```|~~~)/gm)?.length ?? 0;
  if (fences % 2 === 1) return text.replace(/\n[ \t]*[`~]{1,2}$/, "\n");
  const decided = text.replace(UNDECIDED_LINE, "");
  const paragraph = decided.slice(decided.lastIndexOf("\n\n") + 1).replace(/\\./g, "");
  const ticks = paragraph.match(/`+/g)?.length ?? 0;
  if (ticks % 2 === 1) return decided + "`";
  const bolds = paragraph.replace(/`[^`]*`/g, "").match(/\*\*/g)?.length ?? 0;
  return bolds % 2 === 1 ? closeBold(decided) : decided;
}

/**
 * @param {string} text
 * @returns {string}
 */
function closeBold(text) {
  return text.endsWith("**") ? text.slice(0, -2) : `${text.replace(/[*\s]+$/, "")}**`;
}
