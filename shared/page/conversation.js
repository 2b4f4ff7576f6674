// @ts-check
/** What has been said so far, and what of it the model is told. Pure. */

/** @typedef {import("./ask.js").Message} Message */
/**
 * @typedef {object} Turn
 * @property {string} question
 * @property {string} answer what arrived of it
 * @property {boolean} isUsable whether the model may be told of this turn again
 * @property {boolean} isShown whether it is on the screen
 */

export class Conversation {
  /** @type {Turn[]} */
  #turns = [];

  /**
   * A new question.
   * @param {string} question
   * @returns {Turn}
   */
  begin(question) {
    const turn = { question, answer: "", isUsable: false, isShown: false };
    this.#turns.push(turn);
    return turn;
  }

  /** The last turn, if there is one. */
  get last() {
    return this.#turns.at(-1);
  }

  clear() {
    this.#turns = [];
  }

  /**
   * The messages that ask the turn's question. A turn that brought no answer is left out, and so is one that the content
   * filter touched: told again, it would be refused again, and every later question with it.
   * @param {Turn} turn
   * @returns {Message[]}
   */
  messagesFor(turn) {
    /** @type {Message[]} */
    const messages = [];
    for (const earlier of this.#turns) {
      if (earlier === turn) break;
      if (!earlier.isUsable || earlier.answer.trim() === "") continue;
      messages.push({ role: "user", content: earlier.question }, { role: "assistant", content: earlier.answer });
    }
    messages.push({ role: "user", content: turn.question });
    return messages;
  }
}
