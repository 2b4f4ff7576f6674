// @ts-check
/** The sources of one answer: chips below it, which the markers in its text lead to, with the excerpt on focus and hover. */

import { make } from "./elements.js";
import { SourceCard } from "./source-card.js";
import { linkMarkers, markerLink, webAddress } from "./source-links.js";

/** @typedef {import("./ask.js").Source} Source */

let answers = 0;

export class SourcesView {
  #list = make("ol", { class: "sources", "aria-label": "Sources", hidden: "" });
  #prefix;
  /** @type {Map<string, {source: Source, chip: HTMLElement}>} */
  #known = new Map();

  constructor() {
    answers += 1;
    this.#prefix = `source-${answers}-`;
  }

  /** The element with the chips. */
  get element() {
    return this.#list;
  }

  /** @param {Source} source */
  add(source) {
    if (this.#known.has(source.id)) return;
    const position = this.#known.size + 1;
    const id = `${this.#prefix}${position}`;
    const label = [make("span", { class: "number", "aria-hidden": "true" }, String(position)), make("span", { class: "title", dir: "auto" }, source.title)];
    const url = webAddress(source.url);
    const chip = url === ""
      ? make("button", { id, class: "chip", type: "button" }, ...label)
      : make("a", { id, class: "chip", href: url, target: "_blank", rel: "noopener noreferrer" }, ...label);
    SourceCard.attach(chip, source);
    this.#known.set(source.id, { source, chip });
    this.#list.append(make("li", {}, chip));
    this.#list.hidden = false;
  }

  /**
   * Turn the markers of a rendered text into links.
   * @param {DocumentFragment | Element} rendered
   */
  link(rendered) {
    if (this.#known.size === 0) return;
    linkMarkers(rendered, (number) => {
      const found = this.#known.get(number);
      if (found === undefined) return null;
      const link = markerLink(number, found.source, found.chip.id);
      link.addEventListener("click", (event) => {
        event.preventDefault(); // the page's address stays as it is
        found.chip.focus();
        found.chip.scrollIntoView({ block: "nearest" });
      });
      SourceCard.attach(link, found.source);
      return link;
    });
  }
}
