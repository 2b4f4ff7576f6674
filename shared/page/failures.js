// @ts-check
/**
 * Why there is no answer, or only half of one, in words for the person who asked. Pure: statuses and error objects in,
 * sentences out.
 */

/**
 * What went wrong, and what to do about it.
 * @typedef {object} Failure
 * @property {string} title one short line
 * @property {string} advice what it means and what helps
 * @property {string} message the endpoint's own sentence, or ""
 * @property {string} detail status, code and request id, for whoever looks into it
 * @property {boolean} needsKey a key, or another one, may help
 */

/**
 * What is known about a failure.
 * @typedef {object} Circumstances
 * @property {number} [status] the HTTP status; none when the stream had begun
 * @property {unknown} [error] the error object, untrusted
 * @property {number | null} [retryAfterSeconds]
 * @property {string} [requestId]
 * @property {boolean} [hadKey] whether a key was sent
 */

/** The failure as an exception; its message is the title. */
export class AnswerFailed extends Error {
  /** @param {Failure} failure */
  constructor(failure) {
    super(failure.title);
    this.failure = failure;
  }
}

/** Title and advice by the error's code. @type {Record<string, [string, string]>} */
const BY_CODE = {
  content_filter: ["The content filter blocked this", "Azure OpenAI's content filter refused the question. Ask it in other words."],
  context_length_exceeded: ["The conversation is too long", "Start a new chat, or ask for less at once."],
  DeploymentNotFound: ["This model is not available", "Choose another model."],
  identity_unavailable: ["The endpoint can't sign in", "It got no token for its identity. Whoever runs it has to look into this."],
  insufficient_quota: ["The quota is used up", "Whoever runs this endpoint has to raise it."],
  internal_error: ["Something went wrong in the endpoint", "Try again; if it stays, pass on the request id below."],
  invalid_api_key: ["The key was not accepted", "Check the key and try again."],
  misconfigured: ["The endpoint is not set up correctly", "Whoever runs it has to mend its settings."],
  model_not_found: ["This model is not available", "Choose another model."],
  rate_limit_exceeded: ["Too many requests", "The model's rate limit is reached. Wait a moment, then try again."],
  request_too_large: ["The conversation is too long", "Start a new chat, or ask for less at once."],
  server_stopping: ["The endpoint is restarting", "Try again in a moment."],
  too_many_streams: ["The endpoint is busy", "Try again in a moment."],
  upstream_cut: ["The answer was cut off", "The model's service ended it too early. Try again."],
  upstream_failed: ["The model's service failed", "Try again in a moment."],
  upstream_frame_too_large: ["The answer was cut off", "The model's service sent a piece of it that is too large."],
  upstream_identity_refused: ["The endpoint may not use the model", "Azure OpenAI refused its identity. Whoever runs it has to grant it access."],
  upstream_malformed: ["The answer was cut off", "The model's service sent something unreadable. Try again."],
  upstream_silent: ["The model fell silent", "It stopped in the middle of the answer. Try again."],
  upstream_timeout: ["The model did not answer in time", "Try again; a shorter question may help."],
  upstream_unreachable: ["The model can't be reached", "The endpoint got no connection to it. Try again in a moment."],
};

/** Title and advice by the HTTP status, where the code says nothing. @type {Record<number, [string, string]>} */
const BY_STATUS = {
  400: ["The request was refused", "Something in it was not accepted."],
  401: ["A key is needed", "This deployment asks for a key. Enter yours and try again."],
  403: ["Access denied", "You may not use this endpoint."],
  404: ["There is nothing at this address", "Is this page served by the endpoint itself?"],
  408: ["The request took too long", "Try again."],
  413: ["The conversation is too long", "Start a new chat, or ask for less at once."],
  429: ["Too many requests", "The model's rate limit is reached. Wait a moment, then try again."],
  502: ["The model's service failed", "Try again in a moment."],
  503: ["The endpoint is not available", "Try again in a moment."],
  504: ["No answer in time", "Try again in a moment."],
};

/**
 * An error that the endpoint told, with a status or in the middle of the stream.
 * @param {Circumstances} known
 * @returns {Failure}
 */
export function toldFailure({ status, error, retryAfterSeconds = null, requestId = "", hadKey = false }) {
  const { message, code } = readError(error);
  /** @type {[string, string]} */
  const fallback = [status === undefined ? "The answer failed" : status < 500 ? "The request was refused" : "The endpoint failed", "Try again."];
  const telling = status === 401 ? (hadKey ? "invalid_api_key" : "") : code; // the host's own 401 says nothing, the app's the same of both
  const byCode = Object.hasOwn(BY_CODE, telling) ? BY_CODE[telling] : undefined;
  const [title, advice] = byCode ?? BY_STATUS[status ?? 0] ?? fallback;
  const wait = retryAfterSeconds === null ? "" : ` The service asks to wait ${seconds(retryAfterSeconds)}.`;
  const detail = [status === undefined ? "" : `HTTP ${status}`, code, requestId].filter(Boolean).join(" · ");
  return { title, advice: advice + wait, message, detail, needsKey: status === 401 };
}

/** No connection at all. @type {Failure} */
export const UNREACHABLE = {
  title: "The endpoint can't be reached",
  advice: "Check the connection and try again.",
  message: "",
  detail: "",
  needsKey: false,
};

/** The stream ended, and nobody had said that the answer is finished. @type {Failure} */
export const INCOMPLETE = {
  title: "The answer is incomplete",
  advice: "The connection ended before the answer did. Try again.",
  message: "",
  detail: "",
  needsKey: false,
};

/** The stream can't be read. @type {Failure} */
export const MALFORMED = {
  title: "The answer is incomplete",
  advice: "Something between this page and the endpoint has damaged the stream. Try again.",
  message: "",
  detail: "",
  needsKey: false,
};

/** Our own bug. @type {Failure} */
export const PAGE_FAILED = {
  title: "Something went wrong in this page",
  advice: "Try again; if it stays, reload the page. The browser's console has the cause.",
  message: "",
  detail: "",
  needsKey: false,
};

/**
 * The answer came in a form that is none of ours.
 * @param {string} mediaType
 * @returns {Failure}
 */
export function unexpectedType(mediaType) {
  return {
    title: "That was not an answer",
    advice: "Something other than the endpoint replied, perhaps a sign-in page or a proxy.",
    message: "",
    detail: mediaType ? `Content-Type ${mediaType}` : "no Content-Type",
    needsKey: false,
  };
}

/** What an ending other than the usual one means; nothing for the usual one. @type {Record<string, string>} */
const FINISH_NOTES = {
  length: "Cut by the token limit: the answer is not complete.",
  content_filter: "Stopped by the content filter: the rest of the answer was withheld.",
  tool_calls: "The model asked for a tool, and this page has none to offer.",
};

/**
 * @param {string} reason the answer's `finish_reason`
 * @returns {string} what to tell about it, or ""
 */
export function finishNote(reason) {
  if (reason === "stop" || reason === "") return "";
  return Object.hasOwn(FINISH_NOTES, reason) ? (FINISH_NOTES[reason] ?? "") : `The model ended the answer for another reason: ${reason}.`;
}

/**
 * How long the service asks to wait. https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
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
  const whole = Math.max(1, Math.ceil(count));
  if (whole < 120) return whole === 1 ? "1 second" : `${whole} seconds`;
  return `${Math.ceil(whole / 60)} minutes`;
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
