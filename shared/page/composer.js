// @ts-check
/** The question being written: Enter sends, Shift+Enter starts a new line, Escape stops the answer. */

import { Attachments } from "./attachments.js";
import { byId, isSendKey } from "./elements.js";

/** @typedef {import("./tab-storage.js").Draft} Draft */

const canHover = matchMedia("(hover: hover)");

export class Composer {
  #form = byId("composer", HTMLFormElement);
  #field = byId("question", HTMLTextAreaElement);
  #send = byId("send", HTMLButtonElement);
  #stop = byId("stop", HTMLButtonElement);
  #attachments = new Attachments(() => this.#changed());
  #isBusy = false;
  #actions;

  /** @param {{onAsk: (draft: Draft) => void, onStop: () => void, onChange: () => void}} actions */
  constructor(actions) {
    this.#actions = actions;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    this.#field.addEventListener("keydown", (event) => {
      if (!isSendKey(event)) return;
      event.preventDefault();
      this.#ask();
    });
    this.#field.addEventListener("input", () => this.#changed());
    this.#stop.addEventListener("click", () => actions.onStop());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#isBusy && document.querySelector("dialog[open]") === null) actions.onStop();
    });
    this.#fit();
  }

  /** What has been written and attached, and not sent yet. */
  get draft() {
    return { text: this.#field.value, pictures: this.#attachments.pictures };
  }

  set draft({ text, pictures }) {
    this.#field.value = text;
    this.#attachments.set(pictures);
    this.#fit();
  }

  /** @param {boolean} isBusy whether an answer is in progress */
  set isBusy(isBusy) {
    const hadFocus = document.activeElement === this.#stop || document.activeElement === this.#send;
    this.#isBusy = isBusy;
    this.#send.hidden = isBusy;
    this.#stop.hidden = !isBusy;
    if (hadFocus) this.focus();
  }

  /** Focus the field; on a touch screen focus the button, so that the on-screen keyboard does not open. */
  focus() {
    const button = this.#isBusy ? this.#stop : this.#send;
    (canHover.matches ? this.#field : button).focus({ preventScroll: true });
  }

  #ask() {
    if (this.#isEmpty || this.#isBusy || this.#attachments.isReading) return;
    const { text, pictures } = this.draft;
    this.focus();
    this.draft = { text: "", pictures: [] };
    this.#actions.onAsk({ text: text.trim(), pictures });
  }

  get #isEmpty() {
    return this.#field.value.trim() === "" && this.#attachments.pictures.length === 0;
  }

  #changed() {
    this.#fit();
    this.#actions.onChange();
  }

  #fit() {
    this.#send.disabled = this.#isEmpty || this.#attachments.isReading;
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}
