from agent_framework import Agent
from cells import clock, run, weather
from pydantic import BaseModel
from setup_agent_framework import client


class Forecast(BaseModel):
    city: str
    sunny: bool
    degrees: int


plain = Agent(client, instructions="Answer.")
# Without a stored response the whole conversation goes up again, and the upstream's record shows the tools' results.
with_tools = Agent(client, instructions="Answer.", tools=[weather, clock], default_options={"store": False})


async def stream(prompt):
    async for update in plain.run(prompt, stream=True):
        # The last one brings the whole text again, to stand in place of the pieces.
        yield "".join(one.text for one in update.contents if one.type == "text" and one.merge_mode != "replace")


async def whole(prompt):
    return {"text": (await plain.run(prompt)).text}


async def tools(prompt):
    answer = with_tools.run(prompt, stream=True)
    async for _ in answer:
        pass
    return {"text": (await answer.get_final_response()).text}


async def structured(prompt):
    return {"value": (await plain.run(prompt, options={"response_format": Forecast})).value.model_dump()}


async def turns(prompts):
    session = plain.create_session()
    return {"answers": [(await plain.run(prompt, session=session)).text for prompt in prompts]}


run(stream=stream, whole=whole, tools=tools, structured=structured, turns=turns)
