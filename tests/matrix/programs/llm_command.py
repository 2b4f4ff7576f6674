import json

import commands
from cells import FORECAST

commands.settings("extra-openai-models.yaml", "$HOME/.config/io.datasette.llm/extra-openai-models.yaml")
COMMAND = ["llm", "prompt", "--model", "azure-openai", "--key", commands.KEY]
TOOLS = """
def weather(city: str) -> str:
    "The weather in a city"
    return f"sunny in {city}"

def clock(city: str) -> str:
    "The time in a city"
    return f"noon in {city}"
"""


async def ask(prompt, *more):
    code, output = await commands.finished([*COMMAND, *more], prompt)
    if code:
        raise RuntimeError(f"exit status {code}: {output[-400:]}")
    return output


async def whole(prompt):
    return {"text": await ask(prompt, "--no-stream")}


async def tools(prompt):
    return {"text": await ask(prompt, "--functions", TOOLS)}


async def structured(prompt):
    return {"value": json.loads(await ask(prompt, "--schema", json.dumps(FORECAST)))}


commands.run(
    lambda prompt: (COMMAND, prompt),
    lambda output: output,
    lambda prompt: ([*COMMAND, "--continue"], prompt),
    whole=whole,
    tools=tools,
    structured=structured,
)
