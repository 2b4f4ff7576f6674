// @ts-check
/** The caller's key: stored in this tab only, sent to this endpoint only, never displayed. */

import { announce, byId } from "./elements.js";

const NAME = "streaming-endpoint-key";

export class Key {
  #value = stored();
  #dialog = byId("key-dialog", HTMLDialogElement);
  #field = byId("key", HTMLInputElement);
  #problem = byId("key-problem", HTMLElement);
  #button = byId("key-button", HTMLButtonElement);
  #forget = byId("key-forget", HTMLButtonElement);
  #onChange;

  /** @param {() => void} onChange called when the key was entered, changed or removed */
  constructor(onChange) {
    this.#onChange = onChange;
    this.#button.addEventListener("click", () => this.ask());
    byId("key-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    byId("key-cancel", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    this.#forget.addEventListener("click", () => this.#keep(""));
    this.#dialog.addEventListener("close", () => {
      this.#field.value = "";
    });
    this.#label();
  }

  get value() {
    return this.#value;
  }

  /**
   * Open the dialog.
   * @param {string} [why]
   */
  ask(why = "Some deployments require a key, others do not.") {
    byId("key-why", HTMLElement).textContent = why;
    this.#say("");
    this.#forget.hidden = this.#value === "";
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#field.focus();
  }

  #save() {
    const value = this.#field.value.trim();
    if (value === "") return this.#say("Enter a key first.");
    if (!/^[\x21-\x7e]+$/.test(value)) return this.#say("A key contains only ASCII letters, digits and punctuation, no spaces.");
    this.#keep(value);
  }

  /** @param {string} problem */
  #say(problem) {
    this.#problem.textContent = problem;
    this.#field.setAttribute("aria-invalid", String(problem !== ""));
    if (problem !== "") this.#field.focus();
  }

  /** @param {string} value */
  #keep(value) {
    this.#value = value;
    try {
      if (value === "") sessionStorage.removeItem(NAME);
      else sessionStorage.setItem(NAME, value);
    } catch {
      // Storage is blocked: the key is kept until the page is reloaded.
    }
    this.#label();
    this.#dialog.close();
    announce(value === "" ? "Key removed." : "Key saved for this tab.");
    this.#onChange();
  }

  #label() {
    const label = this.#value === "" ? "Access key" : "Access key (set)";
    this.#button.setAttribute("aria-label", label);
    this.#button.title = label;
    this.#button.classList.toggle("is-set", this.#value !== "");
  }
}

/** @returns {string} */
function stored() {
  try {
    return sessionStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}
