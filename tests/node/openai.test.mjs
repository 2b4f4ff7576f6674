// OpenAI's own client for Node, unmodified but for its base URL and key: once at the app, once at the upstream itself.
import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

import {
  APP_URL,
  CALLER_KEY,
  KEYS_URL,
  UPSTREAM_KEY,
  UPSTREAM_URL,
  collect,
  comparable,
  ended,
  rejection,
  sim,
  unique,
} from "./support.mjs";

const app = new OpenAI({ baseURL: `${APP_URL}/v1`, apiKey: "unused", maxRetries: 0 });
const upstream = new OpenAI({ baseURL: `${UPSTREAM_URL}/openai/v1`, apiKey: UPSTREAM_KEY, maxRetries: 0 });
const keyed = new OpenAI({ baseURL: `${KEYS_URL}/v1`, apiKey: CALLER_KEY, maxRetries: 0 });

const model = "gpt-5-mini";
const user = (content) => [{ role: "user", content }];
const hello = { model, messages: user("hello") };
const weather = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
};
const callsWeather = { tool_call: { name: "weather", arguments: { city: "Köln" } } };
const pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const CASES = {
  "a chat answer": (client) => client.chat.completions.create(hello),
  "a streamed chat answer, chunk by chunk": async (client) =>
    collect(await client.chat.completions.create({ ...hello, stream: true })),
  "a streamed chat answer with its usage": async (client) =>
    collect(
      await client.chat.completions.create({ ...hello, stream: true, stream_options: { include_usage: true } }),
    ),
  "a chat answer put together by the stream helper": (client) =>
    client.chat.completions.stream(hello).finalChatCompletion(),
  "two choices at once": async (client) =>
    collect(await client.chat.completions.create({ ...hello, n: 2, stream: true })),
  "an answer that the token limit ends": (client) =>
    client.chat.completions.create({ ...hello, max_completion_tokens: 3 }),
  "an image in the question": (client) =>
    client.chat.completions.create({
      model,
      messages: user([{ type: "text", text: "What is it?" }, { type: "image_url", image_url: { url: pixel } }]),
    }),
  "a tool call": (client) =>
    client.chat.completions.create({ model, messages: user(sim(callsWeather)), tools: [weather] }),
  "a streamed tool call": (client) =>
    client.chat.completions
      .stream({ model, messages: user(sim(callsWeather)), tools: [weather] })
      .finalChatCompletion(),
  "an answer that has a tool's result to build on": (client) => {
    const calls = [{ id: "call_1", type: "function", function: { name: "weather", arguments: '{"city":"Köln"}' } }];
    const said = [{ role: "assistant", tool_calls: calls }, { role: "tool", tool_call_id: "call_1", content: "rain" }];
    return client.chat.completions.create({ model, messages: [...user("The weather?"), ...said], tools: [weather] });
  },
  "an answer parsed by a schema": async (client) => {
    const schema = zodResponseFormat(z.object({ city: z.string(), sunny: z.boolean() }), "weather");
    const parsed = await client.chat.completions.parse({ ...hello, response_format: schema });
    return parsed.choices[0].message.parsed;
  },
  "a legacy completion": async (client) =>
    collect(await client.completions.create({ model, prompt: "hello", stream: true })),
  "a response": (client) => client.responses.create({ model, input: "hello" }),
  "a streamed response, event by event": async (client) =>
    collect(await client.responses.create({ model, input: "hello", stream: true })),
  "a response put together by the stream helper": (client) =>
    client.responses.stream({ model, input: "hello" }).finalResponse(),
  "a streamed response with a function call": async (client) =>
    collect(
      await client.responses.create({
        model,
        input: sim(callsWeather),
        tools: [{ type: "function", name: "weather", parameters: weather.function.parameters, strict: false }],
        stream: true,
      }),
    ),
  "embeddings, which the client asks for in base64": async (client) => {
    const { data, usage } = await client.embeddings.create({ model: "embedder", input: ["one", "zwei"] });
    assert.ok(data.every(({ embedding }) => embedding.length > 10 && embedding.every(Number.isFinite)));
    return { data, usage };
  },
  "embeddings in plain numbers": (client) =>
    client.embeddings.create({ model: "embedder", input: "one", encoding_format: "float" }),
  "the rate limits in the headers": async (client) => {
    const { response } = await client.chat.completions.create(hello).withResponse();
    return [...response.headers.keys()].filter((name) => name.startsWith("x-ratelimit-"));
  },
  ...Object.fromEntries(
    [
      ["a bad request", { status: 400, error: "bad_thing" }],
      ["a content filter's refusal", { status: 400, error: "content_filter" }],
      ["a rate limit", { status: 429, headers: { "retry-after": "7", "retry-after-ms": "6500" } }],
      ["a failing service", { status: 500 }],
    ].flatMap(([name, behaviour]) =>
      [false, true].map((stream) => [
        `${name}${stream ? " where a stream was asked for" : ""}`,
        async (client) => {
          const messages = user(sim({ ...behaviour, repeat: true }));
          return facts(await rejection(client.chat.completions.create({ model, messages, stream })));
        },
      ]),
    ),
  ),
  "an error inside a chat stream": async (client) => {
    const stream = await client.chat.completions.create({
      model,
      messages: user(sim({ tokens: 4, in_stream_error: { at: 2 } })),
      stream: true,
    });
    return facts(await rejection(collect(stream)));
  },
};

/** What a program can decide by. */
function facts(error) {
  const { status, code, type, param, message, headers } = error;
  const retry = ["retry-after", "retry-after-ms"].map((name) => headers?.get?.(name) ?? null);
  return { class: error.constructor.name, status, code, type, param, message, retry };
}

for (const [name, run] of Object.entries(CASES)) {
  test(`${name} is the same as from the upstream itself`, async () => {
    const [relayed, direct] = [comparable(await run(app)), comparable(await run(upstream))];
    assert.ok(relayed != null);
    assert.deepEqual(relayed, direct);
  });
}

test("a wrong key is an AuthenticationError, the right one is not", async () => {
  const wrong = new OpenAI({ baseURL: `${KEYS_URL}/v1`, apiKey: "wrong", maxRetries: 0 });
  const error = await rejection(wrong.chat.completions.create(hello));
  assert.ok(error instanceof OpenAI.AuthenticationError);
  assert.equal(error.code, "invalid_api_key");
  assert.ok((await keyed.chat.completions.create({ ...hello, model: "fast" })).choices[0].message.content);
});

test("the models are those that the app serves", async () => {
  const names = (await collect(keyed.models.list())).map(({ id }) => id);
  assert.deepEqual(names, ["fast", "smart"]);
  assert.equal((await keyed.models.retrieve("smart")).id, "smart");
});

test("a model that is not served is a NotFoundError", async () => {
  const calls = [() => keyed.models.retrieve("other"), () => keyed.chat.completions.create({ ...hello, model: "other" })];
  for (const call of calls) {
    const error = await rejection(call()); // begun one after the other: a rejection that nobody awaits yet ends the test
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
  }
});

test("an alias asks the upstream for its deployment", async () => {
  const words = unique("alias");
  await keyed.chat.completions.create({ model: "smart", messages: user(words) });
  assert.equal(JSON.parse((await ended("complete", words)).body).model, "gpt-5");
});

test("a rate limit is a RateLimitError that says when to come back", async () => {
  const error = await rejection(
    app.chat.completions.create({ model, messages: user(sim({ status: 429, headers: { "retry-after": "7" } })) }),
  );
  assert.ok(error instanceof OpenAI.RateLimitError);
  assert.equal(error.headers.get("retry-after"), "7");
});

test("an upstream that refuses the app's identity is never the caller's wrong key", async () => {
  const error = await rejection(app.chat.completions.create({ model, messages: user(sim({ status: 401 })) }));
  assert.ok(error instanceof OpenAI.InternalServerError);
  assert.deepEqual([error.status, error.code], [502, "upstream_identity_refused"]);
});

for (const end of ["cut", "eof", "reset"]) {
  test(`a chat stream that the upstream ends by ${end} raises an error`, async () => {
    const messages = user(sim({ tokens: 6, end, after: 3 }));
    const stream = await app.chat.completions.create({ model, messages, stream: true });
    const error = await rejection(collect(stream));
    assert.ok(error instanceof OpenAI.APIError);
    assert.equal(error.code, "upstream_cut");
  });

  test(`a response stream that the upstream ends by ${end} raises an error`, async () => {
    const stream = await app.responses.create({ model, input: sim({ tokens: 6, end, after: 3 }), stream: true });
    const error = await rejection(collect(stream));
    assert.ok(error instanceof OpenAI.APIError);
    assert.equal(error.code, "upstream_cut");
  });
}

test("heartbeats in a long silence go unnoticed", async () => {
  const messages = user(sim({ tokens: 3, start_delay: 1.4, interval: 0.8 }));
  const chunks = await collect(await app.chat.completions.create({ model, messages, stream: true }));
  assert.ok(chunks.some(({ choices }) => choices[0]?.finish_reason === "stop"));
});

test("breaking off a chat stream stops the upstream", async () => {
  const words = unique("stop");
  const messages = user(sim({ tokens: 1000, interval: 0.05 }, words));
  const stream = await app.chat.completions.create({ model, messages, stream: true });
  for await (const chunk of stream) if (chunk.choices[0]?.delta?.content) break;
  assert.ok((await ended("client_gone", words)).tokens_sent < 1000);
});

test("aborting a response stream stops the upstream", async () => {
  const words = unique("stop");
  const stream = await app.responses.create({ model, input: sim({ tokens: 1000, interval: 0.05 }, words), stream: true });
  for await (const event of stream) if (event.type === "response.output_text.delta") stream.controller.abort();
  await ended("client_gone", words);
});

test("aborting before the answer has begun stops the upstream", async () => {
  const words = unique("stop");
  const messages = user(sim({ header_delay: 30 }, words));
  const error = await rejection(
    app.chat.completions.create({ model, messages, stream: true }, { signal: AbortSignal.timeout(500) }),
  );
  assert.ok(error instanceof OpenAI.APIUserAbortError);
  assert.equal((await ended("client_gone", words)).phase, "before_headers");
});
