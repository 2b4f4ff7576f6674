"""The client's side of one ASGI call: sends the body, reads, leaves, as it is told; and what it received.

The server between them is uvicorn in miniature: a send after the client has left does nothing, a send to a client that does
not read waits, and `receive` reports the disconnect once the client has left or the response is complete.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message

from dev.simulator.probe import Seen
from tests.harness.upstream import FOREVER, wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What the client does: times in seconds since its request, or per write."""

    leaves_at: float | None = None
    leaves_after: bytes | None = None
    """It leaves when it has received this."""
    seconds_per_write: float = 0.0
    """A slow reader: how long each write waits."""
    reads_writes: float = FOREVER
    """So many writes are read; the next one waits until the client leaves."""
    fails_to_read: BaseException | None = None
    """What sending the body of the response raises."""
    pauses_body: Sequence[float] = ()
    """The request's body comes in one piece more than there are pauses."""
    leaves_in_body: bool = False
    """It leaves before the last piece of its request."""


@dataclass(slots=True)
class Received:
    """What the client received. `is_completed`: the response has ended as HTTP asks for; otherwise it was cut."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    head_at: float | None = None
    writes: list[tuple[float, bytes]] = field(default_factory=list)
    """When, on the loop's clock, and what; without empty writes."""
    is_completed: bool = False
    ended_at: float = 0.0
    """When the ASGI call returned."""
    receipts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """Return all that came."""
        return b"".join(data for _, data in self.writes)

    @property
    def json(self) -> Any:
        """Return the body's JSON value."""
        return json.loads(self.body)

    @property
    def receipt(self) -> dict[str, Any]:
        """Return the one receipt of this request."""
        (receipt,) = self.receipts
        return receipt

    @property
    def seen(self) -> Seen:
        """Return the same as a client on the wire would see it."""
        ending = self.is_completed and len(self.body) == int(self.headers.get("content-length", len(self.body)))
        return Seen(self.status, self.headers, tuple(data for _, data in self.writes), "complete" if ending else "cut")


class Connection:
    """`receive` and `send` of one ASGI call."""

    def __init__(self, caller: Caller, body: bytes) -> None:
        self.received = Received()
        self.violations: list[str] = []
        """What broke the rules of ASGI."""
        self._caller = caller
        self._loop = asyncio.get_running_loop()
        self._is_over = asyncio.Event()
        self._has_left = asyncio.Event()
        self._pieces = _pieces(body, len(caller.pauses_body) + 1)
        self._pauses = [0.0, *caller.pauses_body]
        self._leaving = None if caller.leaves_at is None else self._loop.call_later(caller.leaves_at, self.leave)

    def leave(self) -> None:
        """Close the connection: as in uvicorn, `receive` learns of it first, then a send that waits goes on."""
        self._is_over.set()
        self._has_left.set()

    def end(self) -> None:
        """Note that the ASGI call has returned."""
        self.received.ended_at = self._loop.time()
        if self._leaving is not None:
            self._leaving.cancel()

    async def receive(self) -> Message:
        """Return the next piece of the request, then the disconnect."""
        if self._pieces and not self._is_over.is_set():
            await wait(self._pauses.pop(0))
            piece = self._pieces.pop(0)
            if not self._pieces and self._caller.leaves_in_body:
                self.leave()
            else:
                return {"type": "http.request", "body": piece, "more_body": bool(self._pieces)}
        await self._is_over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a part of the response."""
        if self._has_left.is_set():
            return
        self._check(message)
        if message["type"] == "http.response.start":
            self.received.status = message["status"]
            self.received.headers = {
                name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]
            }
            self.received.head_at = self._loop.time()
            return
        await self._take(message.get("body", b""))
        if not message.get("more_body", False) and not self._has_left.is_set():
            self.received.is_completed = True
            self._is_over.set()

    def _check(self, message: Message) -> None:
        is_start = message["type"] == "http.response.start"
        if self.received.is_completed or is_start == bool(self.received.status):
            self.violations.append(f"out of order: {message}")
        if is_start and [name for name, _ in message["headers"] if name != name.lower()]:
            self.violations.append(f"a header's name is not in lower case: {message}")

    async def _take(self, data: bytes) -> None:
        if self._caller.fails_to_read is not None:
            raise self._caller.fails_to_read
        if data:
            self.received.writes.append((self._loop.time(), data))
            if self._caller.leaves_after is not None and self._caller.leaves_after in self.received.body:
                self.leave()
        if len(self.received.writes) > self._caller.reads_writes:
            self.received.writes.pop()
            await self._has_left.wait()
        if self._caller.seconds_per_write:
            await self._read_slowly(self._caller.seconds_per_write)

    async def _read_slowly(self, seconds: float) -> None:
        # No `asyncio.timeout`, which needs a task: the server's `send` does without one, and is called without one.
        over = asyncio.Event()
        timer = self._loop.call_later(seconds, over.set)
        left = self._loop.create_task(self._has_left.wait())
        left.add_done_callback(lambda _: over.set())
        try:
            await over.wait()
        finally:
            timer.cancel()
            left.cancel()


def _pieces(body: bytes, count: int) -> list[bytes]:
    size = -(-len(body) // count)
    return [body[start * size : (start + 1) * size] for start in range(count)]
