// @ts-check
/**
 * Text that arrives in arbitrary pieces -> what it says. Two incremental decoders, both pure: no network, no clock, no DOM.
 *
 * SSE: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 * NDJSON: one JSON value a line, every line ends in LF; https://jsonlines.org
 *
 * Both take text that is already decoded from UTF-8 (by a `TextDecoder` that streams, which also drops the byte order
 * mark). What has no end yet is kept for the next piece, and what never gets one is never told.
 */

/** The longest line, and the longest event, that is waited for: beyond it the sender is broken or hostile. */
export const MOST_CHARACTERS = 8 * 1024 * 1024;

/** The stream is not what it says it is. */
export class MalformedStream extends Error {}

/** Cuts text into lines that end in LF, CR or CRLF; a CR ends its line at once, and an LF that follows is swallowed. */
class Lines {
  #rest = "";
  #afterCarriageReturn = false;

  /**
   * @param {string} text the next piece
   * @returns {Generator<string, void, void>} every line that is complete by now, without its end
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
    if (this.#rest.length > MOST_CHARACTERS) throw new MalformedStream("A line of the stream is too long.");
  }
}

/** @typedef {{event: string, data: string, lastEventId: string}} ServerSentEvent */

export class SseDecoder {
  #lines = new Lines();
  #event = "";
  #data = "";
  #id = "";
  /** The reconnection time that the stream asked for, in milliseconds. @type {number | null} */
  retryMs = null;

  /**
   * @param {string} text the next piece of the stream
   * @returns {Generator<ServerSentEvent, void, void>} the events that are complete by now
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
        if (this.#data.length > MOST_CHARACTERS) throw new MalformedStream("An event of the stream is too long.");
        break;
      case "id":
        if (!value.includes("\0")) this.#id = value;
        break;
      case "retry":
        if (/^[0-9]+$/.test(value)) this.retryMs = Number(value);
        break;
      default: // a comment (its name is empty) or a field that the specification tells to ignore
    }
  }
}

export class NdjsonDecoder {
  #lines = new Lines();

  /**
   * @param {string} text the next piece of the stream
   * @returns {Generator<unknown, void, void>} the values that are complete by now; throws `MalformedStream`
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
