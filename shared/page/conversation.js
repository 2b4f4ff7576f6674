// @ts-check
/** The conversation so far, and the part of it that is sent to the model. Pure. */

/** @typedef {import("./ask.js").Message} Message */
/**
 * @typedef {object} Turn
 * @property {string} question
 * @property {string} answer the text received so far
 * @property {boolean} isUsable whether this turn may be sent to the model again
 * @property {boolean} isShown whether it is on the screen
 */

export class Conversation {
  /** @type {Turn[]} */
  #turns = [];

  /**
   * Add a new question.
   * @param {string} question
   * @returns {Turn}
   */
  begin(question) {
    const turn = { question, answer: "", isUsable: false, isShown: false };
    this.#turns.push(turn);
    return turn;
  }

  /** The last turn, or undefined. */
  get last() {
    return this.#turns.at(-1);
  }

  clear() {
    this.#turns = [];
  }

  /**
   * Return the messages for the turn's question. Turns without an answer are left out, and so are turns stopped by the
   * content filter: they would be blocked again, and every later question with them.
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
