// @ts-check
/**
 * One question to `POST chat`, and its answer as events, whichever form it comes in: NDJSON (what this page asks for),
 * server-sent events, or one JSON object (asked for, or all that the deployment gives). The only module that knows the
 * endpoint's addresses. Every failure is an `AnswerFailed`, but for an abort, which stays what the browser throws.
 */

import { AnswerFailed, INCOMPLETE, MALFORMED, UNREACHABLE, retryAfter, toldFailure, unexpectedType } from "./failures.js";
import { MalformedStream, NdjsonDecoder, SseDecoder, parseJson } from "./stream-parser.js";

/** @typedef {{role: "user" | "assistant", content: string}} Message */
/** @typedef {{input: number, output: number, cached: number, reasoning: number}} Usage */
/**
 * @typedef {{type: "started", model: string}
 *   | {type: "delta", text: string}
 *   | {type: "reasoning", text: string}
 *   | {type: "step", name: string, status: string}
 *   | {type: "usage", usage: Usage}
 *   | {type: "whole"}
 *   | {type: "finished", reason: string}} AnswerEvent
 * `whole` comes first in an answer that was sent in one piece.
 */
/**
 * @typedef {object} Question
 * @property {Message[]} messages
 * @property {string} model "" for the deployment's own choice
 * @property {boolean} streaming
 * @property {string} key "" for none
 * @property {AbortSignal} signal aborting closes the connection, which stops the model
 */

/**
 * Asks, and yields what comes. After the last event the answer is complete; every other end is thrown.
 * @param {Question} question
 * @returns {AsyncGenerator<AnswerEvent, void, void>}
 */
export async function* ask({ messages, model, streaming, key, signal }) {
  const response = await send("chat", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: streaming ? "application/x-ndjson" : "application/json",
      ...credentials(key),
    },
    body: JSON.stringify({ messages, stream: streaming, ...(model && { model }) }),
    signal,
  });
  if (!response.ok) throw new AnswerFailed(await readFailure(response, key));
  const mediaType = (response.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const read = READERS[mediaType];
  if (read === undefined) {
    await response.body?.cancel();
    throw new AnswerFailed(unexpectedType(mediaType));
  }
  yield* read(response, signal);
}

/**
 * The names of the models to choose from.
 * @param {string} key
 * @returns {Promise<string[]>} throws `AnswerFailed`
 */
export async function listModels(key) {
  const response = await send("v1/models", { headers: { accept: "application/json", ...credentials(key) } });
  if (!response.ok) throw new AnswerFailed(await readFailure(response, key));
  const { data } = fields(await response.json().catch(() => null));
  return Array.isArray(data) ? data.map((entry) => text(fields(entry)["id"])).filter(Boolean) : [];
}

/** By media type, how to read an answer. @type {Record<string, (response: Response, signal: AbortSignal) => AsyncGenerator<AnswerEvent, void, void>>} */
const READERS = {
  "application/x-ndjson": (response, signal) => readStream(response, ndjson(), signal),
  "text/event-stream": (response, signal) => readStream(response, serverSentEvents(), signal),
  "application/json": readWhole,
};

/** @returns {(piece: string) => Iterable<unknown>} */
function ndjson() {
  const decoder = new NdjsonDecoder();
  return (piece) => decoder.feed(piece);
}

/** @returns {(piece: string) => Iterable<unknown>} */
function serverSentEvents() {
  const decoder = new SseDecoder();
  return function* (piece) {
    for (const event of decoder.feed(piece)) yield parseJson(event.data);
  };
}

/**
 * @param {Response} response
 * @param {(piece: string) => Iterable<unknown>} decode
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<AnswerEvent, void, void>}
 */
async function* readStream(response, decode, signal) {
  if (response.body === null) throw new AnswerFailed(INCOMPLETE);
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let isFinished = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      for (const told of decode(decoder.decode(value, { stream: true }))) {
        const event = toEvent(told, response);
        if (event === null) continue;
        isFinished ||= event.type === "finished";
        yield event;
      }
    }
  } catch (error) {
    if (error instanceof AnswerFailed || signal.aborted) throw error;
    if (error instanceof MalformedStream) throw new AnswerFailed(MALFORMED);
    if (!isFinished) throw new AnswerFailed(INCOMPLETE);
  } finally {
    await reader.cancel().catch(() => {});
  }
  if (!isFinished) throw new AnswerFailed(INCOMPLETE);
}

/**
 * @param {Response} response
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<AnswerEvent, void, void>}
 */
async function* readWhole(response, signal) {
  /** @type {unknown} */
  let told;
  try {
    told = await response.json();
  } catch (error) {
    if (signal.aborted) throw error;
    throw new AnswerFailed(INCOMPLETE);
  }
  const whole = fields(told);
  if (typeof whole["text"] !== "string" || typeof whole["finish_reason"] !== "string") throw new AnswerFailed(MALFORMED);
  yield { type: "whole" };
  yield { type: "started", model: text(whole["model"]) };
  if (whole["reasoning"]) yield { type: "reasoning", text: text(whole["reasoning"]) };
  yield { type: "delta", text: whole["text"] };
  if (whole["usage"]) yield { type: "usage", usage: usage(fields(whole["usage"])) };
  yield { type: "finished", reason: whole["finish_reason"] };
}

/**
 * @param {unknown} told one event as it stood on the wire
 * @param {Response} response
 * @returns {AnswerEvent | null} null for what means nothing here: heartbeats, and events of a later version
 */
function toEvent(told, response) {
  const event = fields(told);
  switch (event["type"]) {
    case "started":
      return { type: "started", model: text(event["model"]) };
    case "delta":
    case "reasoning":
      return { type: event["type"], text: text(event["text"]) };
    case "step":
      return { type: "step", name: text(event["name"]), status: text(event["status"]) };
    case "usage":
      return { type: "usage", usage: usage(event) };
    case "finished":
      return { type: "finished", reason: text(event["finish_reason"]) };
    case "failed":
      throw new AnswerFailed(toldFailure({ error: event["error"], requestId: response.headers.get("x-request-id") ?? "" }));
    default:
      return null;
  }
}

/**
 * @param {string} path relative to the page, so that a path prefix keeps working
 * @param {RequestInit} request
 * @returns {Promise<Response>}
 */
async function send(path, request) {
  try {
    return await fetch(new URL(path, document.baseURI), { ...request, cache: "no-store", redirect: "follow" });
  } catch (error) {
    if (request.signal?.aborted) throw error;
    throw new AnswerFailed(UNREACHABLE);
  }
}

/**
 * @param {Response} response
 * @param {string} key the one that was sent
 * @returns {Promise<import("./failures.js").Failure>}
 */
async function readFailure(response, key) {
  const body = fields(await response.json().catch(() => null));
  return toldFailure({
    status: response.status,
    error: body["error"],
    retryAfterSeconds: retryAfter(response.headers, Date.now()),
    requestId: response.headers.get("x-request-id") ?? "",
    hadKey: key !== "",
  });
}

/**
 * The Functions host reads the one header, the app the other.
 * @param {string} key
 * @returns {Record<string, string>}
 */
function credentials(key) {
  return key === "" ? {} : { "x-functions-key": key, authorization: `Bearer ${key}` };
}

/**
 * @param {Record<string, unknown>} told
 * @returns {Usage}
 */
function usage(told) {
  /** @param {string} name */
  const count = (name) => Math.max(0, Math.trunc(Number(told[name]) || 0));
  return {
    input: count("input_tokens"),
    output: count("output_tokens"),
    cached: count("cached_tokens"),
    reasoning: count("reasoning_tokens"),
  };
}

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
function fields(value) {
  return typeof value === "object" && value !== null ? /** @type {Record<string, unknown>} */ (value) : {};
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function text(value) {
  return typeof value === "string" ? value : "";
}
