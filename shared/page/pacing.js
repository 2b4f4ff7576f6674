// @ts-check
/**
 * Text arrives in bursts and should appear evenly: compute how much of it to show at a given time. Pure: the caller passes
 * the time.
 *
 * Between two arrivals the speed is constant, and chosen so that the backlog lasts until the next arrival is due: bursts of
 * any size appear evenly, and a larger backlog is shown faster. Text is never delayed by more than `MAX_LAG_MS`.
 */

/** One step. About 30 steps a second look as smooth as 60, at half the work. */
export const FRAME_MS = 33;
/** Arrivals closer together than this count as one. */
const SAME_ARRIVAL_MS = 25;
const MIN_LAG_MS = 160;
const MAX_LAG_MS = 1500;
/** In characters per millisecond; exceeded only when the lag would grow beyond `MAX_LAG_MS`. */
const EASY_SPEED = 1.2;
/** Time to show the backlog once the answer has ended. */
const LAST_LAG_MS = 500;
/** Expect gaps a little longer than measured, so that the backlog does not run out just before the next arrival. */
const MARGIN = 1.25;
/** Longer words are shown in parts. */
const MAX_WORD_LENGTH = 24;

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

  /** Whether everything received is shown. */
  get isIdle() {
    return this.#shown >= this.#received;
  }

  /**
   * @param {number} received the number of characters received so far
   * @param {number} now in milliseconds
   */
  arrive(received, now) {
    if (this.#lastArrival !== null && now - this.#lastArrival > SAME_ARRIVAL_MS) {
      const gap = Math.min(now - this.#lastArrival, MAX_LAG_MS);
      this.#lagMs += (gap * MARGIN - this.#lagMs) * 0.4;
    }
    if (this.isIdle) this.#lastStep = now;
    if (this.#lastArrival === null || now - this.#lastArrival > SAME_ARRIVAL_MS) this.#lastArrival = now;
    this.#received = received;
    this.#choose();
  }

  /** Count everything received as shown: the last word was completed ahead of time. */
  catchUp() {
    this.#shown = this.#received;
  }

  /** Signal that nothing more will arrive. */
  end() {
    this.#hasEnded = true;
    this.#choose();
  }

  /**
   * @param {number} now in milliseconds
   * @returns {number} the number of characters to show
   */
  advance(now) {
    const first = this.#shown === 0 && this.#received > 0 ? 1 : 0; // the first character is shown without delay
    const passed = this.#lastStep === null ? 0 : now - this.#lastStep;
    this.#lastStep = now;
    this.#shown = Math.min(this.#received, Math.max(first, this.#shown + passed * this.#speed));
    return Math.floor(this.#shown);
  }

  #choose() {
    const waiting = this.#received - this.#shown;
    const usual = this.#hasEnded ? LAST_LAG_MS : Math.max(MIN_LAG_MS, this.#lagMs);
    const easy = Math.max(usual, waiting / EASY_SPEED);
    const speed = waiting / Math.min(easy, this.#hasEnded ? Math.max(LAST_LAG_MS, MAX_LAG_MS / 2) : MAX_LAG_MS);
    this.#speed = this.#hasEnded ? Math.max(speed, this.#speed) : speed;
  }
}

/**
 * Return the end of the word at `index`, so that words do not appear in parts.
 * @param {string} text
 * @param {number} index
 * @returns {number} at least `index`
 */
export function endOfWord(text, index) {
  if (index <= 0 || index >= text.length) return Math.max(0, Math.min(index, text.length));
  const limit = Math.min(text.length, index + MAX_WORD_LENGTH);
  for (let end = index; end < limit; end += 1) {
    if (/\s/.test(text.charAt(end))) return end;
  }
  if (limit === text.length) return limit;
  const code = text.charCodeAt(index);
  return code >= 0xdc00 && code <= 0xdfff ? index + 1 : index; // never split a surrogate pair
}
