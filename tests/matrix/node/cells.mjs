// The one shape of these programs, as programs/cells.py: each hands `run` what its client does for a cell, or why it does not.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const WAIT_MS = 2500;

/** What a file of docs/clients.md exports. */
export function setup(name) {
  return import(pathToFileURL(join(process.env.SETUP, name)).href);
}

/** `stream` is an asynchronous generator of pieces, given a prompt and a signal; `cancel`, `broken` and `limit` are made of it. */
export async function run(cells) {
  for (const [name, asked] of Object.entries(JSON.parse(process.env.MATRIX_CELLS))) {
    const found = cells[name];
    const pieces = [];
    try {
      if (typeof found === "string") report(name, { none: found });
      else if (name === "cancel") report(name, await (found ?? cancel)(cells.stream, asked, pieces));
      else if (found && name !== "stream") report(name, await found(asked));
      else report(name, await read(cells.stream, asked, pieces));
    } catch (error) {
      if (process.env.MATRIX_TRACE) console.error(error);
      report(name, { error: told(error), pieces });
    }
  }
  process.exit(0); // what a client leaves running is not asked for here
}

async function read(stream, asked, pieces) {
  for await (const piece of stream(asked, new AbortController().signal)) if (piece) pieces.push(piece);
  return { pieces };
}

/** Abort after three pieces. */
async function cancel(stream, asked, pieces) {
  const leaving = new AbortController();
  let leftAt;
  try {
    for await (const piece of stream(asked, leaving.signal)) {
      if (piece) pieces.push(piece);
      if (pieces.length === 3 && leftAt === undefined) {
        leftAt = Date.now() / 1000;
        leaving.abort();
      }
    }
  } catch (error) {
    if (leftAt === undefined) throw error;
  }
  if (leftAt === undefined) throw new Error(`the answer ended after ${pieces.length} pieces`);
  await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  return { left_at: leftAt };
}

function report(cell, found) {
  appendFileSync(process.env.MATRIX_RESULTS, `${JSON.stringify({ cell, ...found })}\n`);
}

function told(error) {
  const words = [];
  for (let one = error; one && words.length < 5; one = one.cause) {
    words.push(`${one.name ?? typeof one}(${one.statusCode ?? one.status ?? ""}): ${one.message ?? JSON.stringify(one)}`);
  }
  return words.join(" <- ");
}

export const weather = ({ city }) => `sunny in ${city}`;
export const clock = ({ city }) => `noon in ${city}`;
export const FORECAST = {
  type: "object",
  properties: { city: { type: "string" }, sunny: { type: "boolean" }, degrees: { type: "integer" } },
  required: ["city", "sunny", "degrees"],
  additionalProperties: false,
};
