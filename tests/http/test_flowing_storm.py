"""Nothing is lost, doubled or reordered, and no answer ends as what it is not, whatever meets in one turn of the loop.

Upstream's pieces, a client that has no room for a while, its leaving, and the process's end come at random times on a grid, so
that they often come together. The reader is aiohttp's own, tapped.
"""

import asyncio
import random
import re
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
import pytest

from shared.errors import ServerStopping, UpstreamCut
from shared.http.open_streams import OpenStreams
from shared.upstream.call import Take
from shared.upstream.tap import Tap
from tests.harness.cells import cells
from tests.harness.virtual_time import run
from tests.http.one_answer import BreakingBody, response_to

SEEDS = range(200)
SEEDS_OF_A_TEST = 50
"""All together are too long under the coverage."""
BUFFER_BYTES = 2000
WINDOW_SECONDS = 0.03
GRIDS = (0.5, 0.1, 0.01, 0.004)
FOREVER = 1000.0
END = b'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def numbered(number: int, size: int) -> bytes:
    content = f"<{number}>{'y' * size}"
    return f'data: {{"id":"c1","choices":[{{"index":0,"delta":{{"content":"{content}"}}}}]}}\n\n'.encode()


@dataclass
class Plan:
    """What happens when. The upstream's end: True is a clean one, False a break, None silence."""

    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    count: int = 0
    is_complete: bool = False
    ends_cleanly: bool | None = True
    ends_at: float = 0.0
    has_no_room: list[tuple[float, float]] = field(default_factory=list)
    leaves_at: float | None = None
    stops_at: float | None = None
    others: int = 0
    """So many streams are open besides: with many, text may be held back."""


def plan_of(seed: int) -> Plan:
    """Return the plan of this seed."""
    rng = random.Random(seed)
    grid, plan, at = rng.choice(GRIDS), Plan(count=rng.choice([1, 2, 5, 20, 60])), 0.0
    size = rng.choice([1, 1, 800])
    for number in range(plan.count):
        frame = numbered(number, size)
        cut = rng.choice([0, 0, 0, rng.randrange(1, len(frame))])
        for piece in (frame[:cut], frame[cut:]):
            if piece:
                plan.pieces.append((at, piece))
                at += rng.choice([0, 0, 0, grid, 2 * grid])
    plan.others = rng.choice([0, 100])
    plan.is_complete = rng.random() < 0.6
    if plan.is_complete:
        plan.pieces.append((at, END))
    plan.ends_cleanly = plan.is_complete or rng.choice([True, False, None])
    plan.ends_at = at + rng.choice([0, grid])
    since = 0.0
    while rng.random() < 0.5:
        since += grid * rng.randrange(1, 2 + int(at / grid))
        until = since + rng.choice([grid, 2 * grid, 3.0, FOREVER])
        plan.has_no_room.append((since, until))
        since = until
    if rng.random() < 0.25:
        plan.leaves_at = grid * rng.randrange(1, 3 + int(at / grid))
    elif rng.random() < 0.4:
        plan.stops_at = grid * rng.randrange(1, 3 + int(at / grid))
    return plan


class Body(BreakingBody):
    """Sends what the plan says into aiohttp's reader; what the reader does not want yet, it keeps."""

    connected = True

    def __init__(self, plan: Plan) -> None:
        super().__init__([])
        loop = asyncio.get_running_loop()
        self.is_closed = False
        self._is_paused = False
        self._due = 0
        self._left: list[bytes | bool] = [piece for _, piece in plan.pieces]
        times = [at for at, _ in plan.pieces]
        if plan.ends_cleanly is not None:
            self._left.append(plan.ends_cleanly)
            times.append(plan.ends_at)
        self._content = aiohttp.StreamReader(cast(Any, self), BUFFER_BYTES)
        self._timers = [loop.call_at(at, self._arrived) for at in times]

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self, *, resume_parser: bool = True) -> None:
        self._is_paused = False
        asyncio.get_running_loop().call_soon(self._feed)

    def _arrived(self) -> None:
        self._due += 1
        self._feed()

    def _feed(self) -> None:
        while self._due and not self._is_paused and not self.is_closed:
            self._due -= 1
            what = self._left.pop(0)
            if isinstance(what, bytes):
                self._content.feed_data(what)
            elif what:
                self._content.feed_eof()
            else:
                self._content.set_exception(aiohttp.ClientPayloadError("it broke"))

    async def read(self) -> bytes:
        try:
            return bytes(await self._content.readany())
        except aiohttp.ClientError:
            raise UpstreamCut("The model broke off.") from None

    async def flow(self, take: Take) -> None:
        await Tap(self._content, take).run()

    def at_end(self) -> bool:
        return bool(self._content.at_eof())

    def close(self) -> None:
        self.is_closed = True
        for timer in self._timers:
            timer.cancel()


class Client:
    """The server's side, as uvicorn has it: a send waits for room first, then takes all of it; none does after the leaving."""

    def __init__(self, plan: Plan) -> None:
        loop = asyncio.get_running_loop()
        self.status, self.body = 0, b""
        self.is_complete = self.has_left = self._was_asked = False
        self._is_over, self._has_room = asyncio.Event(), asyncio.Event()
        self._has_room.set()
        self.timers = [loop.call_at(at, self._has_room.clear) for at, _ in plan.has_no_room]
        self.timers += [loop.call_at(at, self._has_room.set) for _, at in plan.has_no_room]
        if plan.leaves_at is not None:
            self.timers.append(loop.call_at(plan.leaves_at, self.abort))
        self.transport = self

    def abort(self) -> None:
        self.has_left = True
        self._is_over.set()
        self._has_room.set()

    async def receive(self) -> Any:
        if not self._was_asked:
            self._was_asked = True
            return {"type": "http.request", "body": b"{}", "more_body": False}
        await self._is_over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":  # nothing is before it on its connection: there is room
            self.status = 0 if self.has_left else message["status"]
            return
        if not self._has_room.is_set():
            await self._has_room.wait()
        if self.has_left:
            return
        assert not self.is_complete
        self.body += message["body"]
        if not message["more_body"]:
            self.is_complete = True
            self._is_over.set()


async def play(plan: Plan) -> tuple[Client, Body, list[str]]:
    """Return what became of it, and what the loop complained of."""
    complaints: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, complaint: complaints.append(str(complaint)))
    client, body, streams = Client(plan), Body(plan), OpenStreams(longest_window=WINDOW_SECONDS)
    for _ in range(plan.others):
        streams.begin(cast(Any, object()))
    response = response_to(b"", streams, body=body)
    timers = list(client.timers)
    if plan.stops_at is not None:
        timers.append(loop.call_at(plan.stops_at, response.interrupt, ServerStopping("The service is stopping.")))
    await response({"type": "http"}, client.receive, client.send)
    for timer in timers:
        timer.cancel()
    for _ in range(5):  # what was cancelled ends in the loop's next rounds
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return client, body, complaints


@pytest.mark.parametrize("first", SEEDS[::SEEDS_OF_A_TEST])
@cells("more", range(SEEDS_OF_A_TEST))
def test_what_reaches_the_client_is_what_was_said_and_its_end_is_true(
    first: int, more: int, outcomes: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    plan = plan_of(first + more)
    client, body, complaints = run(play(plan))
    text = client.body.decode()
    assert not complaints
    assert body.is_closed
    numbers = [int(number) for number in re.findall(r"<(\d+)>", text)]
    assert numbers == list(range(len(numbers)))
    has_error = text.count('"error"') == 1
    (ended,) = outcomes()
    if ended == "finished":
        assert plan.is_complete
        assert client.has_left or (client.is_complete and len(numbers) == plan.count and text.count("[DONE]") == 1)
        assert not has_error
    elif client.has_left:  # or was cut because it took nothing
        assert not client.is_complete
    else:
        assert has_error
        assert client.is_complete == (client.status != 200), "a stream is cut"
        assert "[DONE]" not in text
