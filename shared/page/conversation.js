// @ts-check
/** The conversation so far, and the part of it that is sent to the model. Pure. */

/** @typedef {import("./ask.js").Message} Message */
/** @typedef {import("./ask.js").Part} Part */
/** @typedef {import("./failures.js").Failure} Failure */
/** @typedef {{id: string, name: string, url: string}} Picture An image; `url` is a data URL. */
/** @typedef {{firstMs: number | null, totalMs: number, isComplete: boolean, model: string, usage: import("./ask.js").Usage | null}} Measure */
/** @typedef {{measure: Measure | null, note: string, failure: Failure | null}} Ending */
/**
 * @typedef {object} Turn
 * @property {string} question
 * @property {Picture[]} pictures
 * @property {number} lostPictures how many the question had that are gone
 * @property {string} answer the text received so far
 * @property {import("./ask.js").Source[]} sources what the answer can refer to
 * @property {boolean} isUsable whether this turn may be sent to the model again
 * @property {Ending | null} ending null while the answer is being written
 * @property {import("./resume.js").Place | null} [place] where the page is in an answer that goes on without it
 */

/** The images of a request, newest first, up to this number of characters: the endpoint limits a request's size. */
const MAX_SENT_CHARACTERS = 10_000_000;
const MAX_SENT_PICTURES = 10;

export class Conversation {
  /** @type {readonly Turn[]} */
  turns = [];

  /**
   * Add a new question.
   * @param {string} question
   * @param {Picture[]} [pictures]
   * @returns {Turn}
   */
  begin(question, pictures = []) {
    /** @type {Turn} */
    const turn = { question, pictures, lostPictures: 0, answer: "", sources: [], isUsable: false, ending: null };
    this.turns = [...this.turns, turn];
    return turn;
  }

  /**
   * Ask a turn's question again, perhaps in other words. The turn and all that follow it are removed.
   * @param {Turn} turn
   * @param {string} question
   * @returns {{again: Turn, removed: Turn[]}}
   */
  restart(turn, question) {
    const index = this.turns.indexOf(turn);
    const removed = this.turns.slice(index);
    this.turns = this.turns.slice(0, index);
    const again = this.begin(question, turn.pictures);
    again.lostPictures = turn.lostPictures;
    return { again, removed };
  }

  /** The last turn, or undefined. */
  get last() {
    return this.turns.at(-1);
  }

  clear() {
    this.turns = [];
  }

  /**
   * Return the messages for the turn's question. Turns without an answer are left out, and so are turns stopped by the
   * content filter: they would be blocked again, and every later question with them.
   * @param {Turn} turn
   * @param {string} [instructions] the system prompt, "" for none
   * @returns {Message[]}
   */
  messagesFor(turn, instructions = "") {
    const index = this.turns.indexOf(turn);
    const earlier = this.turns.slice(0, index).filter(({ isUsable, answer }) => isUsable && answer.trim() !== "");
    const sent = sentPictures([...earlier, turn]);
    /** @type {Message[]} */
    const messages = instructions.trim() === "" ? [] : [{ role: "system", content: instructions }];
    for (const { answer, ...asked } of earlier) {
      messages.push({ role: "user", content: content(asked, sent) }, { role: "assistant", content: answer });
    }
    messages.push({ role: "user", content: content(turn, sent) });
    return messages;
  }
}

/**
 * @param {Turn[]} turns
 * @returns {Set<Picture>}
 */
function sentPictures(turns) {
  /** @type {Set<Picture>} */
  const sent = new Set();
  let characters = 0;
  for (const picture of turns.flatMap(({ pictures }) => pictures).reverse()) {
    characters += picture.url.length;
    if (characters > MAX_SENT_CHARACTERS || sent.size === MAX_SENT_PICTURES) break;
    sent.add(picture);
  }
  return sent;
}

/**
 * @param {Pick<Turn, "question" | "pictures" | "lostPictures">} turn
 * @param {Set<Picture>} sent
 * @returns {string | Part[]}
 */
function content({ question, pictures, lostPictures }, sent) {
  if (pictures.length === 0 && lostPictures === 0) return question;
  const shown = pictures.filter((picture) => sent.has(picture));
  const left = pictures.length - shown.length + lostPictures;
  /** @type {Part[]} */
  const parts = question.trim() === "" ? [] : [{ type: "text", text: question }];
  for (const { url } of shown) parts.push({ type: "image_url", image_url: { url } });
  if (left > 0) parts.push({ type: "text", text: `[${left === 1 ? "An image" : `${left} images`} of this question can no longer be sent.]` });
  return parts;
}
