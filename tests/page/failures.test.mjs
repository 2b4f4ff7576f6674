/** The page's messages on failures and endings. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { finishNote, retryAfter, describeFailure } from "../../shared/page/failures.js";
import { Conversation } from "../../shared/page/conversation.js";

const UNKNOWN = describeFailure({}).title;

test("every code of the endpoint's errors has its own message, or its status has", () => {
  const source = readFileSync(new URL("../../shared/errors.py", import.meta.url), "utf8");
  const classes = source.split(/^class /m).slice(1);
  let seen = 0;
  for (const text of classes) {
    const code = /^ {4}code(?:: str \| None)? = "(\w+)"/m.exec(text)?.[1];
    if (code === undefined) continue;
    seen += 1;
    const status = Number(/^ {4}status = (\d+)/m.exec(text)?.[1] ?? (/\((?:BadRequest|NotFound)\)/.test(text) ? 400 : 502));
    const { title, advice } = describeFailure({ status, error: { code, message: "m" } });
    assert.notEqual(title, "The endpoint failed", code);
    assert.ok(advice.length > 5, code);
  }
  assert.ok(seen > 20, `${seen} codes found`);
});

test("the endpoint's message, code and request id are shown", () => {
  const failure = describeFailure({ status: 429, error: { message: "Slow down.", code: "rate_limit_exceeded" }, retryAfterSeconds: 12, requestId: "req_1" });
  assert.equal(failure.title, "Too many requests");
  assert.match(failure.advice, /wait 12 seconds/);
  assert.equal(failure.message, "Slow down.");
  assert.equal(failure.detail, "HTTP 429 · rate_limit_exceeded · req_1");
});

test("an upstream failure in the middle of a stream, where there is no status, has its own message", () => {
  const source = readFileSync(new URL("../../shared/errors.py", import.meta.url), "utf8");
  const codes = [...source.matchAll(/^ {4}code(?:: str \| None)? = "((?:upstream|identity|server)_\w+)"/gm)].map((found) => found[1]);
  assert.ok(codes.length > 8, codes.join());
  for (const code of [...codes, "rate_limit_exceeded"]) assert.notEqual(describeFailure({ error: { code, message: "m" } }).title, UNKNOWN, code);
});

test("a 404 of the model's service is not taken for a page at the wrong address", () => {
  const error = { message: "The model's service refused the request with HTTP status 404.", code: null };
  assert.equal(describeFailure({ status: 404, error, requestId: "req_1" }).title, "The model's service does not know this");
  assert.equal(describeFailure({ status: 404 }).title, "Not found");
  assert.equal(describeFailure({ status: 404, error: { message: "m", code: "model_not_found" } }).title, "This model is not available");
});

test("a 401 from the host or the app distinguishes a missing key from an invalid one", () => {
  for (const error of [undefined, { code: "invalid_api_key", message: "m" }]) {
    assert.equal(describeFailure({ status: 401, error }).title, "A key is required");
    assert.equal(describeFailure({ status: 401, error, hadKey: true }).title, "The key was not accepted");
  }
});

test("a 401 without a body asks for a key, and an error of another type is ignored", () => {
  assert.equal(describeFailure({ status: 401 }).needsKey, true);
  for (const error of [null, undefined, "text", 7, [], { message: {}, code: 5 }, { code: "constructor" }]) assert.equal(describeFailure({ error }).title, UNKNOWN);
});

test("the wait is read from milliseconds, seconds or a date, and nothing else", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const wait = (headers) => retryAfter(new Headers(headers), now);
  assert.equal(wait({ "retry-after-ms": "1500", "retry-after": "9" }), 1.5);
  assert.equal(wait({ "retry-after": "9" }), 9);
  assert.equal(wait({ "retry-after": "Thu, 01 Jan 2026 00:01:00 GMT" }), 60);
  assert.equal(wait({ "retry-after": "Wed, 31 Dec 2025 00:00:00 GMT" }), 0);
  assert.equal(wait({ "retry-after": "soon" }), null);
  assert.equal(wait({}), null);
});

test("every ending but the usual one is explained", () => {
  assert.equal(finishNote("stop"), "");
  assert.match(finishNote("length"), /token limit/);
  assert.match(finishNote("content_filter"), /content filter/);
  assert.match(finishNote("tool_calls"), /tool/);
  assert.match(finishNote("toString"), /toString/);
});

test("the messages include earlier turns, except those without an answer or stopped by the content filter", () => {
  const conversation = new Conversation();
  const turn = (question, answer, isUsable) => Object.assign(conversation.begin(question), { answer, isUsable });
  turn("one", "1", true);
  turn("failed", "", true);
  turn("blocked", "half", false);
  const last = conversation.begin("two");
  assert.deepEqual(conversation.messagesFor(last), [
    { role: "user", content: "one" },
    { role: "assistant", content: "1" },
    { role: "user", content: "two" },
  ]);
  conversation.clear();
  assert.equal(conversation.last, undefined);
});
