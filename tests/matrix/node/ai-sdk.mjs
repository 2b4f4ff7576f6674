// The Vercel AI SDK with any of its providers: SETUP_FILE names the set-up.
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { clock, run, setup, weather } from "./cells.mjs";

const { model } = await setup(process.argv[2]);
const inputSchema = z.object({ city: z.string() });
const tools = {
  weather: tool({ description: "The weather in a city", inputSchema, execute: async (input) => weather(input) }),
  clock: tool({ description: "The time in a city", inputSchema, execute: async (input) => clock(input) }),
};
const Forecast = z.object({ city: z.string(), sunny: z.boolean(), degrees: z.number().int() });

await run({
  async *stream(prompt, abortSignal) {
    for await (const part of streamText({ model, prompt, abortSignal, onError() {} }).fullStream) {
      if (part.type === "text-delta") yield part.text;
      if (part.type === "error") throw part.error;
    }
  },
  whole: async (prompt) => ({ text: (await generateText({ model, prompt })).text }),
  tools: async (prompt) => ({ text: await streamText({ model, prompt, tools, stopWhen: stepCountIs(3) }).text }),
  structured: async (prompt) => ({
    value: (await generateText({ model, prompt, output: Output.object({ schema: Forecast }) })).output,
  }),
  async turns(prompts) {
    const answers = [];
    const messages = [];
    for (const prompt of prompts) {
      messages.push({ role: "user", content: prompt });
      const result = await generateText({ model, messages });
      messages.push(...result.response.messages);
      answers.push(result.text);
    }
    return { answers };
  },
});
