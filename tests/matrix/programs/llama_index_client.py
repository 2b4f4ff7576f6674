from cells import clock, run, weather
from llama_index.core.agent.workflow import AgentStream, FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context
from pydantic import BaseModel
from setup_llama_index import llm


class Forecast(BaseModel):
    city: str
    sunny: bool
    degrees: int


async def stream(prompt):
    async for piece in await llm.astream_chat([ChatMessage(prompt)]):
        yield piece.delta or ""


async def whole(prompt):
    return {"text": (await llm.achat([ChatMessage(prompt)])).message.content}


async def tools(prompt):
    agent = FunctionAgent(tools=[FunctionTool.from_defaults(one) for one in (weather, clock)], llm=llm)
    handler = agent.run(prompt)
    async for event in handler.stream_events():
        assert not isinstance(event, AgentStream) or event.response is not None
    return {"text": str(await handler)}


async def structured(prompt):
    template = PromptTemplate("{question}")
    return {"value": (await llm.astructured_predict(Forecast, template, question=prompt)).model_dump()}


async def turns(prompts):
    agent = FunctionAgent(llm=llm)
    context = Context(agent)
    return {"answers": [str(await agent.run(prompt, ctx=context)) for prompt in prompts]}


run(stream=stream, whole=whole, tools=tools, structured=structured, turns=turns)
