"""The load client's connection: one response at a time, of which only the marks are parsed."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import cast

from bench.frames import MARK, MARK_BYTES, delays_micros, now_micros

LAST_CHUNK = b"0\r\n\r\n"
MOST_IDLE_SECONDS = 2.0
"""Well below the keep-alive of every subject, so that no request uses a connection that is being closed."""


class BadAnswer(Exception):
    """A subject gave an invalid answer, so that its measurement would be meaningless."""


@dataclass(slots=True)
class Recorder:
    """Delays of chunks in microseconds, recorded while enabled.

    `gaps`: between the arrivals of one stream's chunks, in microseconds, 0 for those that came together. `writes`: how many
    chunks of the transfer they came in.
    """

    is_on: bool = False
    delays: list[int] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    writes: int = 0


@dataclass(slots=True)
class Outcome:
    """The state of one answer."""

    began_at: float
    first_at: float = 0.0
    """Time of the first mark, on the monotonic clock."""
    status: int = 0
    marks: int = 0
    received_bytes: int = 0
    is_complete: bool = False


class Connection(asyncio.Protocol):
    """A keep-alive connection, like the host's."""

    def __init__(self, idle: list["Connection"]) -> None:
        self._idle = idle
        self._transport: asyncio.Transport
        self._done: asyncio.Future[None] | None = None
        self._outcome = Outcome(0.0)
        self._recorder: Recorder | None = None
        self._head = b""
        self._in_body = False
        self._left = -1
        self._tail = b""
        self._cut_mark = b""
        self._last_at = 0
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def start(self, message: bytes, recorder: Recorder | None = None) -> tuple[Outcome, asyncio.Future[None]]:
        """Send a request. The future is done when the answer is complete or the connection is lost."""
        self._outcome = Outcome(time.monotonic())
        self._recorder = recorder
        self._done = asyncio.get_running_loop().create_future()
        self._in_body, self._head, self._tail, self._cut_mark, self._left = False, b"", b"", b"", -1
        self._transport.write(message)
        return self._outcome, self._done

    def abort(self) -> None:
        """Disconnect."""
        self._transport.abort()

    @property
    def is_closing(self) -> bool:
        """Mark the connection as unusable."""
        return self._transport.is_closing()

    def data_received(self, data: bytes) -> None:
        if not self._in_body:
            self._head += data
            head, blank, data = self._head.partition(b"\r\n\r\n")
            if not blank:
                return
            self._read_head(head)
        outcome = self._outcome
        outcome.received_bytes += len(data)
        count = data.count(MARK)
        if count:
            if not outcome.marks:
                outcome.first_at = time.monotonic()
            outcome.marks += count
        if self._recorder is not None and self._recorder.is_on:
            self._record(data, self._recorder)
        if self._left >= 0:
            self._left -= len(data)
            if self._left <= 0:
                self._finish(is_complete=self._left == 0)
            return
        self._tail = data[-5:] if len(data) >= len(LAST_CHUNK) else (self._tail + data)[-5:]
        if self._tail == LAST_CHUNK:
            self._finish(is_complete=True)

    def connection_lost(self, _error: Exception | None) -> None:
        if self in self._idle:
            self._idle.remove(self)
        self._finish(is_complete=False)

    def _read_head(self, head: bytes) -> None:
        self._in_body = True
        self._outcome.status = int(head[9:12])
        lower = head.lower()
        at = lower.find(b"\r\ncontent-length:")
        if at >= 0:
            self._left = int(lower[at + 17 :].split(b"\r\n", 1)[0])

    def _record(self, data: bytes, recorder: Recorder) -> None:
        now = now_micros()
        recorder.writes += data.count(b"\r\n")
        data = self._cut_mark + data
        delays = delays_micros(data, now)
        recorder.delays += delays
        if delays:
            recorder.gaps += [now - self._last_at, *[0] * (len(delays) - 1)]
            self._last_at = now
        at = data.rfind(MARK)
        self._cut_mark = data[at:] if at >= 0 and len(data) - at < MARK_BYTES else b""

    def _finish(self, *, is_complete: bool) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        self._outcome.is_complete = is_complete
        if not self._transport.is_closing():
            self.idle_since = time.monotonic()
            self._idle.append(self)
        if not done.done():
            done.set_result(None)


class Connections:
    """A pool of idle connections, most recently used first."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Connection] = []

    async def take(self) -> Connection:
        """Return an idle connection, or a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_closing:
                continue
            if time.monotonic() - connection.idle_since < MOST_IDLE_SECONDS:
                return connection
            connection.abort()
        _, made = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._idle), "127.0.0.1", self._port
        )
        return made

    def close(self) -> None:
        """Close all idle connections."""
        for connection in tuple(self._idle):
            connection.abort()
