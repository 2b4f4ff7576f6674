import json

from azure.ai.inference.models import (
    AssistantMessage,
    ChatCompletionsToolDefinition,
    FunctionDefinition,
    JsonSchemaFormat,
    ToolMessage,
    UserMessage,
)
from cells import FORECAST, clock, run, weather
from setup_azure_ai_inference import client, model

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTIONS = {"weather": weather, "clock": clock}
TOOLS = [ChatCompletionsToolDefinition(function=FunctionDefinition(name=name, parameters=CITY)) for name in FUNCTIONS]


async def stream(prompt):
    async with await client.complete(messages=[UserMessage(prompt)], model=model, stream=True) as chunks:
        async for chunk in chunks:
            if chunk.choices and chunk.choices[0].delta:
                yield chunk.choices[0].delta.content or ""


async def whole(prompt):
    return {"text": (await client.complete(messages=[UserMessage(prompt)], model=model)).choices[0].message.content}


async def tools(prompt):
    messages = [UserMessage(prompt)]
    while True:
        message = (await client.complete(messages=messages, model=model, tools=TOOLS)).choices[0].message
        if not message.tool_calls:
            return {"text": message.content}
        messages.append(AssistantMessage(tool_calls=message.tool_calls))
        for call in message.tool_calls:
            result = FUNCTIONS[call.function.name](**json.loads(call.function.arguments))
            messages.append(ToolMessage(result, tool_call_id=call.id))


async def structured(prompt):
    form = JsonSchemaFormat(name="forecast", schema=FORECAST, strict=True)
    answer = await client.complete(messages=[UserMessage(prompt)], model=model, response_format=form)
    return {"value": json.loads(answer.choices[0].message.content)}


async def turns(prompts):
    answers, messages = [], []
    for prompt in prompts:
        messages.append(UserMessage(prompt))
        answers.append((await client.complete(messages=messages, model=model)).choices[0].message.content)
        messages.append(AssistantMessage(answers[-1]))
    return {"answers": answers}


run(stream=stream, whole=whole, tools=tools, structured=structured, turns=turns)
