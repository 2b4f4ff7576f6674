from cells import clock, run, weather
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.prebuilt import create_react_agent
from pydantic import BaseModel
from setup_langgraph import model


class Forecast(BaseModel):
    city: str
    sunny: bool
    degrees: int


plain = create_react_agent(model, [], checkpointer=InMemorySaver())
with_tools = create_react_agent(model, [tool(weather), tool(clock)])


def thread(name):
    return {"configurable": {"thread_id": name}}


def asked(prompt):
    return {"messages": [HumanMessage(prompt)]}


async def stream(prompt):
    async for piece, _ in plain.astream(asked(prompt), thread(prompt), stream_mode="messages"):
        yield piece.text


async def whole(prompt):
    return {"text": (await plain.ainvoke(asked(prompt), thread(prompt)))["messages"][-1].text}


async def tools(prompt):
    text = ""
    async for piece, _ in with_tools.astream(asked(prompt), stream_mode="messages"):
        text += piece.text if piece.type == "AIMessageChunk" else ""
    return {"text": text}


async def structured(prompt):
    return {"value": (await model.with_structured_output(Forecast).ainvoke(prompt)).model_dump()}


async def turns(prompts):
    answers = [(await plain.ainvoke(asked(prompt), thread("turns")))["messages"][-1].text for prompt in prompts]
    return {"answers": answers}


run(stream=stream, whole=whole, tools=tools, structured=structured, turns=turns)
