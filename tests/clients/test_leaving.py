"""A client that lets go of its stream stops the model, in each way that OpenAI's clients have of letting go."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import openai
import pytest

from dev.simulator.control import Simulator
from tests.clients.asking import APIS, ask, said
from tests.clients.sides import KINDS, Both, Client, each, entered, error_of, now
from tests.worker.sim import ended, sim

ASYNC_KINDS = [kind for kind in KINDS if kind.startswith("async")]
ENDLESS: dict[str, Any] = {"tokens": 500, "interval": 0.05}


def stopped(upstream: Simulator) -> dict[str, Any]:
    """The record of the one whose client left. That a second is enough is proven in tests/worker."""
    return ended(upstream, "client_gone", seconds=5)


async def first_words(stream: Any) -> None:
    """Reads until the model has said something."""
    async for element in each(stream):
        if said([element]):
            return


async def closed(client: Client, api: str) -> None:
    stream = await now(ask(client, api, sim(**ENDLESS)))
    await first_words(stream)
    await now(stream.close())


async def left(client: Client, api: str) -> None:
    async with entered(await now(ask(client, api, sim(**ENDLESS)))) as stream:
        await first_words(stream)


async def left_the_helper(client: Client, api: str) -> None:
    if api == "chat":
        manager = client.chat.completions.stream(model="gpt", messages=[{"role": "user", "content": sim(**ENDLESS)}])
    else:
        manager = client.responses.stream(model="gpt", input=sim(**ENDLESS))
    async with entered(manager) as stream:
        async for event in each(stream):
            if event.type in ("content.delta", "response.output_text.delta"):
                return


async def left_the_raw_body(client: Client, api: str) -> None:
    method = client.chat.completions if api == "chat" else client.responses
    body = {"messages": [{"role": "user", "content": sim(**ENDLESS)}]} if api == "chat" else {"input": sim(**ENDLESS)}
    manager = method.with_streaming_response.create(model="gpt", stream=True, **body)
    async with entered(manager) as response:
        async for line in each(response.iter_lines()):
            if "delta" in line:
                return


WAYS: dict[str, Callable[[Client, str], Any]] = {
    "stream.close()": closed,
    "leaving the stream's context": left,
    "leaving the helper's context": left_the_helper,
    "leaving the raw body's context": left_the_raw_body,
}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("way", WAYS)
def test_letting_go_of_a_stream_stops_the_model(both: Both, upstream: Simulator, api: str, way: str) -> None:
    both.at_app(lambda client: WAYS[way](client, api))
    record = stopped(upstream)
    assert 0 < record["tokens_sent"] < 100


def give_up(both: Both, upstream: Simulator, ask_with: Callable[[Client], Any]) -> None:
    """Ask with a client that waits half a second; longer, where a busy machine has not even asked the upstream by then."""

    async def case(client: Client, seconds: float) -> Any:
        return await error_of(lambda: ask_with(client.with_options(timeout=seconds)))

    for seconds in (0.5, 5.0):
        assert type(both.at_app(partial(case, seconds=seconds))) is openai.APITimeoutError
        if upstream.requests():
            return


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_clients_own_timeout_stops_the_model_before_it_began(both: Both, upstream: Simulator, stream: bool) -> None:
    api = "responses" if both.is_azure else "chat"
    give_up(both, upstream, lambda client: ask(client, api, sim(header_delay=20), stream=stream))
    assert stopped(upstream)["phase"] == "before_headers"


@pytest.mark.parametrize("both", ASYNC_KINDS, indirect=True)
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("behaviour", "phase"),
    [({"header_delay": 20}, "before_headers"), ({"start_delay": 20}, "before_content"), (ENDLESS, "streaming")],
    ids=["before the headers", "before the content", "between deltas"],
)
def test_cancelling_the_task_stops_the_model(
    both: Both, upstream: Simulator, api: str, behaviour: dict[str, Any], phase: str
) -> None:
    async def case(client: Client) -> None:
        async def reads() -> None:
            async for _ in each(await now(ask(client, api, sim(**behaviour)))):
                has_begun.set()

        has_begun = asyncio.Event()
        task = asyncio.create_task(reads())
        if phase == "streaming":
            await has_begun.wait()
        else:
            await asyncio.to_thread(upstream.wait_for, ended="open")
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    both.at_app(case)
    assert stopped(upstream)["phase"] == phase


def test_a_whole_answer_that_nobody_waits_for_is_stopped_while_the_model_speaks(
    both: Both, upstream: Simulator
) -> None:
    give_up(both, upstream, lambda client: ask(client, "chat", sim(**ENDLESS), stream=False))
    stopped(upstream)


def test_a_background_response_goes_on_without_its_reader(both: Both, upstream: Simulator) -> None:
    async def case(client: Client) -> Any:
        background = {"background": True, "store": True}
        async with entered(await now(ask(client, "responses", sim(tokens=20, interval=0.02), **background))) as stream:
            first = await anext(each(stream))
        await asyncio.to_thread(stopped, upstream)
        for _ in range(100):
            found = await now(client.responses.retrieve(first.response.id))
            if found.status != "in_progress":
                break
            await asyncio.sleep(0.05)
        return found.status

    assert both.at_app(case) == "completed"
