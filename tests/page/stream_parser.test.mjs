/** The page's decoders, with the specification's examples and every way of splitting a stream. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_CHARACTERS, MalformedStream, NdjsonDecoder, SseDecoder } from "../../shared/page/stream-parser.js";

const decode = (...pieces) => {
  const decoder = new SseDecoder();
  return pieces.flatMap((piece) => [...decoder.feed(piece)]);
};
const data = (...pieces) => decode(...pieces).map((event) => event.data);
const lines = (...pieces) => {
  const decoder = new NdjsonDecoder();
  return pieces.flatMap((piece) => [...decoder.feed(piece)]);
};

// https://html.spec.whatwg.org/multipage/server-sent-events.html, the examples in the order of the text.

test("the specification's first stream has three messages, the last of them of two lines", () => {
  const stream = "data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\ndata: This is the third message.\n\n";
  assert.deepEqual(data(stream), ["This is the first message.", "This is the second message, it\nhas two lines.", "This is the third message."]);
});

test("events have the type that their field names", () => {
  const stream = "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n";
  assert.deepEqual(decode(stream).map(({ event, data }) => [event, data]), [["add", "73857293"], ["remove", "2153"], ["add", "113411"]]);
});

test("the stock ticker's three lines are one message", () => {
  assert.deepEqual(decode("data: YHOO\ndata: +2\ndata: 10\n\n"), [{ event: "message", data: "YHOO\n+2\n10", lastEventId: "" }]);
});

test("of four blocks the comment is ignored, an id without a value clears it, and only one space is removed", () => {
  const stream = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
  assert.deepEqual(decode(stream), [
    { event: "message", data: "first event", lastEventId: "1" },
    { event: "message", data: "second event", lastEventId: "" },
    { event: "message", data: " third event", lastEventId: "" },
  ]);
});

test("an event that is not followed by a blank line is discarded", () => {
  assert.deepEqual(data(": test stream\n\ndata: first event\n\ndata:  third event"), ["first event"]);
  assert.deepEqual(data(": test stream\n\ndata: first event\n\ndata:  third event\n"), ["first event"]);
});

test("empty data is an event, once with an empty text and once with a line feed", () => {
  assert.deepEqual(data("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
});

test("the space after the colon is optional", () => {
  assert.deepEqual(data("data:test\n\ndata: test\n\n"), ["test", "test"]);
});

// The rules of interpretation.

test("lines end in LF, CR or CRLF, and in nothing else", () => {
  for (const end of ["\n", "\r", "\r\n"]) assert.deepEqual(data(`data: a${end}data: b${end}${end}`), ["a\nb"], JSON.stringify(end));
  assert.deepEqual(data("data: a\u2028b\u0085c\x0bd\n\n"), ["a\u2028b\u0085c\x0bd"]);
});

test("a stream gives the same events wherever it is split", () => {
  const stream = ": hi\r\nid: 7\r\nevent: delta\r\ndata: Grüße \u{1f324}\r\ndata: zwei\r\n\r\ndata: x\n\nretry: 1500\r\rdata: y\r\r";
  const expected = decode(stream);
  assert.equal(expected.length, 3);
  for (let cut = 0; cut <= stream.length; cut += 1) assert.deepEqual(decode(stream.slice(0, cut), stream.slice(cut)), expected, `cut at ${cut}`);
  assert.deepEqual(decode(...stream), expected);
  assert.deepEqual(decode(...[...stream].flatMap((character) => ["", character, ""])), expected);
});

test("a CR ends its event at once, without waiting for an LF that may follow", () => {
  const decoder = new SseDecoder();
  assert.equal([...decoder.feed("data: now\r\r")].length, 1);
  assert.deepEqual([...decoder.feed("\ndata: next\n\n")].map((event) => event.data), ["next"]);
});

test("an id with a NUL is ignored, and an id persists beyond its event", () => {
  assert.deepEqual(decode("id: 1\ndata: a\n\nid: 2\0\ndata: b\n\ndata: c\n\n").map((event) => event.lastEventId), ["1", "1", "1"]);
});

test("a type without data is discarded", () => {
  assert.deepEqual(decode("event: gone\n\ndata: a\n\n"), [{ event: "message", data: "a", lastEventId: "" }]);
});

test("only digits set the reconnection time", () => {
  const decoder = new SseDecoder();
  void [...decoder.feed("retry: soon\nretry: 1.5\n\n")];
  assert.equal(decoder.retryMs, null);
  void [...decoder.feed("retry: 2000\n\n")];
  assert.equal(decoder.retryMs, 2000);
});

test("unknown fields and comments are ignored", () => {
  assert.deepEqual(data("foo: bar\n:\n: comment\nDATA: no\n data: no\ndata: yes\n\n"), ["yes"]);
});

test("a line or an event without an end is limited in length", () => {
  const half = "x".repeat(MAX_CHARACTERS / 2 + 1);
  assert.throws(() => lines(half, half), MalformedStream);
  assert.throws(() => decode(`data: ${half}\n`, `data: ${half}\n`), MalformedStream);
});

// NDJSON.

test("every line is one value, blank lines are skipped, and an unterminated line is discarded", () => {
  assert.deepEqual(lines('{"a":1}\n\n{"b":"\\n"}\r\n[2]\n{"cut":'), [{ a: 1 }, { b: "\n" }, [2]]);
});

test("a line gives the same value wherever it is split", () => {
  const stream = '{"type":"delta","text":"Grüße \u{1f324}\u2028"}\n{"type":"finished"}\n';
  for (let cut = 0; cut <= stream.length; cut += 1) assert.equal(lines(stream.slice(0, cut), stream.slice(cut)).length, 2, `cut at ${cut}`);
});

test("a line that is not JSON is an error", () => {
  assert.throws(() => lines("<html>\n"), MalformedStream);
});
