// The AzureOpenAI class of OpenAI's client for Node, at the addresses of Azure: once at the app, once at the upstream itself.
import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI, { AzureOpenAI } from "openai";

import { APP_URL, CALLER_KEY, KEYS_URL, UPSTREAM_KEY, UPSTREAM_URL, collect, comparable, rejection } from "./support.mjs";

const apiVersion = "2025-04-01-preview";
const model = "gpt-5-mini";
const hello = { model, messages: [{ role: "user", content: "hello" }] };
const at = (endpoint, apiKey, more = {}) => new AzureOpenAI({ endpoint, apiKey, apiVersion, maxRetries: 0, ...more });

const CASES = {
  "a chat answer": (client) => client.chat.completions.create(hello),
  "a streamed chat answer": async (client) => collect(await client.chat.completions.create({ ...hello, stream: true })),
  "embeddings": (client) => client.embeddings.create({ model: "embedder", input: "one" }),
  "a streamed response": async (client) =>
    collect(await client.responses.create({ model, input: "hello", stream: true })),
};

for (const [name, run] of Object.entries(CASES)) {
  test(`${name} is the same as from the upstream itself`, async () => {
    const [relayed, direct] = [await run(at(APP_URL, "unused")), await run(at(UPSTREAM_URL, UPSTREAM_KEY))];
    assert.deepEqual(comparable(relayed), comparable(direct));
  });
}

test("a deployment named once for all is the one that answers", async () => {
  const client = at(APP_URL, "unused", { deployment: "gpt-5" });
  assert.match((await client.chat.completions.create({ ...hello, model: "" })).model, /^gpt-5-/);
});

test("the api-key header is the caller's key", async () => {
  const asks = { ...hello, model: "fast" };
  assert.ok((await at(KEYS_URL, CALLER_KEY).chat.completions.create(asks)).choices[0].message.content);
  assert.ok((await rejection(at(KEYS_URL, "wrong").chat.completions.create(asks))) instanceof OpenAI.AuthenticationError);
});

test("a deployment that does not exist is told as Azure tells it", async () => {
  const error = await rejection(at(KEYS_URL, CALLER_KEY).chat.completions.create({ ...hello, model: "other" }));
  assert.ok(error instanceof OpenAI.NotFoundError);
  assert.equal(error.code, "DeploymentNotFound");
});
