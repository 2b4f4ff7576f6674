import { Agent, run as ask, setTracingDisabled, tool } from "@openai/agents";
import { z } from "zod";
import { clock, run, setup, weather } from "./cells.mjs";

const { model } = await setup("setup-openai-agents.mjs");
setTracingDisabled(true);
const parameters = z.object({ city: z.string() });
const tools = [
  tool({ name: "weather", description: "The weather in a city", parameters, execute: weather }),
  tool({ name: "clock", description: "The time in a city", parameters, execute: clock }),
];
const Forecast = z.object({ city: z.string(), sunny: z.boolean(), degrees: z.number().int() });
const plain = new Agent({ name: "plain", model });

await run({
  async *stream(prompt, signal) {
    const result = await ask(plain, prompt, { stream: true, signal });
    for await (const piece of result.toTextStream()) yield piece;
    await result.completed;
    if (result.error) throw result.error;
  },
  whole: async (prompt) => ({ text: (await ask(plain, prompt)).finalOutput }),
  async tools(prompt) {
    const result = await ask(new Agent({ name: "tools", model, tools }), prompt, { stream: true });
    await result.completed;
    return { text: result.finalOutput };
  },
  structured: async (prompt) => ({
    value: (await ask(new Agent({ name: "form", model, outputType: Forecast }), prompt)).finalOutput,
  }),
  async turns(prompts) {
    const answers = [];
    let history = [];
    for (const prompt of prompts) {
      const result = await ask(plain, [...history, { role: "user", content: prompt }]);
      history = result.history;
      answers.push(result.finalOutput);
    }
    return { answers };
  },
});
