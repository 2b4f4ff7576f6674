from cells import clock, run, weather
from pydantic import BaseModel
from pydantic_ai import Agent
from setup_pydantic_ai import model


class Forecast(BaseModel):
    city: str
    sunny: bool
    degrees: int


plain = Agent(model)
with_tools = Agent(model, tools=[weather, clock])
with_form = Agent(model, output_type=Forecast)


async def stream(prompt):
    async with plain.run_stream(prompt) as result:
        async for piece in result.stream_text(delta=True, debounce_by=None):
            yield piece


async def whole(prompt):
    return {"text": (await plain.run(prompt)).output}


async def tools(prompt):
    async with with_tools.run_stream(prompt) as result:
        return {"text": await result.get_output()}


async def structured(prompt):
    return {"value": (await with_form.run(prompt)).output.model_dump()}


async def turns(prompts):
    answers, history = [], []
    for prompt in prompts:
        result = await plain.run(prompt, message_history=history)
        history = result.all_messages()
        answers.append(result.output)
    return {"answers": answers}


run(stream=stream, whole=whole, tools=tools, structured=structured, turns=turns)
