// The Vercel AI SDK's OpenAI-compatible provider: once at the app, once at the upstream itself.
import assert from "node:assert/strict";
import { test } from "node:test";

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embed, generateText, jsonSchema, streamText, tool } from "ai";

import { APP_URL, CALLER_KEY, KEYS_URL, UPSTREAM_KEY, UPSTREAM_URL, comparable, ended, rejection, sim, unique } from "./support.mjs";

const app = createOpenAICompatible({ name: "app", baseURL: `${APP_URL}/v1`, includeUsage: true });
const upstream = createOpenAICompatible({
  name: "app",
  baseURL: `${UPSTREAM_URL}/openai/v1`,
  apiKey: UPSTREAM_KEY,
  includeUsage: true,
});
const model = "gpt-5-mini";
const weather = tool({
  description: "The weather of a city",
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }),
});

/** Every part of a stream that says something about the answer. */
async function parts(provider, prompt, options = {}) {
  const found = [];
  const result = streamText({ model: provider(model), prompt, maxRetries: 0, onError: () => {}, ...options });
  for await (const part of result.stream) {
    if (["text-delta", "reasoning-delta", "tool-call", "finish", "error"].includes(part.type)) found.push(part);
  }
  return found.map(({ type, text, toolName, input, finishReason, totalUsage, error }) => ({
    type,
    text,
    toolName,
    input,
    finishReason,
    totalUsage,
    error: error && String(error.message ?? error),
  }));
}

const CASES = {
  "a streamed text": (provider) => parts(provider, "hello"),
  "a streamed reasoning": (provider) => parts(provider, sim({ reasoning: "let me think", tokens: 3 })),
  "a streamed tool call": (provider) =>
    parts(provider, sim({ tool_call: { name: "weather", arguments: { city: "Köln" } } }), { tools: { weather } }),
  "a whole text": async (provider) => {
    const { text, finishReason, usage } = await generateText({ model: provider(model), prompt: "hello" });
    return { text, finishReason, usage };
  },
  "an embedding": async (provider) => {
    const { embedding, usage } = await embed({ model: provider.embeddingModel("embedder"), value: "one" });
    return { embedding, usage };
  },
};

for (const [name, run] of Object.entries(CASES)) {
  test(`${name} is the same as from the upstream itself`, async () => {
    const [relayed, direct] = [comparable(await run(app)), comparable(await run(upstream))];
    assert.ok(JSON.stringify(relayed).length > 20);
    assert.deepEqual(relayed, direct);
  });
}

const BROKEN = {
  "that the upstream cuts": [sim({ tokens: 6, end: "cut", after: 3 }), /broke off/],
  "with an error inside": [sim({ tokens: 4, in_stream_error: { at: 2 } }), /./],
};

for (const [name, [prompt, message]] of Object.entries(BROKEN)) {
  test(`a stream ${name} is an error part with the message, and nothing after it looks like an end`, async () => {
    const errors = [];
    const result = streamText({ model: app(model), prompt, maxRetries: 0, onError: ({ error }) => errors.push(error) });
    const found = [];
    await rejection(
      (async () => {
        for await (const part of result.stream) found.push(part);
      })(),
    );
    assert.match(String(found.find(({ type }) => type === "error").error.message ?? found.at(-1).error), message);
    assert.ok(!found.some(({ type }) => type === "finish"));
    assert.equal(errors.length, 1);
  });

  test(`who reads nothing but the text of a stream ${name} sees it fail`, async () => {
    const result = streamText({ model: app(model), prompt, maxRetries: 0, onError: () => {} });
    let text = "";
    await rejection(
      (async () => {
        for await (const words of result.textStream) text += words;
      })(),
    );
    assert.ok(text);
    await rejection(result.text);
  });
}

test("a refusal keeps its status and says whether a retry can help", async () => {
  const error = await rejection(
    generateText({ model: app(model), prompt: sim({ status: 429, headers: { "retry-after": "7" } }), maxRetries: 0 }),
  );
  assert.ok(APICallError.isInstance(error));
  assert.deepEqual([error.statusCode, error.isRetryable], [429, true]);
  assert.equal(error.responseHeaders["retry-after"], "7");
});

test("a wrong key is a 401", async () => {
  const at = (apiKey) => createOpenAICompatible({ name: "app", baseURL: `${KEYS_URL}/v1`, apiKey })("fast");
  assert.ok((await generateText({ model: at(CALLER_KEY), prompt: "hello" })).text);
  assert.equal((await rejection(generateText({ model: at("wrong"), prompt: "hello" }))).statusCode, 401);
});

test("aborting stops the upstream", async () => {
  const words = unique("stop");
  const stop = new AbortController();
  const result = streamText({
    model: app(model),
    prompt: sim({ tokens: 1000, interval: 0.05 }, words),
    abortSignal: stop.signal,
  });
  for await (const part of result.stream) if (part.type === "text-delta") stop.abort();
  await ended("client_gone", words);
});
