// @ts-check
/** Keep the newest text in view until the user scrolls up. */

import { byId } from "./elements.js";

const NEAR = 48;

export class Follow {
  #button = byId("latest", HTMLButtonElement);
  #isFollowing = true;
  #lastTop = 0;

  constructor() {
    addEventListener("scroll", () => this.#look(), { passive: true });
    addEventListener("resize", () => this.keepUp());
    this.#button.addEventListener("click", () => {
      this.toEnd();
      byId("question", HTMLTextAreaElement).focus({ preventScroll: true });
    });
  }

  /** Scroll to the end and follow from now on. */
  toEnd() {
    this.#isFollowing = true;
    this.keepUp();
  }

  /** Scroll if following; call it when the conversation has grown. */
  keepUp() {
    if (this.#isFollowing) scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
    this.#button.hidden = this.#isFollowing || this.#left() < NEAR;
  }

  #look() {
    if (scrollY < this.#lastTop - 2) this.#isFollowing = false;
    if (this.#left() < NEAR) this.#isFollowing = true;
    this.#lastTop = scrollY;
    this.#button.hidden = this.#isFollowing;
  }

  #left() {
    return document.documentElement.scrollHeight - innerHeight - scrollY;
  }
}
