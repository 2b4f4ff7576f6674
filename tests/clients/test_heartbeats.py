"""Silence carries a heartbeat that no client notices: before the first content, and between deltas."""

import asyncio
from typing import Any

import openai
import pytest

from dev.simulator.control import Simulator
from tests.clients.asking import APIS, ask, said
from tests.clients.sides import KINDS, Both, Client, Sides, all_of, comparable, each, elements_and_error, entered, now
from tests.worker.sim import sim

PAUSES = sim(tokens=["Hello", " you"], start_delay=1.5, interval=1.0)


async def raw_lines(client: Client, api: str) -> list[str]:
    """The lines of the same stream, heartbeats included."""
    more: dict[str, Any] = {"messages": [{"role": "user", "content": PAUSES}]} if api == "chat" else {"input": PAUSES}
    method = client.chat.completions if api == "chat" else client.responses
    async with entered(method.with_streaming_response.create(model="gpt", stream=True, **more)) as response:
        return [line async for line in each(response.iter_lines())]


@pytest.mark.parametrize("api", APIS)
def test_no_client_notices_heartbeats(sides: Sides, upstream: Simulator, api: str) -> None:
    async def at_once() -> Any:
        async def case(client: Client) -> Any:
            return await all_of(ask(client, api, PAUSES))

        pairs = [Both(sides, kind).pair_at_once(case) for kind in KINDS]
        return await asyncio.gather(raw_lines(sides.app("async openai"), api), *pairs)

    lines, *pairs = sides.run(at_once())
    beats = [index for index, line in enumerate(lines) if line.startswith(": heartbeat")]
    content = next(index for index, line in enumerate(lines) if "Hello" in line)
    assert beats[0] < content < beats[-1]
    for relayed, direct in pairs:
        assert comparable(relayed) == comparable(direct)
        assert said(relayed) == "Hello you"


@pytest.mark.parametrize("api", APIS)
def test_after_a_heartbeat_a_failure_before_any_content_is_an_exception_too(
    sides: Sides, upstream: Simulator, api: str
) -> None:
    async def at_once() -> list[Any]:
        async def case(client: Client) -> Any:
            return await elements_and_error(await now(ask(client, api, sim(start_delay=1.3, end="cut", after=0))))

        return await asyncio.gather(*(case(sides.app(kind)) for kind in KINDS if kind.startswith("async")))

    for elements, error in sides.run(at_once()):
        assert elements == []
        assert type(error) is openai.APIError
        assert error.code == "upstream_cut"
