"""A pause in an answer costs no client an event: not those that cut at blank lines, nor the openai package."""

from itertools import pairwise
from typing import Any

import httpx2
import openai

from tests.harness.app import ask_in
from tests.harness.cells import cells
from tests.harness.frames import FRAMES
from tests.harness.upstream import EVENT_STREAM, Play, Step
from tests.worker.ways import STREAMS, WAYS

EVENT_WAYS = [name for name, way in STREAMS.items() if way.heartbeat.startswith(b":")]
PATHS = {"openai chat": "chat/completions", "completions": "completions", "responses": "responses"}


def paused(path: str, first: bytes = b"") -> Play:
    """Say a word, be silent for more than two heartbeats, and say the rest. `first`: what comes before."""
    frames = FRAMES[path]
    steps: list[Step] = [first + frames.opening()[0], *frames.opening()[1:], frames.word("Hello"), 40.0]
    return Play(body=[*steps, frames.word(" there"), *frames.ending()], headers=EVENT_STREAM)


def body_of(way: str, play: Play) -> bytes:
    outcome, _, received = ask_in(way, [play])
    assert (outcome.kind, outcome.words) == ("finished", "Hello there")
    return received.body


@cells("way", EVENT_WAYS)
def test_a_heartbeat_is_a_block_of_its_own_between_two_events(way: str) -> None:
    body = body_of(way, paused(PATHS.get(way, "chat/completions")))
    blocks = body.split(b"\n\n")
    assert blocks.count(b": heartbeat") == 2
    for block in blocks[:-1]:
        assert block == b": heartbeat" or block.startswith((b"data: ", b"event: "))


def read_by_openai(body: bytes) -> str:
    """Return what the openai package for Python reads of it."""
    answer = httpx2.Response(200, content=body, headers={"content-type": "text/event-stream"})
    transport = httpx2.MockTransport(lambda _: answer)
    with openai.OpenAI(base_url="http://app/v1", api_key="k", http_client=httpx2.Client(transport=transport)) as client:
        messages: Any = [{"role": "user", "content": "hi"}]
        chunks = list(client.chat.completions.create(model="m", messages=messages, stream=True))
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


@cells("first", [b"", b"id: 1\n", b": note\nid: 1\n", b"id: 1\r\n"])
def test_the_openai_package_reads_it_also_where_an_id_has_gone_by(first: bytes) -> None:
    body = body_of("openai chat", paused("chat/completions", first))
    assert read_by_openai(body) == "Hello there"
    assert (b": heartbeat\n\n" in body) is (first == b"")


def test_from_an_id_on_a_heartbeat_has_no_blank_line() -> None:
    frames = FRAMES["responses"]
    word = frames.word("Hello")
    steps: list[Step] = [*frames.opening(), word, 20.0, b"id: 7\n" + word, 20.0, word, *frames.ending()]
    _, _, received = ask_in("responses", [Play(body=steps, headers=EVENT_STREAM)])
    beats = [data for _, data in received.writes if b"heartbeat" in data]
    assert beats == [b": heartbeat\n\n", b": heartbeat\n"]
    assert WAYS["responses"].heartbeat == beats[0]
    times = [at for at, data in received.writes if b"heartbeat" in data]
    assert [round(later - earlier) for earlier, later in pairwise(times)] == [20]
