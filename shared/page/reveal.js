// @ts-check
/** Show a growing text step by step, paced by `Pacer`; at once with reduced motion or on a hidden page. */

import { FRAME_MS, Pacer, endOfWord } from "./pacing.js";

const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
/** Maximum share of the time spent on steps, so that long blocks do not make the page sluggish. */
const MAX_WORK_SHARE = 0.25;
/** A hidden page gets no animation frames. */
const HIDDEN_STEP_MS = 500;

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

  /** @param {(text: string, options: {isComplete: boolean}) => void} show called with increasingly long prefixes of the text */
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
   * Signal that nothing more will come.
   * @param {{atOnce?: boolean}} [options] whether the rest is shown without pacing
   * @returns {Promise<void>} resolved when everything is shown
   */
  end({ atOnce = false } = {}) {
    this.#hasEnded = true;
    this.#pacer.end();
    if (atOnce) this.#finish();
    else this.#plan();
    return this.#done.promise;
  }

  /** Stop pacing, and show everything received. */
  hurry() {
    if (this.#hasEnded) this.#finish();
    this.#isHurried = true;
  }

  #plan() {
    if (this.#isFinished || this.#frame !== 0) return;
    this.#frame = requestAnimationFrame((now) => this.#step(now));
    this.#timer = window.setTimeout(() => this.#step(performance.now()), HIDDEN_STEP_MS);
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
    if (length >= this.#text.length) this.#pacer.catchUp(); // or the pause that follows would count as time to show more in
    if (length > this.#shown) {
      this.#shown = length;
      try {
        this.#show(this.#text.slice(0, length), { isComplete: false });
      } catch (error) {
        reportError(error); // a step that fails does not stop the following ones
      }
      const work = performance.now() - now;
      this.#nextStep = now + Math.max(FRAME_MS, work / MAX_WORK_SHARE) - 4; // frames are never exactly on time
    }
    if (this.#shown < this.#text.length || this.#hasEnded) this.#plan();
  }

  #finish() {
    if (this.#isFinished) return;
    this.#isFinished = true;
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    try {
      this.#show(this.#text, { isComplete: true });
    } catch (error) {
      reportError(error);
    } finally {
      this.#done.resolve();
    }
  }
}
