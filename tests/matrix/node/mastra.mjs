import { Agent } from "@mastra/core/agent";
import { createTool } from "@mastra/core/tools";
import { z } from "zod";
import { clock, run, setup, weather } from "./cells.mjs";

const { model } = await setup("setup-mastra.mjs");
const inputSchema = z.object({ city: z.string() });
const tools = {
  weather: createTool({ id: "weather", description: "The weather in a city", inputSchema, execute: async (input) => weather(input.context ?? input) }),
  clock: createTool({ id: "clock", description: "The time in a city", inputSchema, execute: async (input) => clock(input.context ?? input) }),
};
const Forecast = z.object({ city: z.string(), sunny: z.boolean(), degrees: z.number().int() });
const plain = new Agent({ id: "plain", name: "plain", instructions: "Answer.", model });

await run({
  async *stream(prompt, abortSignal) {
    const result = await plain.stream(prompt, { abortSignal });
    for await (const part of result.fullStream) {
      if (part.type === "text-delta") yield part.payload.text;
      if (part.type === "error") throw part.payload.error;
    }
  },
  whole: async (prompt) => ({ text: (await plain.generate(prompt)).text }),
  async tools(prompt) {
    const agent = new Agent({ id: "tools", name: "tools", instructions: "Answer.", model, tools });
    return { text: await (await agent.stream(prompt)).text };
  },
  async structured(prompt) {
    return { value: (await plain.generate(prompt, { structuredOutput: { schema: Forecast } })).object };
  },
  async turns(prompts) {
    const answers = [];
    const messages = [];
    for (const content of prompts) {
      messages.push({ role: "user", content });
      const { text } = await plain.generate(messages);
      messages.push({ role: "assistant", content: text });
      answers.push(text);
    }
    return { answers };
  },
});
