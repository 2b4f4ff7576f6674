// @ts-check
/** The conversation as Markdown. Pure. */

/** @typedef {import("./conversation.js").Turn} Turn */

/**
 * @param {readonly Turn[]} turns
 * @param {string} [instructions] the system prompt, "" for none
 * @returns {string}
 */
export function transcript(turns, instructions = "") {
  const parts = instructions === "" ? [] : ["## Instructions", instructions];
  for (const turn of turns) {
    parts.push("## You", ...turn.pictures.map(({ name }) => `*Image: ${escaped(name)}*`));
    if (turn.lostPictures > 0) parts.push(`*Images that are gone: ${turn.lostPictures}*`);
    if (turn.question !== "") parts.push(turn.question);
    parts.push(`## ${turn.ending?.measure?.model || "Answer"}`);
    if (turn.answer.trim() !== "") parts.push(closed(turn.answer.trim()));
    if (turn.sources.length > 0) parts.push(turn.sources.map(({ id, title, url }) => `- ${escaped(`[${id}] ${title}`)}${url === "" ? "" : ` <${url}>`}`).join("\n"));
    for (const note of notes(turn)) parts.push(`*${note}*`);
  }
  return `${parts.join("\n\n")}\n`;
}

/**
 * @param {Turn} turn
 * @returns {string[]}
 */
function notes({ ending }) {
  if (ending === null) return ["The answer is still being written."];
  const { note, failure } = ending;
  return [note, failure === null ? "" : `${failure.title}. ${failure.message}`.trim()].filter(Boolean);
}

/**
 * Close a code block that an answer left open, or it would swallow the rest.
 * @param {string} text
 * @returns {string}
 */
function closed(text) {
  let open = "";
  for (const [, fence = ""] of text.matchAll(/^ {0,3}(`{3,}|~{3,})[^`\n]*$/gm)) {
    if (open === "") open = fence;
    else if (fence[0] === open[0] && fence.length >= open.length) open = "";
  }
  return open === "" ? text : `${text}\n${open}`;
}

/**
 * @param {string} text
 * @returns {string}
 */
function escaped(text) {
  return text.replace(/[\\`*_[\]<>]/g, "\\$&");
}
