import { HumanMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { createReactAgent } from "@langchain/langgraph/prebuilt";
import { z } from "zod";
import { clock, FORECAST, run, setup, weather } from "./cells.mjs";

const { model } = await setup(process.argv[2]);
const schema = z.object({ city: z.string() });
const tools = [
  tool(weather, { name: "weather", description: "The weather in a city", schema }),
  tool(clock, { name: "clock", description: "The time in a city", schema }),
];

await run({
  async *stream(prompt, signal) {
    for await (const piece of await model.stream(prompt, { signal })) yield piece.text;
  },
  whole: async (prompt) => ({ text: (await model.invoke(prompt)).text }),
  async tools(prompt) {
    const agent = createReactAgent({ llm: model, tools });
    const { messages } = await agent.invoke({ messages: [new HumanMessage(prompt)] });
    return { text: messages.at(-1).text };
  },
  structured: async (prompt) => ({ value: await model.withStructuredOutput({ title: "forecast", ...FORECAST }).invoke(prompt) }),
  async turns(prompts) {
    const answers = [];
    const messages = [];
    for (const prompt of prompts) {
      messages.push(new HumanMessage(prompt));
      const answer = await model.invoke(messages);
      messages.push(answer);
      answers.push(answer.text);
    }
    return { answers };
  },
});
