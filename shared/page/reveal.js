// @ts-check
/** Shows a growing text step by step, at the pace of `Pacer`: at once where motion is unwelcome or nobody looks. */

import { FRAME_MS, Pacer, endOfWord } from "./pacing.js";

const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
/** A step may take this share of the time, so that long blocks never make the page sluggish. */
const MOST_WORK = 0.25;
/** A page that nobody sees gets no frames. */
const UNSEEN_STEP_MS = 500;

export class Reveal {
  #show;
  #pacer = new Pacer();
  #text = "";
  #shown = 0;
  #hasEnded = false;
  #isHurried = false;
  #isFinished = false;
  #nextStep = 0;
  #frame = 0;
  #timer = 0;
  /** @type {PromiseWithResolvers<void>} */
  #done = Promise.withResolvers();

  /** @param {(text: string, options: {isWhole: boolean}) => void} show called with ever longer beginnings of the text */
  constructor(show) {
    this.#show = show;
  }

  /** @param {string} piece */
  add(piece) {
    this.#text += piece;
    this.#pacer.arrive(this.#text.length, performance.now());
    this.#plan();
  }

  /**
   * Nothing more will come.
   * @param {{atOnce?: boolean}} [options] whether what is left is shown without any pacing
   * @returns {Promise<void>} resolved when everything is shown
   */
  end({ atOnce = false } = {}) {
    this.#hasEnded = true;
    this.#pacer.end();
    if (atOnce) this.#finish();
    else this.#plan();
    return this.#done.promise;
  }

  /** No more pacing: what has arrived is shown now. */
  hurry() {
    if (this.#hasEnded) this.#finish();
    this.#isHurried = true;
  }

  #plan() {
    if (this.#isFinished || this.#frame !== 0) return;
    this.#frame = requestAnimationFrame((now) => this.#step(now));
    this.#timer = window.setTimeout(() => this.#step(performance.now()), UNSEEN_STEP_MS);
  }

  /** @param {number} now */
  #step(now) {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#frame = this.#timer = 0;
    if (now < this.#nextStep) return this.#plan();
    const isAtOnce = this.#isHurried || lessMotion.matches || document.hidden;
    const length = isAtOnce ? this.#text.length : endOfWord(this.#text, this.#pacer.advance(now));
    if (this.#hasEnded && length >= this.#text.length) return this.#finish();
    if (length >= this.#text.length) this.#pacer.catchUp(); // or the rest that follows would count as time to show more in
    if (length > this.#shown) {
      this.#shown = length;
      this.#show(this.#text.slice(0, length), { isWhole: false });
      const work = performance.now() - now;
      this.#nextStep = now + Math.max(FRAME_MS, work / MOST_WORK) - 4; // a display's frame is never exactly on time
    }
    if (this.#shown < this.#text.length || this.#hasEnded) this.#plan();
  }

  #finish() {
    if (this.#isFinished) return;
    this.#isFinished = true;
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#show(this.#text, { isWhole: true });
    this.#done.resolve();
  }
}
