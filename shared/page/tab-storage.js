// @ts-check
/**
 * What survives a reload: the conversation, the draft and the options, in this tab only. The browser's storage is small, so
 * what does not fit is left out, the oldest first: images before text. The rest says what is missing.
 */

/** @typedef {import("./conversation.js").Turn} Turn */
/** @typedef {import("./conversation.js").Picture} Picture */
/** @typedef {{turns: Turn[], leftOut: number}} Saved `leftOut`: how many turns were too old to be kept */
/** @typedef {{text: string, pictures: Picture[]}} Draft */

const PREFIX = "streaming-endpoint-";
const CHAT = `${PREFIX}chat`;
const DRAFT = `${PREFIX}draft`;
const OPTIONS = `${PREFIX}options`;
const PICTURE = `${PREFIX}picture-`;
/** Browsers give 5 million characters, some only half of it; in characters. */
const MAX_TEXT = 700_000;
const MAX_PICTURES = 1_500_000;

export const CUT = "The rest of this answer was too long to be kept.";
export const INTERRUPTED = "The page was left before the answer was complete.";

/** The part of `Storage` that is used. @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">} Store */

export class TabStorage {
  #store;
  /** Turns as JSON; one that has ended does not change. @type {WeakMap<Turn, string>} */
  #written = new WeakMap();

  /** @param {() => Store} [open] throws where storage is blocked */
  constructor(open = () => sessionStorage) {
    try {
      this.#store = open();
    } catch {
      this.#store = null; // everything is kept until the page is reloaded
    }
  }

  /**
   * @param {readonly Turn[]} turns
   * @param {Draft} draft
   * @param {number} [leftOutBefore] how many turns were left out before this page was loaded
   */
  save(turns, draft, leftOutBefore = 0) {
    const kept = fittingPictures([...draft.pictures, ...turns.flatMap(({ pictures }) => pictures).reverse()]);
    for (const name of this.#names()) {
      if (name.startsWith(PICTURE) && !kept.has(name.slice(PICTURE.length))) this.#remove(name);
    }
    for (const [id, { name, url }] of kept) {
      if (this.#read(PICTURE + id) === null && !this.#write(PICTURE + id, JSON.stringify({ name, url }))) kept.delete(id);
    }
    const { text, leftOut } = this.#fittingTurns(turns, kept);
    if (turns.length === 0) this.#remove(CHAT);
    else this.#write(CHAT, `{"leftOut":${leftOutBefore + leftOut},"turns":[${text}]}`);
    this.#saveDraft(draft, kept);
  }

  /** @returns {Saved} */
  loadChat() {
    const { turns, leftOut } = fields(parsed(this.#read(CHAT)));
    if (!Array.isArray(turns)) return { turns: [], leftOut: 0 };
    const last = turns.length - 1;
    const found = turns.map((turn, index) => this.#turn(fields(turn), index === last)).filter((turn) => turn !== null);
    return { turns: found, leftOut: Number(leftOut) || 0 };
  }

  /** @returns {Draft} */
  loadDraft() {
    const { text, pictures } = fields(parsed(this.#read(DRAFT)));
    return { text: typeof text === "string" ? text : "", pictures: this.#pictures(pictures) };
  }

  /** @returns {Record<string, unknown>} */
  loadOptions() {
    return fields(parsed(this.#read(OPTIONS)));
  }

  /** @param {Record<string, unknown>} options an empty object for the defaults */
  saveOptions(options) {
    if (Object.keys(options).length === 0) this.#remove(OPTIONS);
    else this.#write(OPTIONS, JSON.stringify(options));
  }

  /**
   * @param {Draft} draft
   * @param {Map<string, Picture>} kept
   */
  #saveDraft({ text, pictures }, kept) {
    if (text === "" && pictures.length === 0) return this.#remove(DRAFT);
    const ids = pictures.map(({ id }) => id).filter((id) => kept.has(id));
    this.#write(DRAFT, JSON.stringify({ text: text.slice(0, MAX_TEXT / 2), pictures: ids }));
  }

  /**
   * Return the newest turns that fit, as JSON without the brackets, and how many do not.
   * @param {readonly Turn[]} turns
   * @param {Map<string, Picture>} kept
   */
  #fittingTurns(turns, kept) {
    /** @type {string[]} */
    const parts = [];
    let room = MAX_TEXT;
    for (const turn of [...turns].reverse()) {
      let part = this.#json(turn, kept);
      if (parts.length === 0 && part.length > room) part = JSON.stringify(cut(stored(turn, kept), room));
      room -= part.length;
      if (room < 0) break;
      parts.unshift(part);
    }
    return { text: parts.join(","), leftOut: turns.length - parts.length };
  }

  /**
   * @param {Turn} turn
   * @param {Map<string, Picture>} kept
   */
  #json(turn, kept) {
    if (turn.pictures.length > 0 || turn.ending === null) return JSON.stringify(stored(turn, kept));
    const text = this.#written.get(turn) ?? JSON.stringify(stored(turn, kept));
    this.#written.set(turn, text);
    return text;
  }

  /**
   * @param {Record<string, unknown>} saved
   * @param {boolean} isLast whether the answer may still be going on
   * @returns {Turn | null}
   */
  #turn({ question, pictures, lostPictures, answer, sources, isUsable, ending, place }, isLast) {
    if (typeof question !== "string" || typeof answer !== "string") return null;
    const found = this.#pictures(pictures);
    const named = Array.isArray(pictures) ? pictures.length : 0;
    const { measure, note, failure } = fields(ending);
    const goesOn = isLast && ending === null && isPlace(place);
    return {
      ...(goesOn && { place }),
      question,
      pictures: found,
      lostPictures: (Number(lostPictures) || 0) + named - found.length,
      answer,
      sources: Array.isArray(sources) ? sources.filter(isSource) : [],
      isUsable: ending === null ? answer !== "" && !goesOn : isUsable === true,
      ending: goesOn ? null : {
        measure: isMeasure(measure) ? measure : null,
        note: ending === null ? INTERRUPTED : typeof note === "string" ? note : "",
        failure: isFailure(failure) ? failure : null,
      },
    };
  }

  /**
   * @param {unknown} ids
   * @returns {Picture[]}
   */
  #pictures(ids) {
    if (!Array.isArray(ids)) return [];
    return ids.flatMap((id) => {
      const { name, url } = fields(parsed(this.#read(`${PICTURE}${id}`)));
      return typeof name === "string" && typeof url === "string" && url.startsWith("data:image/") ? [{ id: String(id), name, url }] : [];
    });
  }

  #names() {
    const store = this.#store;
    return store === null ? [] : Array.from({ length: store.length }, (_, index) => store.key(index) ?? "");
  }

  /** @param {string} name */
  #read(name) {
    return this.#store?.getItem(name) ?? null;
  }

  /**
   * @param {string} name
   * @param {string} value
   * @returns {boolean} whether it is stored
   */
  #write(name, value) {
    try {
      this.#store?.setItem(name, value);
      return this.#store !== null;
    } catch {
      this.#remove(name); // full: better nothing than something old
      return false;
    }
  }

  /** @param {string} name */
  #remove(name) {
    this.#store?.removeItem(name);
  }
}

/**
 * @param {Picture[]} pictures the most important first
 * @returns {Map<string, Picture>} those that fit, by id
 */
function fittingPictures(pictures) {
  /** @type {Map<string, Picture>} */
  const kept = new Map();
  let room = MAX_PICTURES;
  for (const picture of pictures) {
    if (kept.has(picture.id)) continue;
    room -= picture.url.length;
    if (room < 0) break;
    kept.set(picture.id, picture);
  }
  return kept;
}

/**
 * @param {Turn} turn
 * @param {Map<string, Picture>} kept
 */
function stored({ pictures, lostPictures, ...turn }, kept) {
  const ids = pictures.map(({ id }) => id).filter((id) => kept.has(id));
  return { ...turn, pictures: ids, lostPictures: lostPictures + pictures.length - ids.length };
}

/**
 * @param {ReturnType<typeof stored>} turn
 * @param {number} room in characters of JSON
 */
function cut(turn, room) {
  // JSON writes a character with up to six; nearly all need one.
  for (let length = room - 4000; ; length = Math.floor(length / 2)) {
    const shorter = { ...turn, sources: [], question: turn.question.slice(0, length / 2), answer: turn.answer.slice(0, length / 2), ending: { measure: null, failure: null, note: CUT } };
    if (length < 2 || JSON.stringify(shorter).length <= room) return shorter;
  }
}

/**
 * @param {unknown} value
 * @returns {value is import("./conversation.js").Measure}
 */
function isMeasure(value) {
  const { totalMs, model, usage } = fields(value);
  const counts = fields(usage);
  const isUsage = usage === null || ["input", "output", "cached", "reasoning"].every((name) => typeof counts[name] === "number");
  return typeof totalMs === "number" && typeof model === "string" && isUsage;
}

/**
 * @param {unknown} value
 * @returns {value is import("./resume.js").Place}
 */
function isPlace(value) {
  const { id, after } = fields(value);
  return typeof id === "string" && id !== "" && typeof after === "number";
}

/**
 * @param {unknown} value
 * @returns {value is import("./ask.js").Source}
 */
function isSource(value) {
  const source = fields(value);
  return ["id", "title", "url", "excerpt"].every((name) => typeof source[name] === "string");
}

/**
 * @param {unknown} value
 * @returns {value is import("./failures.js").Failure}
 */
function isFailure(value) {
  const failure = fields(value);
  return ["title", "advice", "message", "detail"].every((name) => typeof failure[name] === "string");
}

/**
 * @param {string | null} text
 * @returns {unknown}
 */
function parsed(text) {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
function fields(value) {
  return typeof value === "object" && value !== null ? /** @type {Record<string, unknown>} */ (value) : {};
}
