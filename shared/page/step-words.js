// @ts-check
/** The steps before and in an answer, in words. Pure. */

/** @typedef {import("./ask.js").Step} Step */

const MAX_QUERY_CHARACTERS = 80;

/**
 * @param {Step} step
 * @returns {string}
 */
export function stepWords({ name, status, detail }) {
  const query = typeof detail["query"] === "string" ? quoted(detail["query"]) : "";
  if (name === "search-query") return status === "started" ? "Reading the question…" : `Question: ${query}`;
  if (name === "search") return SEARCH[status]?.(detail) ?? `search: ${plain(status)}`;
  return `${plain(name)}: ${plain(status)}${query === "" ? "" : ` ${query}`}`;
}

/** @type {Record<string, (detail: Record<string, unknown>) => string>} */
const SEARCH = {
  started: () => "Searching…",
  failed: () => "The search failed: this answer has no sources",
  finished: ({ count, milliseconds }) => {
    const found = Number(count) || 0;
    const what = found === 0 ? "nothing found" : `${found} ${found === 1 ? "passage" : "passages"}`;
    return `${what}, ${Math.round(Number(milliseconds) || 0)} ms`;
  },
};

/** @param {string} text */
function quoted(text) {
  const query = text.length > MAX_QUERY_CHARACTERS ? `${text.slice(0, MAX_QUERY_CHARACTERS)}…` : text;
  return `“${query}”`;
}

/** @param {string} name such as web_search */
function plain(name) {
  return name.replaceAll("_", " ");
}
