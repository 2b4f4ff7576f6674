// @ts-check
/**
 * Messages for answers that failed or are incomplete. Pure: statuses and error objects in, sentences out.
 */

/**
 * A failure, and what to do about it.
 * @typedef {object} Failure
 * @property {string} title one short sentence
 * @property {string} advice what it means and what to do
 * @property {string} message the endpoint's own message, or ""
 * @property {string} detail status, code and request id, for diagnosis
 * @property {boolean} needsKey whether a key, or another key, may help
 */

/**
 * The facts known about a failure.
 * @typedef {object} Circumstances
 * @property {number} [status] the HTTP status; absent when the stream had started
 * @property {unknown} [error] the error object, untrusted
 * @property {number | null} [retryAfterSeconds]
 * @property {string} [requestId]
 * @property {boolean} [hadKey] whether a key was sent
 */

/** The failure as an exception; its message is the title. */
export class AnswerFailed extends Error {
  /**
   * @param {Failure} failure
   * @param {boolean} [mayPass] whether the same request may succeed in a moment
   */
  constructor(failure, mayPass = failure === INCOMPLETE || failure === UNREACHABLE) {
    super(failure.title);
    this.failure = failure;
    this.mayPass = mayPass;
  }
}

/** Title and advice by the error's code. @type {Record<string, [string, string]>} */
const BY_CODE = {
  content_filter: ["The content filter blocked this", "The content filter blocked the question. Rephrase it."],
  context_length_exceeded: ["The conversation is too long", "Start a new chat, or ask for less at once."],
  DeploymentNotFound: ["This model is not available", "Choose another model."],
  identity_unavailable: ["The endpoint can't sign in", "It could not get a token for its managed identity. The operator has to fix this."],
  insufficient_quota: ["The quota is used up", "The operator of this endpoint has to raise it."],
  internal_error: ["The endpoint had an internal error", "Try again. If it happens again, report the request id below."],
  invalid_api_key: ["The key was not accepted", "Check the key and try again."],
  misconfigured: ["The endpoint is misconfigured", "The operator has to fix its settings."],
  model_not_found: ["This model is not available", "Choose another model."],
  out_of_resources: ["The endpoint is busy", "Try again in a moment."],
  rate_limit_exceeded: ["Too many requests", "The model's rate limit is reached. Wait a moment, then try again."],
  request_too_large: ["The conversation is too long", "Start a new chat, or ask for less at once."],
  server_stopping: ["The endpoint is restarting", "Try again in a moment."],
  too_many_streams: ["The endpoint is busy", "Try again in a moment."],
  upstream_cut: ["The answer was cut off", "The model service closed the connection too early. Try again."],
  upstream_failed: ["The model service failed", "Try again in a moment."],
  upstream_frame_too_large: ["The answer was cut off", "The model service sent an event that is too large."],
  upstream_identity_refused: ["The endpoint has no access to the model", "The model's service rejected its sign-in. The operator has to fix this."],
  upstream_malformed: ["The answer was cut off", "The model service sent invalid data. Try again."],
  upstream_silent: ["The model stopped responding", "The answer stopped in the middle. Try again."],
  upstream_timeout: ["The model did not answer in time", "Try again; a shorter question may help."],
  upstream_unreachable: ["The model can't be reached", "The endpoint could not connect to it. Try again in a moment."],
};

/** A 404 with an error object comes from the model's service: the page asks for no address that the endpoint does not have. */
const UPSTREAM_NOT_FOUND = /** @type {[string, string]} */ (["The model's service does not know this", "The model or the service's address may be wrong. Choose another model, or ask the operator."]);

/** Title and advice by HTTP status, for errors whose code is not in the table. @type {Record<number, [string, string]>} */
const BY_STATUS = {
  400: ["The request was rejected", "Something in it is invalid."],
  401: ["A key is required", "Enter your key for this deployment and try again."],
  403: ["Access denied", "You are not allowed to use this endpoint."],
  404: ["Not found", "Check that this page is served by the endpoint itself."],
  408: ["The request took too long", "Try again."],
  413: ["The conversation is too long", "Start a new chat, or ask for less at once."],
  429: ["Too many requests", "The model's rate limit is reached. Wait a moment, then try again."],
  502: ["The model service failed", "Try again in a moment."],
  503: ["The endpoint is not available", "Try again in a moment."],
  504: ["No answer in time", "Try again in a moment."],
};

/**
 * Describe an error reported by the endpoint, as an HTTP response or in the middle of the stream.
 * @param {Circumstances} known
 * @returns {Failure}
 */
export function describeFailure({ status, error, retryAfterSeconds = null, requestId = "", hadKey = false }) {
  const { message, code } = readError(error);
  /** @type {[string, string]} */
  const fallback = [status === undefined ? "The answer failed" : status < 500 ? "The request was rejected" : "The endpoint failed", "Try again."];
  // The host's 401 has no code, and the app's has the same code for a missing and an invalid key.
  const lookup = status === 401 ? (hadKey ? "invalid_api_key" : "") : code;
  const byCode = Object.hasOwn(BY_CODE, lookup) ? BY_CODE[lookup] : undefined;
  const notFound = status === 404 && message !== "" ? UPSTREAM_NOT_FOUND : undefined;
  const [title, advice] = byCode ?? notFound ?? BY_STATUS[status ?? 0] ?? fallback;
  const wait = retryAfterSeconds === null ? "" : ` The service asks you to wait ${seconds(retryAfterSeconds)}.`;
  const detail = [status === undefined ? "" : `HTTP ${status}`, code, requestId].filter(Boolean).join(" · ");
  return { title, advice: advice + wait, message, detail, needsKey: status === 401 };
}

/** No connection could be made. @type {Failure} */
export const UNREACHABLE = {
  title: "The endpoint can't be reached",
  advice: "Check the connection and try again.",
  message: "",
  detail: "",
  needsKey: false,
};

/** The stream ended without a `finished` event. @type {Failure} */
export const INCOMPLETE = {
  title: "The answer is incomplete",
  advice: "The connection ended before the answer was complete. Try again.",
  message: "",
  detail: "",
  needsKey: false,
};

/** The stream is not valid. @type {Failure} */
export const MALFORMED = {
  title: "The answer is incomplete",
  advice: "The stream is not valid; a proxy may have altered it. Try again.",
  message: "",
  detail: "",
  needsKey: false,
};

/** A bug of this page. @type {Failure} */
export const PAGE_FAILED = {
  title: "This page had an internal error",
  advice: "Try again. If it happens again, reload the page. The browser's console has the details.",
  message: "",
  detail: "",
  needsKey: false,
};

/**
 * Describe a response whose media type is not one of the endpoint's.
 * @param {string} mediaType
 * @returns {Failure}
 */
export function unexpectedType(mediaType) {
  return {
    title: "Unexpected response",
    advice: "It did not come from the endpoint, but perhaps from a sign-in page or a proxy.",
    message: "",
    detail: mediaType ? `Content-Type ${mediaType}` : "no Content-Type",
    needsKey: false,
  };
}

/** Notes on endings other than `stop`. @type {Record<string, string>} */
const FINISH_NOTES = {
  length: "The token limit was reached. The answer is incomplete.",
  content_filter: "Stopped by the content filter. The rest of the answer was withheld.",
  tool_calls: "The model called a tool, which this page does not support.",
};

/**
 * @param {string} reason the answer's `finish_reason`
 * @returns {string} a note to show, or ""
 */
export function finishNote(reason) {
  if (reason === "stop" || reason === "") return "";
  return Object.hasOwn(FINISH_NOTES, reason) ? (FINISH_NOTES[reason] ?? "") : `The model ended the answer with reason ${reason}.`;
}

/**
 * Read how long to wait before a retry. https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 * @param {Headers} headers
 * @param {number} now milliseconds since the epoch
 * @returns {number | null} in seconds
 */
export function retryAfter(headers, now) {
  const ms = Number.parseFloat(headers.get("retry-after-ms") ?? "");
  if (Number.isFinite(ms) && ms >= 0) return ms / 1000;
  const value = (headers.get("retry-after") ?? "").trim();
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value);
  const date = value === "" ? Number.NaN : Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, (date - now) / 1000);
}

/**
 * @param {number} count
 * @returns {string} such as "1 second", "12 seconds" or "3 minutes"
 */
function seconds(count) {
  const rounded = Math.max(1, Math.ceil(count));
  if (rounded < 120) return rounded === 1 ? "1 second" : `${rounded} seconds`;
  return `${Math.ceil(rounded / 60)} minutes`;
}

/**
 * @param {unknown} error
 * @returns {{message: string, code: string}}
 */
function readError(error) {
  if (typeof error !== "object" || error === null) return { message: "", code: "" };
  const { message, code } = /** @type {Record<string, unknown>} */ (error);
  return { message: typeof message === "string" ? message : "", code: typeof code === "string" ? code : "" };
}
