// @ts-check
/**
 * Send one question to `POST chat` and yield its answer as events, whatever its format: NDJSON (requested by this page),
 * server-sent events, or one JSON object (requested, or the only format of the deployment). The only module that knows the
 * endpoint's paths. Every failure is thrown as `AnswerFailed`, except an abort, which stays the browser's own error.
 */

import { AnswerFailed, INCOMPLETE, MALFORMED, UNREACHABLE, retryAfter, describeFailure, unexpectedType } from "./failures.js";
import { MalformedStream, NdjsonDecoder, SseDecoder, parseJson } from "./stream-parser.js";

/** How long the question waits for the answer to whether answers can be taken up again. */
const HEALTH_MS = 2000;

/** @typedef {{type: "text", text: string} | {type: "image_url", image_url: {url: string}}} Part */
/** @typedef {{role: "system" | "user" | "assistant", content: string | Part[]}} Message */
/** @typedef {{name: string, status: string, detail: Record<string, unknown>}} Step */
/** @typedef {{id: string, title: string, url: string, excerpt: string}} Source All of it is text of strangers. */
/** @typedef {{id: string, owner: string}} Model `owner` says who runs it */
/** @typedef {{input: number, output: number, cached: number, reasoning: number}} Usage */
/** @typedef {Usage & {caller: string, day: string, model: string, answers: number, estimated: number, cost: number | null}} UsageRow */
/** @typedef {{unit: string, span: string, maximum: number, left: number | null, resetsAt: string}} Limit `left`: null when nobody knows */
/** @typedef {{caller: string, isAboutAll: boolean, from: string, to: string, rows: UsageRow[], limits: Limit[]}} UsageReport */
/**
 * @typedef {{at?: number} & ({type: "started", model: string, resume: string}
 *   | {type: "delta", text: string}
 *   | {type: "reasoning", text: string}
 *   | {type: "step", step: Step}
 *   | {type: "source", source: Source}
 *   | {type: "usage", usage: Usage}
 *   | {type: "complete"}
 *   | {type: "finished", reason: string})} AnswerEvent
 * `complete` comes first when the answer is not streamed. `resume`: the id under which the answer is taken up again, "" for
 * none; `at`: the position of the event in such an answer.
 */
/**
 * @typedef {object} Question
 * @property {Message[]} messages
 * @property {string} model "" for the default model
 * @property {boolean} streaming
 * @property {number | null} temperature null for the model's default
 * @property {string} key "" when there is none
 * @property {boolean} [resumes] whether the answer is to go on where its connection broke
 * @property {AbortSignal} signal aborting closes the connection, which stops the model where the answer does not go on
 */

/**
 * Ask, and yield the events of the answer. When the generator ends, the answer is complete; every other ending is thrown.
 * @param {Question} question
 * @returns {AsyncGenerator<AnswerEvent, void, void>}
 */
export async function* ask({ messages, model, streaming, temperature, key, resumes, signal }) {
  const response = await send("chat", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: streaming ? "application/x-ndjson" : "application/json",
      ...credentials(key),
    },
    body: JSON.stringify({
      messages,
      stream: streaming,
      ...(model && { model }),
      ...(temperature !== null && { temperature }),
      ...(resumes && { resume: true }),
    }),
    signal,
  });
  yield* events(response, key, signal);
}

/**
 * Yield the events of an answer that follow a position; see `ask`.
 * @param {import("./resume.js").Place} place
 * @param {{key: string, signal: AbortSignal}} request
 * @returns {AsyncGenerator<AnswerEvent, void, void>}
 */
export async function* takeUp({ id, after }, { key, signal }) {
  const path = `chat/answers/${encodeURIComponent(id)}?after=${after}`;
  const response = await send(path, { headers: { accept: "application/x-ndjson", ...credentials(key) }, signal });
  yield* events(response, key, signal);
}

/**
 * End an answer at the model, for one that goes on without its connection. Nobody waits for it, and it outlives the page.
 * @param {string} id
 * @param {string} key
 */
export function stopAnswer(id, key) {
  const headers = { "content-type": "application/json", ...credentials(key) };
  const path = `chat/answers/${encodeURIComponent(id)}/stop`;
  void send(path, { method: "POST", headers, body: "{}", keepalive: true }).catch(() => {});
}

/** @returns {Promise<boolean>} whether answers go on where their connection broke; false where nobody says so in time */
export async function offersResume() {
  try {
    const response = await send("health", { signal: AbortSignal.timeout(HEALTH_MS) });
    return fields(await response.json())["resume"] === true;
  } catch {
    return false;
  }
}

/**
 * @param {Response} response
 * @param {string} key
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<AnswerEvent, void, void>}
 */
async function* events(response, key, signal) {
  if (!response.ok) throw new AnswerFailed(await readFailure(response, key), response.status >= 500 || response.status === 429);
  const mediaType = (response.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const read = READERS[mediaType];
  if (read === undefined) {
    await response.body?.cancel();
    throw new AnswerFailed(unexpectedType(mediaType));
  }
  yield* read(response, signal);
}

/**
 * Return the available models.
 * @param {string} key
 * @returns {Promise<Model[]>} throws `AnswerFailed`
 */
export async function listModels(key) {
  const response = await send("v1/models", { headers: { accept: "application/json", ...credentials(key) } });
  if (!response.ok) throw new AnswerFailed(await readFailure(response, key));
  const { data } = fields(await response.json().catch(() => null));
  return Array.isArray(data) ? data.map(fields).map((entry) => ({ id: text(entry["id"]), owner: text(entry["owned_by"]) })).filter(({ id }) => id !== "") : [];
}

/**
 * Return what the caller has used since the first of the month, or what all have, for an operator.
 * @param {string} key
 * @returns {Promise<UsageReport>} throws `AnswerFailed`
 */
export async function readUsage(key) {
  const response = await send("usage", { headers: { accept: "application/json", ...credentials(key) } });
  if (!response.ok) throw new AnswerFailed(await readFailure(response, key));
  const told = fields(await response.json().catch(() => null));
  if (told["object"] !== "usage") throw new AnswerFailed(unexpectedType("no usage"));
  const { rows, limits } = told;
  return {
    caller: text(told["caller"]),
    isAboutAll: told["callers"] === "all",
    from: text(told["from"]),
    to: text(told["to"]),
    rows: (Array.isArray(rows) ? rows : []).map(fields).map((row) => ({
      caller: text(row["caller"]),
      day: text(row["day"]),
      model: text(row["model"]),
      answers: Number(row["answers"]) || 0,
      ...usage(row),
      estimated: Number(row["estimated_tokens"]) || 0,
      cost: typeof row["cost"] === "number" ? row["cost"] : null,
    })),
    limits: (Array.isArray(limits) ? limits : []).map(fields).map((limit) => ({
      unit: text(limit["unit"]),
      span: text(limit["span"]),
      maximum: Number(limit["maximum"]) || 0,
      left: typeof limit["left"] === "number" ? limit["left"] : null,
      resetsAt: text(limit["resets_at"]),
    })),
  };
}

/** Readers by media type. @type {Record<string, (response: Response, signal: AbortSignal) => AsyncGenerator<AnswerEvent, void, void>>} */
const READERS = {
  "application/x-ndjson": (response, signal) => readStream(response, ndjson(), signal),
  "text/event-stream": (response, signal) => readStream(response, serverSentEvents(), signal),
  "application/json": readComplete,
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
      for (const payload of decode(decoder.decode(value, { stream: true }))) {
        const event = toEvent(payload, response);
        if (event === null) continue;
        isFinished ||= event.type === "finished";
        const at = fields(payload)["seq"];
        yield typeof at === "number" ? { ...event, at } : event;
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
async function* readComplete(response, signal) {
  /** @type {unknown} */
  let payload;
  try {
    payload = await response.json();
  } catch (error) {
    if (signal.aborted) throw error;
    throw new AnswerFailed(INCOMPLETE);
  }
  const answer = fields(payload);
  if (typeof answer["text"] !== "string" || typeof answer["finish_reason"] !== "string") throw new AnswerFailed(MALFORMED);
  yield { type: "complete" };
  yield { type: "started", model: text(answer["model"]), resume: "" };
  for (const one of list(answer["steps"])) yield { type: "step", step: step(one) };
  for (const one of list(answer["sources"])) yield { type: "source", source: source(one) };
  if (answer["reasoning"]) yield { type: "reasoning", text: text(answer["reasoning"]) };
  yield { type: "delta", text: answer["text"] };
  if (answer["usage"]) yield { type: "usage", usage: usage(fields(answer["usage"])) };
  yield { type: "finished", reason: answer["finish_reason"] };
}

/**
 * @param {unknown} payload one event, as parsed
 * @param {Response} response
 * @returns {AnswerEvent | null} null for events that the page ignores: heartbeats and unknown types
 */
function toEvent(payload, response) {
  const event = fields(payload);
  switch (event["type"]) {
    case "started":
      return { type: "started", model: text(event["model"]), resume: text(event["resume"]) };
    case "delta":
    case "reasoning":
      return { type: event["type"], text: text(event["text"]) };
    case "step":
      return { type: "step", step: step(event) };
    case "source":
      return { type: "source", source: source(event) };
    case "usage":
      return { type: "usage", usage: usage(event) };
    case "finished":
      return { type: "finished", reason: text(event["finish_reason"]) };
    case "moved": // to another instance, where it goes on
      throw new AnswerFailed(INCOMPLETE);
    case "failed":
      throw new AnswerFailed(describeFailure({ error: event["error"], requestId: response.headers.get("x-request-id") ?? "" }));
    default:
      return null;
  }
}

/**
 * @param {string} path relative to the page, so that a path prefix works
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
 * @param {string} key the key that was sent
 * @returns {Promise<import("./failures.js").Failure>}
 */
async function readFailure(response, key) {
  const body = fields(await response.json().catch(() => null));
  return describeFailure({
    status: response.status,
    error: body["error"],
    retryAfterSeconds: retryAfter(response.headers, Date.now()),
    requestId: response.headers.get("x-request-id") ?? "",
    hadKey: key !== "",
  });
}

/**
 * Both headers of a key: the Functions host reads the first, the app the second.
 * @param {string} key
 * @returns {Record<string, string>}
 */
function credentials(key) {
  return key === "" ? {} : { "x-functions-key": key, authorization: `Bearer ${key}` };
}

/**
 * @param {Record<string, unknown>} payload
 * @returns {Usage}
 */
function usage(payload) {
  /** @param {string} name */
  const count = (name) => Math.max(0, Math.trunc(Number(payload[name]) || 0));
  return {
    input: count("input_tokens"),
    output: count("output_tokens"),
    cached: count("cached_tokens"),
    reasoning: count("reasoning_tokens"),
  };
}

/**
 * @param {Record<string, unknown>} payload
 * @returns {Step}
 */
function step(payload) {
  return { name: text(payload["name"]), status: text(payload["status"]), detail: fields(payload["detail"]) };
}

/**
 * @param {Record<string, unknown>} payload
 * @returns {Source}
 */
function source(payload) {
  return { id: text(payload["id"]), title: text(payload["title"]), url: text(payload["url"]), excerpt: text(payload["excerpt"]) };
}

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>[]}
 */
function list(value) {
  return Array.isArray(value) ? value.map(fields) : [];
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
