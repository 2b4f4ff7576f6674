import json

import litellm
from cells import clock, run, weather
from pydantic import BaseModel
from setup_litellm import arguments

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name in ("weather", "clock")
]
FUNCTIONS = {"weather": weather, "clock": clock}


class Forecast(BaseModel):
    city: str
    sunny: bool
    degrees: int


async def ask(messages, **more):
    return await litellm.acompletion(**arguments, messages=messages, **more)


async def stream(prompt):
    made = await ask([{"role": "user", "content": prompt}], stream=True)
    try:
        async for chunk in made:
            yield chunk.choices[0].delta.content or ""
    finally:
        await made.aclose()


async def whole(prompt):
    return {"text": (await ask([{"role": "user", "content": prompt}])).choices[0].message.content}


async def tools(prompt):
    messages = [{"role": "user", "content": prompt}]
    while True:
        chunks = [chunk async for chunk in await ask(messages, tools=TOOLS, stream=True)]
        message = litellm.stream_chunk_builder(chunks, messages=messages).choices[0].message
        if not message.tool_calls:
            return {"text": message.content}
        messages.append(message)
        for call in message.tool_calls:
            result = FUNCTIONS[call.function.name](**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


async def structured(prompt):
    answer = await ask([{"role": "user", "content": prompt}], response_format=Forecast)
    return {"value": json.loads(answer.choices[0].message.content)}


async def turns(prompts):
    answers, messages = [], []
    for prompt in prompts:
        messages.append({"role": "user", "content": prompt})
        message = (await ask(messages)).choices[0].message
        messages.append(message)
        answers.append(message.content)
    return {"answers": answers}


run(stream=stream, whole=whole, tools=tools, structured=structured, turns=turns)
