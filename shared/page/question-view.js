// @ts-check
/** The view of one question: its text and images, and a form to edit it. */

import { icon, isSendKey, make, quietButton } from "./elements.js";
import { thumbnail } from "./pictures.js";

/** @typedef {import("./conversation.js").Turn} Turn */

export class QuestionView {
  element = make("section", { class: "question" });
  #turn;
  #onAsk;
  #title = make("h2", { class: "visually-hidden" }, "Question");
  #edit;

  /**
   * @param {Turn} turn
   * @param {(question: string) => void} onAsk called with the edited question
   */
  constructor(turn, onAsk) {
    this.#turn = turn;
    this.#onAsk = onAsk;
    this.#edit = quietButton("edit", "Edit", () => this.#startEditing());
    this.#edit.classList.add("edit");
    this.#show();
  }

  #show() {
    const { question, pictures, lostPictures } = this.#turn;
    this.element.classList.remove("is-edited");
    this.element.replaceChildren(this.#title);
    if (pictures.length > 0) this.element.append(make("div", { class: "pictures" }, ...pictures.map((picture) => thumbnail(picture))));
    if (lostPictures > 0) {
      const what = lostPictures === 1 ? "1 image was" : `${lostPictures} images were`;
      this.element.append(make("div", { class: "lost" }, icon("info"), make("span", {}, `${what} too large to be kept in this tab.`)));
    }
    if (question !== "") this.element.append(make("p", { dir: "auto" }, question));
    this.element.append(this.#edit);
  }

  #startEditing() {
    const field = make("textarea", { "aria-label": "Edit the question", dir: "auto", rows: "1", enterkeyhint: "send" });
    field.value = this.#turn.question;
    const cancel = make("button", { type: "button", class: "secondary" }, "Cancel");
    const form = make("form", { class: "editor" }, field, make("div", { class: "buttons" }, cancel, make("button", { type: "submit", class: "primary" }, "Ask")));
    const stop = () => {
      this.#show();
      this.#edit.focus();
    };
    cancel.addEventListener("click", stop);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const question = field.value.trim();
      if (question !== "" || this.#turn.pictures.length > 0) this.#onAsk(question);
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation(); // it would stop the answer as well
        stop();
      } else if (event.target === field && isSendKey(event)) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    this.element.classList.add("is-edited");
    this.element.replaceChildren(this.#title, form);
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }
}
