from agents import Agent, Runner, function_tool, set_tracing_disabled
from cells import clock, run, weather
from pydantic import BaseModel
from setup_openai_agents import model

set_tracing_disabled(True)


class Forecast(BaseModel):
    city: str
    sunny: bool
    degrees: int


plain = Agent(name="plain", model=model)
with_tools = Agent(name="tools", model=model, tools=[function_tool(weather), function_tool(clock)])
with_form = Agent(name="form", model=model, output_type=Forecast)


async def stream(prompt):
    result = Runner.run_streamed(plain, prompt)
    try:
        async for event in result.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                yield event.data.delta
    finally:
        result.cancel()


async def whole(prompt):
    return {"text": (await Runner.run(plain, prompt)).final_output}


async def tools(prompt):
    result = Runner.run_streamed(with_tools, prompt)
    async for _ in result.stream_events():
        pass
    return {"text": result.final_output}


async def structured(prompt):
    return {"value": (await Runner.run(with_form, prompt)).final_output.model_dump()}


async def turns(prompts):
    answers, history = [], []
    for prompt in prompts:
        result = await Runner.run(plain, [*history, {"role": "user", "content": prompt}])
        history = result.to_input_list()
        answers.append(result.final_output)
    return {"answers": answers}


run(stream=stream, whole=whole, tools=tools, structured=structured, turns=turns)
