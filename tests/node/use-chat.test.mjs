// The Vercel AI SDK's chat client: what useChat sends with its own transport, and what it makes of the answer.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { Chat } from "@ai-sdk/react";
import { APICallError, DefaultChatTransport, TextStreamChatTransport, readUIMessageStream } from "ai";

import { APP_URL, CALLER_KEY, KEYS_URL, ended, sim, unique } from "./support.mjs";

/** A chat as useChat has one, and how each of its answers ended. */
function newChat(options = {}, api = `${APP_URL}/chat`) {
  const ends = [];
  const data = [];
  const chat = new Chat({
    transport: new DefaultChatTransport({ api, ...options }),
    onFinish: (end) => ends.push(end),
    onError: () => {},
    onData: (part) => data.push(part),
  });
  return { chat, ends, data };
}

const textOf = (message) => message.parts.filter(({ type }) => type === "text").map(({ text }) => text).join("");

for (const path of ["/chat", "/stream", "/chat/stream", "/chat?format=ui-message"]) {
  test(`an answer from ${path} arrives whole, with its end, its model and its cost`, async () => {
    const { chat, ends } = newChat({}, APP_URL + path);
    await chat.sendMessage({ text: sim({ tokens: ["Grüße", ", ", "Welt 😀\u2028"] }) });
    assert.equal(chat.status, "ready");
    const answer = chat.lastMessage;
    assert.equal(answer.role, "assistant");
    assert.equal(textOf(answer), "Grüße, Welt 😀\u2028");
    assert.ok(answer.parts.every((part) => part.state === undefined || part.state === "done"));
    assert.match(answer.id, /^chatcmpl-/);
    assert.match(answer.metadata.model, /^gpt/);
    assert.equal(answer.metadata.usage.outputTokens, 3);
    assert.equal(answer.metadata.usage.totalTokens, answer.metadata.usage.inputTokens + 3);
    assert.deepEqual(
      ends.map(({ isError, isAbort, finishReason }) => ({ isError, isAbort, finishReason })),
      [{ isError: false, isAbort: false, finishReason: "stop" }],
    );
  });
}

test("the words appear while the model writes", async () => {
  const transport = new DefaultChatTransport({ api: `${APP_URL}/chat` });
  const messages = [{ id: "1", role: "user", parts: [{ type: "text", text: sim({ tokens: ["a", "b", "c"], interval: 0.1 }) }] }];
  const stream = await transport.sendMessages({ chatId: "1", trigger: "submit-message", messages });
  const seen = [];
  for await (const message of readUIMessageStream({ stream })) seen.push(textOf(message));
  assert.deepEqual([...new Set(seen)], ["", "a", "ab", "abc"]);
});

test("reasoning is a part of its own", async () => {
  const { chat } = newChat();
  await chat.sendMessage({ text: sim({ reasoning: "Let me think.", tokens: 2 }) });
  const [start, reasoning, text] = chat.lastMessage.parts;
  assert.deepEqual([start.type, reasoning.type, reasoning.text, reasoning.state, text.type], [
    "step-start", "reasoning", "Let me think.", "done", "text",
  ]);
});

for (const [reason, told] of [["length", "length"], ["content_filter", "content-filter"], ["tool_calls", "tool-calls"]]) {
  test(`the model's end by ${reason} is told as ${told}`, async () => {
    const { chat, ends } = newChat();
    await chat.sendMessage({ text: sim({ tokens: 2, finish_reason: reason }) });
    assert.equal(ends[0].finishReason, told);
  });
}

test("a heartbeat before the first word and heartbeats between words go unnoticed", async () => {
  const { chat, ends } = newChat();
  await chat.sendMessage({ text: sim({ tokens: ["a", "b"], start_delay: 1.4, interval: 0.8 }) });
  assert.equal(textOf(chat.lastMessage), "ab");
  assert.equal(ends[0].finishReason, "stop");
});

test("an answer that breaks off is an error, and never a clean end", async () => {
  const { chat, ends } = newChat();
  await chat.sendMessage({ text: sim({ tokens: ["one ", "two ", "three"], end: "cut", after: 2 }) });
  assert.equal(chat.status, "error");
  assert.match(chat.error.message, /^The connection to the model broke off/);
  assert.equal(textOf(chat.lastMessage), "one two ");
  assert.equal(chat.lastMessage.parts.at(-1).state, "streaming");
  assert.deepEqual([ends[0].isError, ends[0].finishReason], [true, undefined]);
});

test("an answer that fails after a heartbeat, before its first word, is an error", async () => {
  const { chat, ends } = newChat();
  await chat.sendMessage({ text: sim({ start_delay: 2, end: "cut", after: 0, tokens: 3, repeat: true }) });
  assert.equal(chat.status, "error");
  assert.equal(ends[0].isError, true);
});

test("a refusal is an error with its status", async () => {
  const { chat } = newChat();
  await chat.sendMessage({ text: sim({ status: 400, error: "content_filter" }) });
  assert.equal(chat.status, "error");
  assert.ok(APICallError.isInstance(chat.error));
  assert.equal(chat.error.statusCode, 400);
  assert.equal(JSON.parse(chat.error.responseBody).error.code, "content_filter");
});

test("after a failed answer the conversation goes on, and the model sees what was said", async () => {
  const { chat } = newChat();
  const words = unique("after");
  await chat.sendMessage({ text: sim({ reasoning: "hm", tokens: ["half "], end: "cut", after: 2 }) });
  assert.equal(chat.status, "error");
  await chat.sendMessage({ text: words, files: [{ type: "file", mediaType: "image/png", url: "https://example.com/a.png" }] });
  assert.equal(chat.status, "ready");
  const { messages } = JSON.parse((await ended("complete", words)).body);
  assert.equal(messages.at(-1).role, "user");
  assert.deepEqual(messages.at(-1).content.map(({ type }) => type).sort(), ["image_url", "text"]);
});

test("regenerating asks the same question again", async () => {
  const { chat } = newChat();
  await chat.sendMessage({ text: "hello" });
  const first = chat.lastMessage;
  await chat.regenerate();
  assert.equal(chat.messages.length, 2);
  assert.equal(textOf(chat.lastMessage), textOf(first));
  assert.notEqual(chat.lastMessage.id, first.id);
});

test("stopping stops the upstream", async () => {
  const { chat, ends } = newChat();
  const words = unique("stop");
  const sent = chat.sendMessage({ text: sim({ tokens: 1000, interval: 0.05 }, words) });
  while (chat.status !== "streaming") await new Promise((resume) => setTimeout(resume, 20));
  await chat.stop();
  await sent;
  assert.equal(ends[0].isAbort, true);
  assert.ok((await ended("client_gone", words)).tokens_sent < 1000);
});

test("headers carry the caller's key, and the body the options of the service", async () => {
  const headers = { authorization: `Bearer ${CALLER_KEY}` };
  const { chat } = newChat({ headers, body: { model: "fast", temperature: 0.5 } }, `${KEYS_URL}/chat`);
  const words = unique("options");
  await chat.sendMessage({ text: words });
  assert.equal(chat.status, "ready");
  const { model, temperature } = JSON.parse((await ended("complete", words)).body);
  assert.deepEqual([model, temperature], ["gpt-5-mini", 0.5]);

  const { chat: keyless } = newChat({}, `${KEYS_URL}/chat`);
  await keyless.sendMessage({ text: "hello" });
  assert.equal(keyless.error.statusCode, 401);
});

test("the text transport reads plain text from the same request", async () => {
  const chat = new Chat({ transport: new TextStreamChatTransport({ api: `${APP_URL}/chat?format=text` }), onError: () => {} });
  await chat.sendMessage({ text: sim({ tokens: ["one ", "two"] }) });
  assert.equal(textOf(chat.lastMessage), "one two");
});

/** A chat that is answered with the bytes of a golden file of the encoder. */
async function golden(name) {
  const body = await readFile(new URL(`../chat/encoders/golden/${name}`, import.meta.url));
  const answer = () => new Response(body, { headers: { "content-type": "text/event-stream" } });
  const made = newChat({ fetch: async () => answer() });
  await made.chat.sendMessage({ text: "hello" });
  return made;
}

test("every part of the encoder's golden answer passes the client's schema", async () => {
  const { chat, ends, data } = await golden("ui-message.finished");
  assert.equal(chat.status, "ready");
  assert.equal(ends[0].finishReason, "stop");
  assert.deepEqual(
    chat.lastMessage.parts.map(({ type }) => type),
    [
      "step-start", "data-step", "source-url", "source-document", "data-step", "reasoning", "text", "data-citation",
    ],
  );
  assert.deepEqual(data.map((part) => part.data), [
    // The step's end takes the place of its beginning, which has the same id.
    { name: "search", status: "finished", detail: { count: 2, milliseconds: 143 } },
    { name: "search", status: "finished", detail: { count: 2, milliseconds: 143 } },
    { name: "web_search", status: "searching" },
    { source: "1", start: 0, end: 5 },
  ]);
});

test("the encoder's golden failure is an error", async () => {
  const { chat, ends } = await golden("ui-message.failed");
  assert.equal(chat.status, "error");
  assert.equal(chat.error.message, "The connection to the model broke off.");
  assert.equal(ends[0].finishReason, undefined);
});

test("the trace that the page names goes on to the model's service", async () => {
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const headers = { authorization: `Bearer ${CALLER_KEY}`, traceparent: `00-${trace}-00f067aa0ba902b7-01` };
  const { chat } = newChat({ headers, body: { model: "fast" } }, `${KEYS_URL}/chat`);
  const words = unique("traced");
  await chat.sendMessage({ text: sim({ tokens: 1 }, words) });
  assert.equal(chat.status, "ready");
  const { headers: sent } = await ended("complete", words);
  assert.match(sent.traceparent, new RegExp(`^00-${trace}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`));
});
