from cells import clock, run, weather
from pydantic import BaseModel
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatPromptExecutionSettings
from semantic_kernel.functions import KernelArguments, kernel_function
from setup_semantic_kernel import service


class Forecast(BaseModel):
    city: str
    sunny: bool
    degrees: int


class Plugin:
    @kernel_function(name="weather", description="The weather in a city")
    def weather(self, city: str) -> str:
        return weather(city)

    @kernel_function(name="clock", description="The time in a city")
    def clock(self, city: str) -> str:
        return clock(city)


plain = ChatCompletionAgent(service=service, name="plain")
with_tools = ChatCompletionAgent(service=service, name="tools", plugins=[Plugin()])
form = KernelArguments(settings=OpenAIChatPromptExecutionSettings(response_format=Forecast))
with_form = ChatCompletionAgent(service=service, name="form", arguments=form)


async def stream(prompt):
    async for piece in plain.invoke_stream(prompt):
        yield str(piece.message)


async def whole(prompt):
    return {"text": str((await plain.get_response(prompt)).message)}


async def tools(prompt):
    text = ""
    async for piece in with_tools.invoke_stream(prompt):
        text += str(piece.message)
    return {"text": text}


async def structured(prompt):
    answer = await with_form.get_response(prompt)
    return {"value": Forecast.model_validate_json(str(answer.message)).model_dump()}


async def turns(prompts):
    answers, thread = [], None
    for prompt in prompts:
        answer = await plain.get_response(prompt, thread=thread)
        thread = answer.thread
        answers.append(str(answer.message))
    return {"answers": answers}


run(stream=stream, whole=whole, tools=tools, structured=structured, turns=turns)
