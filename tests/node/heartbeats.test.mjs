// Heartbeats behind an `id:`: of an upstream's own at /v1, and of the chat API's where an answer can be resumed.
import assert from "node:assert/strict";
import { test } from "node:test";

import { createParser } from "eventsource-parser";
import OpenAI from "openai";

import { APP_URL, RESUME_URL, sim } from "./support.mjs";

const HEARTBEAT = ": heartbeat\n";
const PAUSED = { tokens: ["Hello", " there"], interval: 1.2 };
const WITH_IDS = { ...PAUSED, comments: 1, comment: "id: 7\n" };
const client = new OpenAI({ baseURL: `${APP_URL}/v1`, apiKey: "unused", maxRetries: 0 });
const model = "gpt";

/** What leaves the app on such a request, so that it is known what the client reads. */
async function raw(url, body) {
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  return (await fetch(url, { method: "POST", headers, body: JSON.stringify(body) })).text();
}

function isBehindAnId(text) {
  const first = text.search(/^id: /m);
  return first >= 0 && text.indexOf(HEARTBEAT, first) > first;
}

test("the openai package reads a chat stream whose upstream sends ids", async () => {
  const body = { model, stream: true, messages: [{ role: "user", content: sim(WITH_IDS) }] };
  const [seen, stream] = await Promise.all([raw(`${APP_URL}/v1/chat/completions`, body), client.chat.completions.create(body)]);
  assert.ok(isBehindAnId(seen), seen);
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  assert.equal(text, "Hello there");
});

test("the openai package reads a response's stream whose upstream sends ids", async () => {
  const body = { model, stream: true, input: sim(WITH_IDS) };
  const [seen, stream] = await Promise.all([raw(`${APP_URL}/v1/responses`, body), client.responses.create(body)]);
  assert.ok(isBehindAnId(seen), seen);
  let text = "";
  for await (const event of stream) {
    assert.ok(event.type, "an event without a type");
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  assert.equal(text, "Hello there");
});

test("a reader of an answer that can be resumed gets each event once, and none for a heartbeat", async () => {
  const seen = await raw(`${RESUME_URL}/chat`, { input: sim(PAUSED), resume: true });
  assert.ok(isBehindAnId(seen), seen);
  const events = [];
  createParser({ onEvent: (event) => events.push(event) }).feed(seen);
  assert.ok(events.every(({ id, event, data }) => id && event === JSON.parse(data).type), seen);
  const said = events.map(({ data }) => JSON.parse(data)).filter(({ type }) => type === "delta");
  assert.equal(said.map(({ text }) => text).join(""), "Hello there");
  const ids = events.map(({ id }) => Number(id));
  assert.deepEqual(ids, [...new Set(ids)].toSorted((one, other) => one - other), "a browser would go on from another place");
});
