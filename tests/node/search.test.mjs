// Answers with sources, as clients read them that know nothing of this app: Azure's search demo, useChat, the AI Chat Protocol.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Chat } from "@ai-sdk/react";
import { AIChatProtocolClient } from "@microsoft/ai-chat-protocol";
import { DefaultChatTransport } from "ai";
import readNDJSONStream from "ndjson-readablestream";

import { SEARCH_URL, collect } from "./support.mjs";

const QUESTION = "What is the deadline of a request's body?";

/** What the demo's page makes of a stream: the answer so far, and the last complete context. */
async function readAsTheDemoDoes(stream) {
  let answer = "";
  let shown = {};
  for await (const event of readNDJSONStream(stream)) {
    if (event["context"] && event["context"]["data_points"]) {
      shown = { ...event, message: event["delta"] };
    } else if (event["delta"] && event["delta"]["content"]) {
      answer += event["delta"]["content"];
    } else if (event["context"]) {
      shown.context = { ...shown.context, ...event["context"] };
    } else if (event["error"]) {
      throw Error(event["error"]);
    }
  }
  return { ...shown, message: { content: answer, role: shown.message.role } };
}

test("the search demo's own parser finds thoughts, data points and the answer in /chat/stream", async () => {
  const response = await fetch(`${SEARCH_URL}/chat/stream`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content: QUESTION }], context: { overrides: { top: 3 } }, session_state: null }),
  });
  assert.equal(response.status, 200);
  const { message, context } = await readAsTheDemoDoes(response.body);
  assert.equal(message.role, "assistant");
  assert.deepEqual(context.thoughts.map(({ title }) => title), ["search-query", "search"]);
  assert.equal(context.thoughts[0].description, QUESTION);
  assert.equal(context.thoughts[1].props.count, 5);
  assert.equal(context.data_points.citations.length, 5);
  assert.equal(context.data_points.text.length, 5);
  const cited = [...message.content.matchAll(/\[([^\]]+)\]/g)].map(([, name]) => name);
  assert.ok(cited.length > 0);
  assert.ok(cited.every((name) => context.data_points.citations.includes(name)), `${cited}`);
});

test("its answer in one piece has the same context", async () => {
  const response = await fetch(`${SEARCH_URL}/chat`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content: QUESTION }], context: {}, session_state: "s" }),
  });
  const { message, context, session_state } = await response.json();
  assert.equal(session_state, "s");
  assert.equal(context.data_points.citations.length, 5);
  assert.match(message.content, /\[docs\/.+?\]/);
});

test("useChat has the sources and the steps among the parts of its message", async () => {
  const chat = new Chat({ transport: new DefaultChatTransport({ api: `${SEARCH_URL}/chat` }), onError: assert.fail });
  await chat.sendMessage({ text: QUESTION });
  assert.equal(chat.status, "ready");
  const { parts, metadata } = chat.lastMessage;
  const sources = parts.filter(({ type }) => type === "source-url");
  assert.deepEqual(sources.map(({ sourceId }) => sourceId), ["1", "2", "3", "4", "5"]);
  assert.ok(sources.every(({ url, title }) => url.startsWith("http://") && title.length > 0));
  assert.ok(sources[0].providerMetadata.source.excerpt.length > 0);
  const steps = parts.filter(({ type }) => type === "data-step").map(({ data }) => [data.name, data.status]);
  assert.deepEqual(steps, [["search-query", "finished"], ["search", "finished"]]);
  const text = parts.filter(({ type }) => type === "text").map((part) => part.text).join("");
  const citations = parts.filter(({ type }) => type === "data-citation").map(({ data }) => data);
  assert.ok(citations.length > 0);
  for (const { source, start, end } of citations) assert.equal([...text].slice(start, end).join(""), `[${source}]`);
  assert.match(metadata.model, /^gpt/);
});

test("a conversation goes on with them in it", async () => {
  const chat = new Chat({ transport: new DefaultChatTransport({ api: `${SEARCH_URL}/chat` }), onError: assert.fail });
  await chat.sendMessage({ text: QUESTION });
  await chat.sendMessage({ text: "And of its headers?" });
  const step = chat.lastMessage.parts.find(({ type, id }) => type === "data-step" && id === "search-query");
  assert.equal(step.data.detail.query, `${QUESTION} And of its headers?`);
});

test("the AI Chat Protocol's client reads them as the context of its parts", async () => {
  const client = new AIChatProtocolClient(`${SEARCH_URL}/chat`);
  const lines = await collect(await client.getStreamedCompletion([{ role: "user", content: QUESTION }]));
  const contexts = lines.map(({ context }) => context).filter(Boolean);
  assert.equal(contexts.at(-1).data_points.citations.length, 5);
  const { message, context } = await client.getCompletion([{ role: "user", content: QUESTION }]);
  assert.equal(context.data_points.citations.length, 5);
  assert.ok(message.content.length > 0);
});
