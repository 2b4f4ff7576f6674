// @ts-check
/** The images of the question being written: chosen, pasted or dropped, shown below it, each with a button to remove it. */

import { announce, byId, icon, make } from "./elements.js";
import { PictureRefused, readPicture, thumbnail } from "./pictures.js";

/** @typedef {import("./conversation.js").Picture} Picture */

const MAX_PICTURES = 6;

export class Attachments {
  /** @type {Picture[]} */
  #pictures = [];
  #reading = 0;
  #list = byId("attachments", HTMLUListElement);
  #problem = byId("attach-problem", HTMLElement);
  #button = byId("attach", HTMLButtonElement);
  #input = byId("attach-files", HTMLInputElement);
  #composer = byId("composer", HTMLFormElement);
  #onChange;

  /** @param {() => void} onChange called when an image was added or removed, or is being read */
  constructor(onChange) {
    this.#onChange = onChange;
    this.#button.addEventListener("click", () => this.#input.click());
    this.#input.addEventListener("change", () => {
      void this.#add([...(this.#input.files ?? [])]);
      this.#input.value = ""; // so that the same file can be chosen again
    });
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0 || document.querySelector("dialog[open]") !== null) return;
      if (event.clipboardData?.types.includes("text/plain")) return; // cells of a spreadsheet come as a picture too
      event.preventDefault();
      void this.#add(files);
    });
    document.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // or the browser would leave the page for the file
      this.#composer.classList.add("is-target");
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) this.#composer.classList.remove("is-target");
    });
    document.addEventListener("drop", (event) => {
      this.#composer.classList.remove("is-target");
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      void this.#add([...event.dataTransfer.files]);
    });
  }

  get pictures() {
    return this.#pictures;
  }

  /** Whether an image is still being read. */
  get isReading() {
    return this.#reading > 0;
  }

  /** @param {Picture[]} pictures */
  set(pictures) {
    this.#pictures = pictures;
    this.#say("");
    this.#show();
  }

  /** @param {File[]} files */
  async #add(files) {
    this.#say("");
    this.#reading += 1;
    this.#onChange();
    for (const file of files) {
      if (this.#pictures.length === MAX_PICTURES) {
        this.#say(`A question takes ${MAX_PICTURES} images at most.`);
        break;
      }
      try {
        this.#pictures = [...this.#pictures, await readPicture(file)];
        announce(`${file.name || "Image"} attached.`);
        this.#show();
      } catch (error) {
        if (!(error instanceof PictureRefused)) reportError(error);
        this.#say(error instanceof PictureRefused ? error.message : "The image could not be read.");
      }
    }
    this.#reading -= 1;
    this.#onChange();
  }

  #show() {
    this.#list.replaceChildren(...this.#pictures.map((picture) => this.#item(picture)));
    this.#list.hidden = this.#pictures.length === 0;
    this.#onChange();
  }

  /** @param {Picture} picture */
  #item(picture) {
    const remove = make("button", { type: "button", class: "remove", "aria-label": `Remove ${picture.name}`, title: "Remove" }, icon("close"));
    remove.addEventListener("click", () => {
      this.#pictures = this.#pictures.filter((other) => other !== picture);
      this.#show();
      this.#button.focus();
      announce(`${picture.name} removed.`);
    });
    return make("li", {}, thumbnail(picture), remove);
  }

  /** @param {string} problem */
  #say(problem) {
    this.#problem.textContent = problem;
    if (problem !== "") announce(problem);
  }
}
