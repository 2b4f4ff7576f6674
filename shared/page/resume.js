// @ts-check
/**
 * One answer over as many connections as it takes: what is lost is taken up again where it broke, where the deployment offers
 * that. Leaving the page is no stop then.
 */

import { ask, takeUp } from "./ask.js";
import { AnswerFailed } from "./failures.js";

/** @typedef {import("./ask.js").AnswerEvent} AnswerEvent */
/** @typedef {import("./ask.js").Question} Question */
/** @typedef {{id: string, after: number}} Place Where a reader is: the answer's id, and the position of the last event. */

/** Before each attempt that follows one which brought nothing; then the failure is shown. */
export const PAUSES_MS = [500, 1000, 2000, 4000];

/**
 * Ask, or go on with an answer that had begun, and yield its events; see `ask`.
 * @param {Question} question
 * @param {object} how
 * @param {Place | null} how.place where an earlier page was, null for a new answer
 * @param {(place: Place) => void} how.onPlace called with each event that has a position, before it is yielded
 * @param {() => void} how.onLost called before each attempt to go on
 * @param {(ms: number) => Promise<void>} [how.pause]
 * @returns {AsyncGenerator<AnswerEvent, void, void>}
 */
export async function* askOn(question, { place, onPlace, onLost, pause = wait }) {
  let here = place;
  for (let failures = 0; ; failures += 1) {
    try {
      const events = here === null ? ask(question) : takeUp(here, question);
      for await (const event of events) {
        failures = 0;
        if (event.type === "started" && event.resume !== "") here = { id: event.resume, after: 0 };
        if (here !== null && event.at !== undefined) onPlace((here = { ...here, after: event.at }));
        yield event;
      }
      return;
    } catch (error) {
      if (here === null || !(error instanceof AnswerFailed) || !error.mayPass || failures >= PAUSES_MS.length) throw error;
    }
    onLost();
    await pause(PAUSES_MS[failures] ?? 0);
    question.signal.throwIfAborted();
  }
}

/** @param {number} ms */
function wait(ms) {
  return /** @type {Promise<void>} */ (new Promise((resolve) => setTimeout(resolve, ms)));
}
