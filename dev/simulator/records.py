"""What happened to every request: the simulator's memory, which tests ask instead of guessing from outside."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

Ended = Literal["open", "complete", "client_gone", "cut_by_us"]
Phase = Literal["before_headers", "before_content", "streaming"]

MOST_RECORDS = 5_000
MOST_BODY_BYTES = 1024 * 1024


class Record(msgspec.Struct):
    """One request and how its answer went. It is written while the answer goes out, and read by the control API."""

    backend: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str
    """As text, and no more of it than a megabyte."""
    connection: int
    """Numbers the TCP connections of the process: two requests with one number shared a connection."""
    index: int = -1
    received_at: float = msgspec.field(default_factory=time.time)
    status: int | None = None
    """The status sent; None as long as no head went out."""
    behaviour: str | None = None
    """Where the behaviour came from: control, header, prompt, or None."""
    audience: str | None = None
    """The resource of the token the caller showed; None for keys and open doors."""
    first_byte_sent_at: float | None = None
    tokens_sent: int = 0
    bytes_sent: int = 0
    """Bytes given to the socket, head and framing included (while open, up to 32 KiB of them may still wait here)."""
    blocked_seconds: float = 0.0
    """How long the answer waited for a reader that did not read."""
    blocked_since: float | None = None
    ended: Ended = "open"
    ended_at: float | None = None
    phase: Phase = "before_headers"
    """How far the answer came: the phase in which it ended."""
    gone_after: float | None = None
    """Seconds from the request's arrival until its client left."""
    on_end: Callable[[], None] | None = None

    def sent(self, size: int) -> None:
        if self.first_byte_sent_at is None:
            self.first_byte_sent_at = time.time()
            self.phase = "before_content"
        self.bytes_sent += size

    def sent_tokens(self, count: int) -> None:
        self.tokens_sent += count
        self.phase = "streaming"

    def blocked(self) -> None:
        self.blocked_since = time.time()

    def unblocked(self) -> None:
        if self.blocked_since is not None:
            self.blocked_seconds += time.time() - self.blocked_since
            self.blocked_since = None

    def end(self, how: Ended) -> None:
        """The first end counts; later ones (the socket closing behind a finished answer) are not news."""
        if self.ended != "open":
            return
        self.unblocked()
        self.ended = how
        self.ended_at = time.time()
        if how == "client_gone":
            self.gone_after = self.ended_at - self.received_at
        if self.on_end is not None:
            self.on_end()

    def public(self) -> dict[str, Any]:
        view = {name: getattr(self, name) for name in self.__struct_fields__ if name not in ("on_end", "blocked_since")}
        if self.blocked_since is not None:
            view["blocked_seconds"] += time.time() - self.blocked_since
        return view


class Log:
    """The newest records, and a bell that rings whenever one is added or ends."""

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
        """Records that match `contains` (in the body), `backend`, `ended`, `method`, `path` (in the path)."""
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
        """The newest of at least `count` matching records, as soon as there are so many; None when time is up."""
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
                # A record can also change without a ring (bytes_sent); nothing here filters on that.
                await asyncio.wait([bell], timeout=left)
            finally:
                self._waiting.discard(bell)

    def _ring(self) -> None:
        for bell in self._waiting:
            if not bell.done():
                bell.set_result(None)
