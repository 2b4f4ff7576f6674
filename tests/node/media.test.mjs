// Images and audio by OpenAI's client for Node, at OpenAI's addresses and at Azure's.
import assert from "node:assert/strict";
import { createReadStream, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import OpenAI, { AzureOpenAI, toFile } from "openai";

import { APP_URL, UPSTREAM_KEY, UPSTREAM_URL, collect, comparable, ended, rejection, sim, unique } from "./support.mjs";

const model = "gpt-image-1";
const apiVersion = "2025-04-01-preview";
const bytes = Buffer.alloc(2_500_000, "sound"); // large enough to be spooled
const path = join(mkdtempSync(join(tmpdir(), "media-")), "speech.wav");
writeFileSync(path, bytes);

const azure = (endpoint, apiKey) => new AzureOpenAI({ endpoint, apiKey, apiVersion, maxRetries: 0 });
const APPS = {
  OpenAI: new OpenAI({ baseURL: `${APP_URL}/v1`, apiKey: "unused", maxRetries: 0 }),
  AzureOpenAI: azure(APP_URL, "unused"),
};
const upstream = azure(UPSTREAM_URL, UPSTREAM_KEY);
const file = (name = "speech.wav") => toFile(bytes, name, { type: "audio/wav" });

const CASES = {
  "an image": (client) => client.images.generate({ model, prompt: "a cat" }),
  "a stream of images": async (client) =>
    collect(await client.images.generate({ model, prompt: "a cat", stream: true, partial_images: 2 })),
  "an edit, its images before the model": async (client) =>
    client.images.edit({ image: [await file("a.png"), await file("b.png")], prompt: "a cat", model }),
  "a stream of edits": async (client) =>
    collect(await client.images.edit({ image: await file("a.png"), prompt: "a cat", model, stream: true })),
  "a transcript of a file before the model": async (client) =>
    client.audio.transcriptions.create({ file: await file(), model }),
  "a transcript of a file that is read as it goes up": (client) =>
    client.audio.transcriptions.create({ file: createReadStream(path), model }),
  "a stream of a transcript": async (client) =>
    collect(await client.audio.transcriptions.create({ file: await file(), model, stream: true })),
  "a translation": async (client) => client.audio.translations.create({ file: await file(), model }),
  "a sound": async (client) =>
    Buffer.from(await (await client.audio.speech.create({ model, voice: "alloy", input: "hi" })).arrayBuffer()).toString("hex"),
};

for (const [kind, app] of Object.entries(APPS)) {
  for (const [name, run] of Object.entries(CASES)) {
    test(`${kind}: ${name} is the same as from the upstream itself`, async () => {
      const [relayed, direct] = [await run(app), await run(upstream)];
      assert.deepEqual(comparable(relayed), comparable(direct));
    });
  }
}

for (const end of ["cut", "eof", "reset"]) {
  test(`a stream of images that the upstream ends by ${end} raises`, async () => {
    const prompt = sim({ end, after: 1, interval: 0.05 });
    const stream = await APPS.OpenAI.images.generate({ model, prompt, stream: true, partial_images: 3 });
    const error = await rejection(collect(stream));
    assert.ok(error instanceof OpenAI.APIError);
    assert.equal(error.code, "upstream_cut");
  });
}

test("a sound that breaks off raises", async () => {
  const input = sim({ end: "cut", after: 2, interval: 0.05 });
  const sound = await APPS.OpenAI.audio.speech.create({ model, voice: "alloy", input });
  await rejection(sound.arrayBuffer());
});

test("breaking off a stream of images stops the upstream", async () => {
  const words = unique("stop");
  const prompt = sim({ tokens: 500, interval: 0.05 }, words);
  const stream = await APPS.OpenAI.images.generate({ model, prompt, stream: true });
  for await (const event of stream) if (event.type === "image_generation.partial_image") break;
  await ended("client_gone", words);
});
