"""What one response has sent so far: the only caller of `send`.

    OPEN ──── commit ────▶ READY ◀──▶ WRITING
      │                      │           │
      └── error page         └── finish, error ending
              │                          │
              └────────▶ CLOSED ◀────────┘

Rule 1: a status can be chosen only while OPEN.
Rule 2: a write that is cancelled stays WRITING: its block has not left, so the answer has not been sent completely.
Rule 3: nothing is sent after CLOSED.
Rule 4: what `offer` has begun and could not complete, a task of its own completes; whoever sends next awaits that first.
Rule 5: what `offer` holds back, at most `MOST_HELD_BYTES`, leaves before, or with, whatever is sent next, and no later than the
crowd's window allows.
Rule 6: a client that takes nothing for `CLIENT_SILENCE_SECONDS` is cut: no `send` lasts longer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from types import CoroutineType, coroutine
from typing import Any, Protocol

from starlette.types import Receive, Send

from shared.header_values import clean_headers
from shared.hosting.abort import abort_connection
from shared.http.body import ClientLeft
from shared.receipt import Receipt
from shared.translation import ErrorEnding

CLIENT_SILENCE_SECONDS = 60.0
"""How long a client may take nothing of what is being sent to it; then the connection is cut."""
ERROR_ENDING_TIMEOUT_SECONDS = 5.0
"""How long the error event may take to leave when the client reads slowly; then the connection is cut."""
MOST_HELD_BYTES = 16 * 1024
"""What is held back for a write with more: several times what a model says in a window. A faster upstream has to notice."""
CUT_DELAY_SECONDS = 0.1
"""Between the last bytes and the cut: the Functions host may lose what was written less than 10 ms before it."""


class ClientTooSlow(ClientLeft):
    """The client is connected and takes nothing: whatever would be sent to it could not leave either."""

    ended = "client_too_slow"


class OutboundState(Enum):
    """How far a response has come."""

    OPEN = "open"
    READY = "ready"
    WRITING = "writing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """A response that is nothing but an error."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Crowd(Protocol):
    """The streams that are open in this process."""

    @property
    def write_window(self) -> float:
        """How many seconds after a write a piece of an answer may wait for more."""


class Outbound:
    """Sends one response. Times are on the loop's clock. `crowd`: None where nothing is ever held back."""

    def __init__(self, send: Send, receipt: Receipt, crowd: Crowd | None = None) -> None:
        """Begin with nothing sent."""
        self._crowd = crowd
        self._held = bytearray()
        self._release_timer: asyncio.TimerHandle | None = None
        self._send = send
        self._receipt = receipt
        self._now = asyncio.get_running_loop().time
        self.state = OutboundState.OPEN
        self.last_write = self.last_block = self._now()
        """`last_write` counts heartbeats, `last_block` does not."""
        self._is_beating = False
        self._finishing: asyncio.Future[None] | None = None
        """Completes what `offer` has begun."""

    @property
    def is_open(self) -> bool:
        """Whether a status can still be chosen."""
        return self.state is OutboundState.OPEN

    @property
    def is_writing(self) -> bool:
        """Whether a block is on its way, or was when it was cancelled."""
        return self.state is OutboundState.WRITING

    @property
    def is_finishing(self) -> bool:
        """Whether that block was offered, so that the answer is read on meanwhile."""
        return self._finishing is not None

    @property
    def has_unsent(self) -> bool:
        """Whether a block is on its way, or held back."""
        return self.is_writing or bool(self._held)

    @property
    def is_waiting(self) -> bool:
        """Whether something is on its way, a block or a heartbeat, that the client's side has no room for yet."""
        return self.is_writing or self._is_beating

    async def commit(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head. From here on a failure is an error ending."""
        self.state = OutboundState.READY
        await self._send_head(status, headers)

    async def write(self, block: bytes) -> None:
        """Send a part of the answer; return when the client's side has room for more."""
        await self._finished()
        self.state = OutboundState.WRITING
        await self._send({"type": "http.response.body", "body": self._with_held(block), "more_body": True})
        self.state = OutboundState.READY
        self.last_write = self.last_block = self._now()

    def offer(self, block: bytes, *, can_wait: bool = False) -> bool:
        """Send a part of the answer without waiting; return False where something is on its way: it is for `write` then.

        `can_wait`: it may be held back for what comes next, where many streams are open and one has just been sent.
        The server's `send` is called without a task.
        """
        if self.state is not OutboundState.READY or self._is_beating:
            return False
        if (
            can_wait
            and self._crowd is not None
            and len(self._held) + len(block) <= MOST_HELD_BYTES
            and (self._held or self._has_to_wait(self._crowd.write_window))
        ):
            self._held += block
        else:
            self._begin(self._with_held(block))
        return True

    def _has_to_wait(self, window: float) -> bool:
        """Return whether the last write was that short ago; arrange that what is held back from now on leaves in time."""
        due = self.last_block + window
        if not window or due <= self._now():
            return False
        self._release_timer = asyncio.get_running_loop().call_at(due, self._release)
        return True

    def _release(self) -> None:
        if self.state is not OutboundState.READY:
            return  # whoever is sending has it
        try:
            self._begin(self._with_held(b""))
        except Exception as error:  # noqa: BLE001 - raised by who sends next
            self._finishing = asyncio.get_running_loop().create_future()
            self._finishing.set_exception(error)

    def _with_held(self, block: bytes) -> bytes:
        """Return the block after what was held back, which is not any more."""
        if not self._held:
            return block
        if self._release_timer is not None:
            self._release_timer.cancel()
            self._release_timer = None
        self._held += block
        held = bytes(self._held)
        self._held.clear()
        return held

    def _begin(self, block: bytes) -> None:
        self.state = OutboundState.WRITING
        sending = self._send({"type": "http.response.body", "body": block, "more_body": True})
        waits_for = None
        if isinstance(sending, CoroutineType):
            try:
                waits_for = sending.send(None)
            except StopIteration:
                self.state = OutboundState.READY
                self.last_write = self.last_block = self._now()
                return
            sending = _rest(sending, waits_for)
        self.touch()
        self._finishing = asyncio.get_running_loop().create_task(self._finish(sending))

    async def _finish(self, sending: Awaitable[None]) -> None:
        await sending
        self._finishing = None
        if self.state is OutboundState.WRITING:
            self.state = OutboundState.READY
        self.last_write = self.last_block = self._now()

    async def _finished(self) -> None:
        """Wait until what `offer` has begun is complete. Who is cancelled here leaves it on its way."""
        if self._finishing is not None:
            await asyncio.shield(self._finishing)

    async def flush(self) -> None:
        """Send what is held back; return when the client's side has taken all that was offered."""
        if self._held:
            await self.write(b"")
        else:
            await self._finished()

    def touch(self) -> None:
        """Note that a write begins that no read precedes, or that others follow: its client's time counts from here."""
        self.last_write = self._now()

    async def heartbeat(self, frame: bytes) -> None:
        """Send a sign of life, where nothing is on its way or held back."""
        self.last_write = self._now()
        self._is_beating = True
        try:
            await self._send({"type": "http.response.body", "body": frame, "more_body": True})
        finally:
            self._is_beating = False

    async def finish(self) -> None:
        """Complete the response: the closing chunk. Raise `ClientTooSlow`."""
        self.state = OutboundState.CLOSED
        async with _patience():
            await self._finished()
            await self._send({"type": "http.response.body", "body": self._with_held(b""), "more_body": False})

    async def send_error_page(self, page: ErrorPage, *, closes: bool = False) -> None:
        """Send a response that is nothing but an error. Raise `ClientTooSlow`.

        `closes`: the connection ends with it, where the server would go on reading the rest of a body.
        """
        self.state = OutboundState.CLOSED
        headers = {**page.headers, "content-length": str(len(page.body))}
        async with _patience():
            await self._send_head(page.status, headers | {"connection": "close"} if closes else headers)
            await self._send({"type": "http.response.body", "body": page.body, "more_body": False})

    async def send_error_ending(self, ending: ErrorEnding, receive: Receive) -> None:
        """Send the error event, then complete the response, or wait until it may be cut.

        A cut is the server's answer to a call that returns without completing its response: no closing chunk, and the
        connection is closed. Raise `TimeoutError` when the client reads too slowly for the event.
        """
        self.state = OutboundState.CLOSED
        frames = self._with_held(ending.frames)
        if frames or not ending.is_cut:
            async with asyncio.timeout(ERROR_ENDING_TIMEOUT_SECONDS):
                await self._finished()
                await self._send({"type": "http.response.body", "body": frames, "more_body": ending.is_cut})
        if ending.is_cut:
            await _disconnected_within(receive, CUT_DELAY_SECONDS)

    def stop(self) -> None:
        """Give up what is on its way, once the answer is over."""
        self._held.clear()
        if self._release_timer is not None:
            self._release_timer.cancel()
        if self._finishing is not None:
            self._finishing.cancel()

    def abort(self) -> None:
        """Close the connection at once, whatever waits to be sent on it."""
        self.state = OutboundState.CLOSED
        abort_connection(self._send)

    async def _send_head(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head, cleaned of what a hop after this one refuses; `header_values` says what that is.

        A status that no client knows is a bad gateway.
        """
        kept = clean_headers(headers)
        kept.setdefault("x-request-id", self._receipt.id)
        status = status if 200 <= status <= 599 else 502
        self._receipt.status = status
        self._receipt.id = kept["x-request-id"]  # what the caller gets, so that the log can be searched for it
        raw = [(name.encode(), value.encode()) for name, value in kept.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})


@coroutine
def _rest(sending: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any]:
    """Await the rest of a coroutine that was begun outside of any task, and waits for something."""
    while True:
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001 - the coroutine's own to handle, as if it had been awaited
            resume: Callable[[], Any] = partial(sending.throw, error)
        else:
            resume = partial(sending.send, None)
        try:
            waits_for = resume()
        except StopIteration:
            return


@asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(CLIENT_SILENCE_SECONDS):
            yield
    except TimeoutError:
        raise ClientTooSlow from None


async def _disconnected_within(receive: Receive, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
