"""Records of all requests, for tests to query."""

import asyncio
import sys
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

Ended = Literal["open", "complete", "client_gone", "cut_by_us"]
Phase = Literal["before_headers", "before_content", "streaming"]

MOST_RECORDS = 5_000
MOST_BODY_BYTES = 1024 * 1024


_OWN = frozenset({"on_end", "blocked_since", "marks"})


class Record(msgspec.Struct):
    """One request and the course of its answer. Updated while the answer is sent, and read by the control API."""

    backend: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str
    """The body as text, up to one megabyte."""
    connection: int
    """Number of the TCP connection: requests with the same number shared a connection."""
    index: int = -1
    received_at: float = msgspec.field(default_factory=time.time)
    status: int | None = None
    """The status sent; None before the head."""
    behaviour: str | None = None
    """Source of the behaviour: control, header, prompt, or None."""
    audience: str | None = None
    """The resource of the caller's token; None for keys and without authentication."""
    first_byte_sent_at: float | None = None
    tokens_sent: int = 0
    tokens_received: int = 0
    """Those whose bytes the client's end of the connection has acknowledged (Linux; elsewhere those that were sent)."""
    bytes_sent: int = 0
    """Bytes passed to the socket, including head and framing (while open, up to 32 KiB of them may still be buffered)."""
    blocked_seconds: float = 0.0
    """Seconds spent waiting for a client that did not read."""
    blocked_since: float | None = None
    ended: Ended = "open"
    ended_at: float | None = None
    phase: Phase = "before_headers"
    """The phase in which the answer ended."""
    gone_after: float | None = None
    """Seconds from the request's arrival to the client's disconnect."""
    on_end: Callable[[], None] | None = None
    marks: list[tuple[int, int]] = []
    """Bytes sent and tokens sent, after each piece with tokens."""

    def sent(self, size: int) -> None:
        if self.first_byte_sent_at is None:
            self.first_byte_sent_at = time.time()
            self.phase = "before_content"
        self.bytes_sent += size

    def sent_tokens(self, count: int) -> None:
        self.tokens_sent += count
        self.marks.append((self.bytes_sent, self.tokens_sent))
        self.phase = "streaming"

    def acknowledged(self, size: int | None) -> None:
        """Note how many bytes of the answer the client's end has acknowledged; None where nobody knows."""
        reached = len(self.marks) if size is None else bisect_right(self.marks, (size, sys.maxsize))
        self.tokens_received = self.marks[reached - 1][1] if reached else 0

    def blocked(self) -> None:
        self.blocked_since = time.time()

    def unblocked(self) -> None:
        if self.blocked_since is not None:
            self.blocked_seconds += time.time() - self.blocked_since
            self.blocked_since = None

    def end(self, how: Ended) -> None:
        """Record the end. Only the first one counts; later ones (the socket closing after a complete answer) are ignored."""
        if self.ended != "open":
            return
        self.unblocked()
        self.ended = how
        self.ended_at = time.time()
        if how != "client_gone":
            self.acknowledged(None)
        self.marks = []
        if how == "client_gone":
            self.gone_after = self.ended_at - self.received_at
        if self.on_end is not None:
            self.on_end()

    def public(self) -> dict[str, Any]:
        view = {name: getattr(self, name) for name in self.__struct_fields__ if name not in _OWN}
        if self.blocked_since is not None:
            view["blocked_seconds"] += time.time() - self.blocked_since
        return view


class Log:
    """The newest records, with a notification whenever one is added or ends."""

    def __init__(self) -> None:
        self._records: deque[Record] = deque(maxlen=MOST_RECORDS)
        self._next = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def add(self, record: Record) -> None:
        record.index = self._next
        self._next += 1
        record.on_end = self._ring
        self._records.append(record)
        self._ring()

    def clear(self) -> None:
        self._records.clear()
        self._next = 0

    def find(self, query: dict[str, str]) -> Iterator[Record]:
        """Return the records that match `contains` (in the body), `backend`, `ended`, `method`, `path` (in the path)."""
        for record in self._records:
            if (
                query.get("contains", "") in record.body
                and query.get("backend", record.backend) == record.backend
                and query.get("ended", record.ended) == record.ended
                and query.get("method", record.method) == record.method
                and query.get("path", "") in record.path
            ):
                yield record

    async def wait(self, query: dict[str, str], *, count: int = 1, timeout: float = 5.0) -> Record | None:
        """Wait for at least `count` matching records, and return the newest; None on timeout."""
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            found = list(self.find(query))
            if len(found) >= count:
                return found[-1]
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return None
            bell = asyncio.get_running_loop().create_future()
            self._waiting.add(bell)
            try:
                # A record can also change without a notification (bytes_sent); no filter depends on that.
                await asyncio.wait([bell], timeout=left)
            finally:
                self._waiting.discard(bell)

    def _ring(self) -> None:
        for bell in self._waiting:
            if not bell.done():
                bell.set_result(None)
