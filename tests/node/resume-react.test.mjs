// The React file of docs/resume.md: its connection breaks, its tab is reloaded, and the answer goes on in the same message.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { Window } from "happy-dom";

import { CONTROL_URL, KILLED_URL, RESUME_URL } from "./support.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const window = new Window({ url: RESUME_URL });
const WORDS = Array.from({ length: 12 }, (_, number) => `wörd${number} `);
let React;
let createRoot;
let recipe;
let root;

before(async () => {
  const { sessionStorage } = window;
  Object.assign(globalThis, { window, document: window.document, sessionStorage, IS_REACT_ACT_ENVIRONMENT: true });
  recipe = /```tsx ResumedChat\.tsx\n(.*?)```/s.exec(await readFile(new URL("../../docs/resume.md", import.meta.url), "utf8"))[1];
  React = await import("react");
  ({ createRoot } = await import("react-dom/client"));
});

afterEach(async () => {
  await React.act(async () => root.unmount());
  sessionStorage.clear();
});

after(() => window.happyDOM.close());

async function component(url) {
  const { outputFiles } = await build({
    stdin: { contents: recipe.replaceAll("http://127.0.0.1:7071", url), loader: "tsx", resolveDir: here, sourcefile: "ResumedChat.tsx" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    packages: "external",
    jsx: "automatic",
  });
  const rooted = outputFiles[0].text.replaceAll(/from "([^.][^"]*)"/g, (_match, name) => `from "${import.meta.resolve(name)}"`);
  return (await import(`data:text/javascript,${encodeURIComponent(rooted)}`)).ResumedChat;
}

async function mount(id, url = RESUME_URL) {
  const ResumedChat = await component(url);
  root = createRoot(document.body.appendChild(document.createElement("div")));
  await React.act(async () => root.render(React.createElement(ResumedChat, { id })));
}

const answers = () => [...document.querySelectorAll('article[aria-label="assistant"]')];
const said = () => answers().at(-1)?.textContent ?? "";

async function click(name) {
  const found = [...document.querySelectorAll("button")].find(({ textContent }) => textContent === name);
  await React.act(async () => found.click());
}

async function until(condition, what) {
  for (let wait = 0; wait < 500; wait += 1) {
    if (condition()) return;
    await React.act(async () => new Promise((resume) => setTimeout(resume, 20)));
  }
  assert.fail(`never happened: ${what}; the page says: ${document.body.textContent}`);
}

async function behave(behaviour) {
  await fetch(`${CONTROL_URL}/behaviours`, { method: "PUT", body: JSON.stringify({ "*": [behaviour] }) });
}

test("a tab that is reloaded in mid-answer shows the whole of it once", async () => {
  await behave({ tokens: WORDS, interval: 0.1 });
  await mount("reloaded");
  await click("Ask");
  await until(() => said().includes("wörd3 "), "the first words");
  await React.act(async () => root.unmount());
  document.body.replaceChildren();
  await mount("reloaded");
  await until(() => document.querySelector("main").dataset.status === "ready" && said().includes("wörd11 "), "the end");
  assert.equal(said(), WORDS.join(""));
  assert.equal(answers().length, 1);
});

test("after kill -9 another process goes on in the same message", async () => {
  const words = WORDS.map((_, number) => `killed${number} `);
  await behave({ tokens: words, interval: 0.1 });
  await mount("killed", KILLED_URL);
  await click("Ask");
  await until(() => [...document.querySelectorAll("button")].some(({ textContent }) => textContent === "Go on"), "the break");
  assert.ok(!said().includes("killed11 "));
  await click("Go on");
  await until(() => document.querySelector("main").dataset.status === "ready" && said().includes("killed11 "), "the end");
  assert.equal(said(), words.join(""));
  assert.equal(answers().length, 1);
});

test("a new tab has nothing to take up, and no error", async () => {
  await mount("new");
  await until(() => document.querySelector("main").dataset.status === "ready", "readiness");
  assert.equal(answers().length, 0);
  assert.equal([...document.querySelectorAll("button")].some(({ textContent }) => textContent === "Go on"), false);
});

test("stop ends the answer at the model", async () => {
  await behave({ tokens: 400, interval: 0.1 });
  await mount("stopped");
  await click("Ask");
  await until(() => said().length > 0, "the first words");
  await click("Stop");
  const query = new URLSearchParams({ path: "/cancel", ended: "complete", timeout: "5" });
  assert.equal((await fetch(`${CONTROL_URL}/requests/wait?${query}`)).status, 200);
});
