import { Window } from "happy-dom";

const window = new Window({ url: process.env.ENDPOINT });
Object.assign(globalThis, { window, document: window.document });
const { AssistantRuntimeProvider } = await import("@assistant-ui/react");
const { createElement } = await import("react");
const { createRoot } = await import("react-dom/client");
const { run, setup } = await import("./cells.mjs");
const { useRuntime } = await setup("setup-assistant-ui.mjs");

/** The runtime of a page of its own: a new conversation. */
async function opened() {
  const found = Promise.withResolvers();
  function Page() {
    const runtime = useRuntime();
    found.resolve(runtime);
    return createElement(AssistantRuntimeProvider, { runtime });
  }
  createRoot(document.body.appendChild(document.createElement("div"))).render(createElement(Page));
  return (await found.promise).thread;
}

const textOf = (message) => message.content.map((part) => (part.type === "text" ? part.text : "")).join("");

async function* said(thread, prompt, signal) {
  signal.addEventListener("abort", () => thread.cancelRun());
  thread.append({ role: "user", content: [{ type: "text", text: prompt }] });
  for (let before = ""; ; ) {
    await new Promise((resume) => setTimeout(resume, 5));
    const message = thread.getState().messages.at(-1);
    if (message?.role !== "assistant") continue;
    const text = textOf(message);
    if (text !== before) yield text.slice(before.length);
    before = text;
    if (message.status.type === "running") continue;
    if (message.status.reason === "error") throw new Error(JSON.stringify(message.status.error));
    return;
  }
}

const NO_TOOLS = "the chat API calls no tools of a page";
await run({
  async *stream(prompt, signal) {
    yield* said(await opened(), prompt, signal);
  },
  whole: "its transport always streams",
  tools: NO_TOOLS,
  structured: "the chat API answers in text",
  async turns(prompts) {
    const thread = await opened();
    const answers = [];
    for (const prompt of prompts) {
      let answer = "";
      for await (const piece of said(thread, prompt, new AbortController().signal)) answer += piece;
      answers.push(answer);
    }
    return { answers };
  },
});
