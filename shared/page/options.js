// @ts-check
/** The options of a chat: instructions (the system prompt), temperature and streaming. Kept in this tab. */

import { byId } from "./elements.js";

/** @typedef {import("./tab-storage.js").TabStorage} TabStorage */

const MAX_TEMPERATURE = 2;

export class Options {
  #storage;
  #dialog = byId("options-dialog", HTMLDialogElement);
  #button = byId("options-button", HTMLButtonElement);
  #instructions = byId("instructions", HTMLTextAreaElement);
  #temperature = byId("temperature", HTMLInputElement);
  #problem = byId("temperature-problem", HTMLElement);
  #streaming = byId("streaming", HTMLInputElement);

  /** @param {TabStorage} storage */
  constructor(storage) {
    this.#storage = storage;
    const { instructions, temperature, streaming } = storage.loadOptions();
    if (typeof instructions === "string") this.#instructions.value = instructions;
    if (typeof temperature === "string") this.#temperature.value = temperature;
    this.#streaming.checked = streaming !== false;
    this.#button.addEventListener("click", () => this.#dialog.showModal());
    byId("options-reset", HTMLButtonElement).addEventListener("click", () => {
      this.#instructions.value = this.#temperature.value = "";
      this.#streaming.checked = true;
      this.#changed();
      this.#instructions.focus();
    });
    byId("options-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#isValid()) this.#dialog.close();
      else this.#temperature.focus();
    });
    this.#dialog.addEventListener("close", () => {
      if (!this.#isValid()) this.#temperature.value = "";
      this.#changed();
    });
    this.#dialog.addEventListener("input", () => this.#changed());
    this.#changed();
  }

  /** The system prompt; "" for none. */
  get instructions() {
    return this.#instructions.value.trim();
  }

  /** Null for the model's default. */
  get temperature() {
    const { valueAsNumber } = this.#temperature;
    return this.#isValid() && !Number.isNaN(valueAsNumber) ? valueAsNumber : null;
  }

  get isStreaming() {
    return this.#streaming.checked;
  }

  #isValid() {
    const { valueAsNumber, validity } = this.#temperature;
    return !validity.badInput && (Number.isNaN(valueAsNumber) || (valueAsNumber >= 0 && valueAsNumber <= MAX_TEMPERATURE));
  }

  #changed() {
    const isValid = this.#isValid();
    this.#problem.textContent = isValid ? "" : `Enter a number from 0 to ${MAX_TEMPERATURE}, or nothing for the model's default.`;
    this.#temperature.setAttribute("aria-invalid", String(!isValid));
    const { instructions, temperature, isStreaming: streaming } = this;
    this.#storage.saveOptions({
      ...(instructions !== "" && { instructions }),
      ...(temperature !== null && { temperature: String(temperature) }),
      ...(!streaming && { streaming }),
    });
    const label = instructions !== "" || temperature !== null || !streaming ? "Options (changed)" : "Options";
    this.#button.setAttribute("aria-label", label);
    this.#button.title = label;
    this.#button.classList.toggle("is-set", label !== "Options");
  }
}
