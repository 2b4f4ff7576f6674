// @ts-check
/**
 * A view of a growing Markdown text. Blocks that can no longer change are rendered once; only the last block is rendered
 * again as it grows. So the cost of a step does not grow with the answer, and selections persist.
 */

import { make } from "./elements.js";
import { unfinishedFormula } from "./formulas.js";
import { blocks, render } from "./markdown.js";

/** A last line that could still become a heading, a rule, a fence or a list item. */
const UNDECIDED_LINE = /(?:^|\n)[ \t]*(?:[-*+_=#>|`~]+|\d{1,9}[.)]?)[ \t]*$/;

export class MarkdownView {
  #container;
  /** Length of the text whose rendering is final. */
  #settled = 0;
  /** The nodes of the last block. @type {ChildNode[]} */
  #last = [];
  #hasReferences = false;
  /** Whether rendering has failed: the rest of the text is then shown as plain text. */
  #isPlain = false;
  #decorate;

  /**
   * @param {Element} container an empty element
   * @param {(rendered: DocumentFragment) => void} [decorate] called with each part before it is shown
   */
  constructor(container, decorate = () => {}) {
    this.#container = container;
    this.#decorate = decorate;
  }

  /**
   * @param {string} text the text so far; always an extension of the previous one
   * @param {{isComplete: boolean}} options whether the text is complete
   */
  show(text, { isComplete }) {
    text = text.replace(/\r\n?/g, "\n");
    try {
      if (!this.#isPlain) return this.#showMarkdown(text, isComplete);
    } catch (error) { // marked recurses: some thousands of nested quotations exceed the stack
      console.warn("The Markdown could not be rendered and is shown as plain text.", error);
      this.#isPlain = true;
    }
    this.#forgetLast();
    this.#append(make("p", { class: "raw", dir: "auto" }, text.slice(this.#settled)));
  }

  /**
   * @param {string} text
   * @param {boolean} isComplete
   */
  #showMarkdown(text, isComplete) {
    let rest = text.slice(this.#settled);
    let tokens = blocks(isComplete ? rest : closeOpenMarkup(rest));
    this.#hasReferences ||= Object.keys(tokens.links).length > 0;
    if (isComplete && this.#hasReferences) {
      this.#startOver(); // a link's definition may follow its use
      rest = text;
      tokens = blocks(rest);
    }
    const lastBlock = tokens.findLastIndex((token) => token.type !== "space");
    const settled = tokens.slice(0, Math.max(0, lastBlock));
    const source = settled.map((token) => token.raw).join("");
    this.#forgetLast();
    if (source !== "" && rest.startsWith(source)) {
      const rendered = render(settled);
      this.#decorate(rendered);
      this.#container.append(rendered);
      this.#settled += source.length;
      tokens.splice(0, settled.length);
    }
    const last = render(tokens, { isGrowing: !isComplete });
    this.#decorate(last);
    this.#append(last);
  }

  /** @param {Node} block the part that will be rendered again */
  #append(block) {
    this.#last = block instanceof DocumentFragment ? [...block.childNodes] : [/** @type {ChildNode} */ (block)];
    this.#container.append(block);
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
 * Complete a text that is cut off, so that it looks as it will with the rest: drop an undecided last line and a formula that is
 * not finished, and close bold and code that were opened in the last paragraph.
 * @param {string} text
 * @returns {string}
 */
function closeOpenMarkup(text) {
  const fences = text.match(/^ {0,3}(?:```|~~~)/gm)?.length ?? 0;
  if (fences % 2 === 1) return text.replace(/\n[ \t]*[`~]{1,2}$/, "\n");
  const formula = unfinishedFormula(text);
  const decided = (formula < 0 ? text : text.slice(0, formula)).replace(UNDECIDED_LINE, "");
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
