// @ts-check
/** Take the conversation along: copy it, or save it as a file. */

import { copy } from "./copy.js";
import { announce, byId, make } from "./elements.js";

export class Export {
  #button = byId("export-button", HTMLButtonElement);
  #menu = byId("export-menu", HTMLElement);

  /** @param {() => string} text returns the conversation as Markdown */
  constructor(text) {
    byId("export-copy", HTMLButtonElement).addEventListener("click", async () => {
      const isCopied = await copy(text());
      this.#close(isCopied ? "Conversation copied." : "Copy failed.");
    });
    byId("export-save", HTMLButtonElement).addEventListener("click", () => {
      save(text(), `chat-${new Date().toISOString().slice(0, 16).replace(/[T:]/g, "-")}.md`);
      this.#close("Conversation saved.");
    });
    this.#menu.addEventListener("toggle", (event) => {
      this.#button.setAttribute("aria-expanded", String(/** @type {ToggleEvent} */ (event).newState === "open"));
    });
  }

  /** @param {boolean} isShown whether there is something to export */
  set isShown(isShown) {
    this.#button.hidden = !isShown;
  }

  /** @param {string} outcome */
  #close(outcome) {
    this.#menu.hidePopover();
    this.#button.focus();
    const { title } = this.#button;
    this.#button.title = outcome;
    setTimeout(() => (this.#button.title = title), 1600);
    announce(outcome);
  }
}

/**
 * @param {string} text
 * @param {string} name
 */
function save(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/markdown" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
