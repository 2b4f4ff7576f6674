// The React file of docs/recipes.md, bundled as it stands there and used as a person would use it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { Window } from "happy-dom";

import { APP_URL, ended, sim, unique } from "./support.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const window = new Window({ url: APP_URL });
let root;
let act;

/** The recipe and what mounts it, as one module; React itself stays outside, so that there is one of it. */
async function bundled() {
  const document = await readFile(new URL("../../docs/recipes.md", import.meta.url), "utf8");
  const recipe = /```tsx Chat\.tsx\n(.*?)```/s.exec(document)[1].replaceAll("http://127.0.0.1:7071", APP_URL);
  const { outputFiles } = await build({
    stdin: { contents: recipe, loader: "tsx", resolveDir: here, sourcefile: "Chat.tsx" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    packages: "external",
    jsx: "automatic",
  });
  return outputFiles[0].text;
}

before(async () => {
  Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true });
  const code = await bundled();
  const rooted = code.replaceAll(/from "([^.][^"]*)"/g, (_match, name) => `from "${import.meta.resolve(name)}"`);
  const { Chat } = await import(`data:text/javascript,${encodeURIComponent(rooted)}`);
  const React = await import("react");
  const { createRoot } = await import("react-dom/client");
  act = React.act;
  root = createRoot(document.body.appendChild(document.createElement("div")));
  await act(async () => root.render(React.createElement(Chat)));
});

after(async () => {
  await act(async () => root.unmount());
  await window.happyDOM.close();
});

const all = (selector) => [...document.querySelectorAll(selector)];
const button = (name) => all("button").find(({ textContent }) => textContent.trim() === name);
const lastAnswer = () => all('article[aria-label="assistant"]').at(-1);

async function until(condition, what) {
  for (let wait = 0; wait < 400; wait += 1) {
    if (condition()) return;
    await act(async () => new Promise((resume) => setTimeout(resume, 20)));
  }
  assert.fail(`never happened: ${what}; the page says: ${document.body.textContent}`);
}

async function send(text) {
  const input = document.querySelector("input");
  const { set } = Object.getOwnPropertyDescriptor(window.HTMLInputElement.prototype, "value");
  await act(async () => {
    set.call(input, text);
    input.dispatchEvent(new window.Event("input", { bubbles: true }));
  });
  await act(async () => button("Send").click());
}

test("a question is answered, with its reasoning and its cost", async () => {
  await send(sim({ reasoning: "Let me think.", tokens: ["Grüße, ", "Welt"] }));
  await until(() => lastAnswer()?.querySelector("small"), "the cost");
  assert.equal(lastAnswer().querySelector("p").textContent, "Grüße, Welt");
  assert.equal(lastAnswer().querySelector("details").textContent, "Let me think.");
  assert.match(lastAnswer().querySelector("small").textContent, /^\d+ tokens$/);
  assert.equal(document.querySelector('[role="alert"]'), null);
});

test("an answer that breaks off is told, and can be asked for again", async () => {
  await send(sim({ tokens: ["one ", "two ", "three"], end: "cut", after: 2 }));
  await until(() => document.querySelector('[role="alert"]'), "the failure");
  assert.match(document.querySelector('[role="alert"]').textContent, /The connection to the model broke off/);
  assert.equal(lastAnswer().querySelector("p").textContent, "one two ");
  await act(async () => button("Try again").click());
  await until(() => document.querySelector('[role="alert"]'), "the failure of the second attempt");
});

test("stop keeps what was said and stops the upstream", async () => {
  const words = unique("stop");
  await send(sim({ tokens: ["said ", ...Array(500).fill("more ")], interval: 0.05 }, words));
  await until(() => lastAnswer()?.textContent.includes("said more"), "the first words");
  await act(async () => button("Stop").click());
  await until(() => button("Send"), "the next turn");
  await ended("client_gone", words);
  assert.match(lastAnswer().textContent, /^said more/);
});
