// @ts-check
/**
 * Text arrives in bursts and is read evenly: how much of it to show at which moment. Pure: the caller brings the clock.
 *
 * Between two arrivals the speed is constant, and chosen so that what waits lasts until the next arrival is due; so bursts
 * of any size flow out evenly, and the more waits, the faster it goes. It never waits for more than `MOST_LAG_MS`.
 */

/** One step of the reveal; about thirty a second is as smooth to the reader as sixty, at half the work. */
export const FRAME_MS = 33;
/** Arrivals nearer to each other than this are one. */
const SAME_ARRIVAL_MS = 25;
const LEAST_LAG_MS = 160;
const MOST_LAG_MS = 1500;
/** Faster than this (characters a millisecond) only when the lag would grow beyond `MOST_LAG_MS`. */
const EASY_SPEED = 1.2;
/** How long what is left takes once the answer has ended. */
const LAST_LAG_MS = 500;
/** A gap that is about to be outlasted is better than one that is just missed. */
const MARGIN = 1.25;
/** A word longer than this is shown in parts. */
const LONGEST_WORD = 24;

export class Pacer {
  #received = 0;
  #shown = 0;
  #speed = 0;
  #lagMs = 300;
  /** @type {number | null} */
  #lastArrival = null;
  /** @type {number | null} */
  #lastStep = null;
  #hasEnded = false;

  /** Whether everything that arrived is shown. */
  get isIdle() {
    return this.#shown >= this.#received;
  }

  /**
   * @param {number} received how many characters there are by now
   * @param {number} now in milliseconds
   */
  arrive(received, now) {
    if (this.#lastArrival !== null && now - this.#lastArrival > SAME_ARRIVAL_MS) {
      const gap = Math.min(now - this.#lastArrival, MOST_LAG_MS);
      this.#lagMs += (gap * MARGIN - this.#lagMs) * 0.4;
    }
    if (this.isIdle) this.#lastStep = now;
    if (this.#lastArrival === null || now - this.#lastArrival > SAME_ARRIVAL_MS) this.#lastArrival = now;
    this.#received = received;
    this.#choose();
  }

  /** Everything that arrived is on the screen: the last word was shown whole, ahead of its time. */
  catchUp() {
    this.#shown = this.#received;
  }

  /** Nothing more will arrive. */
  end() {
    this.#hasEnded = true;
    this.#choose();
  }

  /**
   * @param {number} now in milliseconds
   * @returns {number} how many characters to show
   */
  advance(now) {
    const first = this.#shown === 0 && this.#received > 0 ? 1 : 0; // the first word waits for nobody
    const passed = this.#lastStep === null ? 0 : now - this.#lastStep;
    this.#lastStep = now;
    this.#shown = Math.min(this.#received, Math.max(first, this.#shown + passed * this.#speed));
    return Math.floor(this.#shown);
  }

  #choose() {
    const waiting = this.#received - this.#shown;
    const usual = this.#hasEnded ? LAST_LAG_MS : Math.max(LEAST_LAG_MS, this.#lagMs);
    const easy = Math.max(usual, waiting / EASY_SPEED);
    const speed = waiting / Math.min(easy, this.#hasEnded ? Math.max(LAST_LAG_MS, MOST_LAG_MS / 2) : MOST_LAG_MS);
    this.#speed = this.#hasEnded ? Math.max(speed, this.#speed) : speed;
  }
}

/**
 * The end of the word that `index` falls in, so that words appear whole.
 * @param {string} text
 * @param {number} index
 * @returns {number} at least `index`
 */
export function endOfWord(text, index) {
  if (index <= 0 || index >= text.length) return Math.max(0, Math.min(index, text.length));
  const limit = Math.min(text.length, index + LONGEST_WORD);
  for (let end = index; end < limit; end += 1) {
    if (/\s/.test(text.charAt(end))) return end;
  }
  if (limit === text.length) return limit;
  const code = text.charCodeAt(index);
  return code >= 0xdc00 && code <= 0xdfff ? index + 1 : index; // never half of a surrogate pair
}
