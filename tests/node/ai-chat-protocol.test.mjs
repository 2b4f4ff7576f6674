// The client of the AI Chat Protocol, as it is published: nothing is told to it but the address.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { test } from "node:test";

import { AIChatProtocolClient } from "@microsoft/ai-chat-protocol";

import { APP_URL, CALLER_KEY, KEYS_URL, collect, ended, rejection, sim, unique } from "./support.mjs";

const once = { retryOptions: { maxRetries: 0 } };
const client = new AIChatProtocolClient(`${APP_URL}/chat`, once);
const user = (content) => [{ role: "user", content }];
const contentOf = (lines) => lines.map(({ delta }) => delta.content ?? "").join("");

test("a whole answer is a message of the assistant", async () => {
  const { message } = await client.getCompletion(user(sim({ tokens: ["Grüße", ", ", "Welt 😀"] })));
  assert.deepEqual([message.role, message.content], ["assistant", "Grüße, Welt 😀"]);
  assert.equal(message.context.finish_reason, "stop");
  assert.equal(message.context.usage.output_tokens, 3);
});

test("a streamed answer is the role, then the words", async () => {
  const lines = await collect(await client.getStreamedCompletion(user(sim({ tokens: ["Grüße", ", ", "Welt 😀"] }))));
  assert.deepEqual(lines[0], { delta: { role: "assistant" } });
  assert.deepEqual(lines.slice(1, 4).map(({ delta }) => delta.content), ["Grüße", ", ", "Welt 😀"]);
  assert.deepEqual(lines.at(-1), { delta: { context: { finish_reason: "stop" } } });
});

for (const carried of [
  { context: { overrides: { top: 3 } }, sessionState: { user: "ada", turns: [1, 2] } },
  { sessionState: "opaque" },
  { sessionState: null },
  {},
]) {
  test(`what the request carries comes back with the answer: ${JSON.stringify(carried)}`, async () => {
    const { message, ...whole } = await client.getCompletion(user("hello"), carried);
    assert.ok(message.content);
    assert.deepEqual(whole, carried);
    const [{ delta, ...first }, ...others] = await collect(await client.getStreamedCompletion(user("hello"), carried));
    assert.equal(delta.role, "assistant");
    assert.deepEqual(first, carried);
    assert.equal(contentOf(others), message.content);
  });
}

test("a conversation goes up as it is, a message's own context does not", async () => {
  const words = unique("conversation");
  const said = [{ role: "system", content: "Be brief." }, ...user("hello"), { role: "assistant", content: "Hi." }];
  await client.getCompletion([...said, { role: "user", content: words, context: { secret: 1 } }]);
  const { messages } = JSON.parse((await ended("complete", words)).body);
  assert.deepEqual(messages, [...said, { role: "user", content: words }]);
});

test("heartbeats in a long silence go unnoticed", async () => {
  const lines = await collect(
    await client.getStreamedCompletion(user(sim({ tokens: ["a", "b"], start_delay: 1.4, interval: 0.8 }))),
  );
  assert.equal(contentOf(lines), "ab");
});

test("an answer that breaks off throws the protocol's error", async () => {
  const lines = [];
  const error = await rejection(
    (async () => {
      for await (const line of await client.getStreamedCompletion(user(sim({ tokens: 4, end: "cut", after: 2 })))) {
        lines.push(line);
      }
    })(),
  );
  assert.equal(lines.length, 3);
  assert.deepEqual(Object.keys(error).sort(), ["code", "message"]);
  assert.equal(error.code, "upstream_cut");
});

for (const ask of ["getCompletion", "getStreamedCompletion"]) {
  test(`${ask} throws a refusal with its code and its sentence`, async () => {
    const error = await rejection(client[ask](user(sim({ status: 400, error: "content_filter" }))));
    assert.equal(error.code, "content_filter");
    assert.equal(typeof error.message, "string");
  });

  test(`${ask} throws what is wrong with the request`, async () => {
    assert.equal((await rejection(client[ask](user("")))).code, "invalid_request");
  });

  test(`${ask} sends the caller's key`, async () => {
    const at = (key) =>
      new AIChatProtocolClient(`${KEYS_URL}/chat`, { key }, { ...once, credentials: { apiKeyHeaderName: "api-key" } });
    await at(CALLER_KEY)[ask](user("hello"));
    assert.equal((await rejection(at("wrong")[ask](user("hello")))).code, "invalid_api_key");
  });
}

test("aborting a stream stops the upstream", async () => {
  const words = unique("stop");
  const stop = new AbortController();
  const stream = await client.getStreamedCompletion(user(sim({ tokens: 1000, interval: 0.05 }, words)), {
    abortSignal: stop.signal,
  });
  await rejection(
    (async () => {
      for await (const line of stream) if (line.delta.content) stop.abort();
    })(),
  );
  await ended("client_gone", words);
});

test("a browser's client, which names itself in another header, is known too", async () => {
  const headers = { accept: "application/json", "content-type": "application/json", "x-ms-useragent": "ts-http-runtime/1.0.0-beta.1 OS/Linux" };
  const response = await fetch(`${APP_URL}/chat`, { method: "POST", headers, body: JSON.stringify({ messages: user("hello") }) });
  assert.equal((await response.json()).message.role, "assistant");
});

/** The client's view of a golden file of the encoder. */
async function golden(name) {
  const body = await readFile(new URL(`../chat/encoders/golden/${name}`, import.meta.url));
  const server = createServer((_request, response) => response.end(body));
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  try {
    const { port } = server.address();
    return await collect(await new AIChatProtocolClient(`http://127.0.0.1:${port}/chat`).getStreamedCompletion(user("hello")));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("the encoder's golden answer is read by the client", async () => {
  const lines = await golden("chat-protocol.finished");
  assert.equal(lines[0].delta.role, "assistant");
  assert.match(contentOf(lines), /^Grüße, “Welt” 😀\u2028\nline two/);
});

test("the encoder's golden failure is thrown by the client", async () => {
  assert.equal((await rejection(golden("chat-protocol.failed"))).code, "upstream_cut");
});
