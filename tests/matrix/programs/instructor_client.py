from cells import run
from pydantic import BaseModel
from setup_instructor import client, model


class Forecast(BaseModel):
    city: str
    sunny: bool
    degrees: int


async def ask(prompt):
    messages = [{"role": "user", "content": prompt}]
    return await client.chat.completions.create(model=model, messages=messages, response_model=Forecast, max_retries=0)


async def structured(prompt):
    return {"value": (await ask(prompt)).model_dump()}


NONE = "gives objects of a schema only"
run(stream=NONE, whole=NONE, tools=NONE, structured=structured, turns=NONE, cancel=NONE, broken=NONE, limit=structured)
