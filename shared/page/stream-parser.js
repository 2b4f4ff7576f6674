// @ts-check
/**
 * Two incremental decoders for text that arrives in arbitrary pieces. Both are pure: no network, no clock, no DOM.
 *
 * SSE: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 * NDJSON: one JSON value per line, every line ends in LF; https://jsonlines.org
 *
 * Both take text already decoded from UTF-8 (by a streaming `TextDecoder`, which also removes the byte order mark). An
 * incomplete line or event is kept for the next piece, and discarded when the stream ends.
 */

/** Maximum length of a line and of an event. A longer one means that the sender is broken or hostile. */
export const MAX_CHARACTERS = 8 * 1024 * 1024;

/** The stream does not have the format of its media type. */
export class MalformedStream extends Error {}

/** Splits text into lines that end in LF, CR or CRLF. A CR ends its line at once; an LF that follows it is skipped. */
class Lines {
  #rest = "";
  #afterCarriageReturn = false;

  /**
   * @param {string} text the next piece
   * @returns {Generator<string, void, void>} every complete line, without its ending
   */
  *feed(text) {
    const end = /\r\n?|\n/g;
    let start = this.#afterCarriageReturn && text.startsWith("\n") ? 1 : 0;
    if (text !== "") this.#afterCarriageReturn = text.endsWith("\r");
    end.lastIndex = start;
    for (let found = end.exec(text); found !== null; found = end.exec(text)) {
      const line = this.#rest + text.slice(start, found.index);
      this.#rest = "";
      start = end.lastIndex;
      yield line;
    }
    this.#rest += text.slice(start);
    if (this.#rest.length > MAX_CHARACTERS) throw new MalformedStream("A line of the stream is too long.");
  }
}

/** @typedef {{event: string, data: string, lastEventId: string}} ServerSentEvent */

export class SseDecoder {
  #lines = new Lines();
  #event = "";
  #data = "";
  #id = "";
  /** The reconnection time set by the stream, in milliseconds. @type {number | null} */
  retryMs = null;

  /**
   * @param {string} text the next piece of the stream
   * @returns {Generator<ServerSentEvent, void, void>} the events completed by this piece
   */
  *feed(text) {
    for (const line of this.#lines.feed(text)) {
      if (line !== "") this.#field(line);
      else if (this.#data === "") this.#event = "";
      else {
        const event = { event: this.#event || "message", data: this.#data.slice(0, -1), lastEventId: this.#id };
        this.#event = this.#data = "";
        yield event;
      }
    }
  }

  /** @param {string} line */
  #field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    switch (name) {
      case "event":
        this.#event = value;
        break;
      case "data":
        this.#data += value + "\n";
        if (this.#data.length > MAX_CHARACTERS) throw new MalformedStream("An event of the stream is too long.");
        break;
      case "id":
        if (!value.includes("\0")) this.#id = value;
        break;
      case "retry":
        if (/^[0-9]+$/.test(value)) this.retryMs = Number(value);
        break;
      default: // a comment (its name is empty), or a field to be ignored according to the specification
    }
  }
}

export class NdjsonDecoder {
  #lines = new Lines();

  /**
   * @param {string} text the next piece of the stream
   * @returns {Generator<unknown, void, void>} the values completed by this piece; throws `MalformedStream`
   */
  *feed(text) {
    for (const line of this.#lines.feed(text)) {
      if (line.trim() !== "") yield parseJson(line);
    }
  }
}

/**
 * @param {string} text
 * @returns {unknown}
 */
export function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MalformedStream("A line of the stream is not JSON.", { cause: error });
  }
}
