// @ts-check
/** The question field: Enter sends, Shift+Enter starts a new line, Escape stops the answer. */

import { byId } from "./elements.js";

const canHover = matchMedia("(hover: hover)");

export class Composer {
  #form = byId("composer", HTMLFormElement);
  #field = byId("question", HTMLTextAreaElement);
  #send = byId("send", HTMLButtonElement);
  #stop = byId("stop", HTMLButtonElement);
  #streaming = byId("streaming", HTMLInputElement);
  #isBusy = false;
  #actions;

  /** @param {{onAsk: (question: string) => void, onStop: () => void}} actions */
  constructor(actions) {
    this.#actions = actions;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    this.#field.addEventListener("keydown", (event) => {
      // NOTE: the Enter that ends an input method's composition has `isComposing` set; in Safari, only key code 229.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#ask();
    });
    this.#field.addEventListener("input", () => this.#fit());
    this.#stop.addEventListener("click", () => actions.onStop());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#isBusy && document.querySelector("dialog[open]") === null) actions.onStop();
    });
    this.#fit();
  }

  get isStreaming() {
    return this.#streaming.checked;
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
    const question = this.#field.value.trim();
    if (question === "" || this.#isBusy) return;
    this.focus();
    this.#field.value = "";
    this.#fit();
    this.#actions.onAsk(question);
  }

  #fit() {
    this.#send.disabled = this.#field.value.trim() === "";
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}
