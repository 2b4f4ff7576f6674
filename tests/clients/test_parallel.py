"""Under forty parallel streams none is mixed up, cut or reordered."""

import asyncio
import base64
import random
from typing import Any

import httpx

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.clients.recordings import DONE, OPENING, RESPONSE_OPENING, STOP, delta, response_ending, said
from tests.clients.sides import MODEL, Client, Sides, asks, each, now
from tests.worker.sim import sim

STREAMS = 40
PIECES = 60


async def pieces(client: Client, number: int) -> tuple[list[str], list[str], list[int]]:
    """What one stream of its own words said, in order."""
    tokens = [f"<{number}:{index}>" for index in range(PIECES)]
    prompt = sim(tokens=tokens, interval=0.002 * (number % 4), burst=1 + number % 5, cut_seed=number)
    heard, order = [], []
    if number % 2:
        async for chunk in each(await now(client.chat.completions.create(**asks(prompt), stream=True))):
            heard += [choice.delta.content for choice in chunk.choices if choice.delta and choice.delta.content]
    else:
        async for event in each(await now(client.responses.create(model=MODEL, input=prompt, stream=True))):
            order.append(event.sequence_number)
            if event.type == "response.output_text.delta":
                heard.append(event.delta)
    return tokens, heard, order


def test_forty_parallel_streams_each_say_their_own_words_in_order(sides: Sides, upstream: Simulator) -> None:
    async def together() -> list[Any]:
        kinds = [sides.app(kind) for kind in ("async openai", "async azure")]
        return await asyncio.gather(*(pieces(kinds[number % 2], number) for number in range(STREAMS)))

    for tokens, heard, order in sides.run(together()):
        assert heard == tokens
        assert order == list(range(len(order)))
    assert len(upstream.requests(ended="complete")) == STREAMS


def recorded(number: int) -> tuple[str, dict[str, Any], bytes]:
    """A stream of its own bytes, cut at places of its own, as path, request and body."""
    dice = random.Random(number)
    texts = [f"{number}/{index} " + "ä😀"[index % 2] * dice.randrange(200) for index in range(PIECES)]
    if number % 2:
        body = OPENING + b"".join(map(delta, texts)) + STOP + DONE
    else:
        events = [said(text, 4 + index) for index, text in enumerate(texts)]
        body = RESPONSE_OPENING + b"".join(events) + response_ending(4 + PIECES)
    cuts = sorted(dice.sample(range(1, len(body)), 20))
    parts = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    prompt = sim(raw=[(dice.random() * 0.02, base64.b64encode(part).decode()) for part in parts])
    if number % 2:
        return "/v1/chat/completions", asks(prompt, stream=True), body
    return "/v1/responses", {"model": MODEL, "input": prompt, "stream": True, "store": False}, body


def test_forty_parallel_streams_are_relayed_byte_for_byte(mapped: App, upstream: Simulator, key: str) -> None:
    streams = [recorded(number) for number in range(STREAMS)]

    async def relayed() -> list[bytes]:
        headers = {"api-key": key}
        async with httpx.AsyncClient(base_url=mapped.url, headers=headers, timeout=30) as client:
            answers = await asyncio.gather(*(client.post(path, json=body) for path, body, _ in streams))
        return [answer.content for answer in answers]

    assert [body for _, _, body in streams] == asyncio.run(relayed())
