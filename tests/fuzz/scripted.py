"""Stands in for the clients of all backends, at the seam that `upstream.call` defines: replies come from a case."""

import asyncio
from typing import Any, cast

import aiohttp
import httpx2

from shared.config.backends import Backend
from shared.errors import IdentityUnavailable, UpstreamCut, UpstreamTimeout, UpstreamUnreachable
from shared.upstream.call import Take, UpstreamCall, UpstreamResponse
from shared.upstream.errors import error_from_status
from shared.upstream.tap import Tap
from tests.fuzz.case import Headers, Pause, Reply, Step, joined, raw
from tests.fuzz.seen import Opened, Seen
from tests.fuzz.setups import EXCEPTION

BUFFER_BYTES = 64 * 1024
ENDLESS_PIECE = 2000
ENDLESS_SECONDS = 0.5
LATE_SECONDS = 0.01
"""What ends at the moment of leaving may still lead to an attempt, which is then abandoned."""
MAX_ERROR_BYTES = 1024 * 1024
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
_BY_TRANSPORT = ("transfer-encoding", "connection", "content-length")


class _Socket:
    """What aiohttp's reader pauses when it has too much, as far as a body looks at it."""

    connected = True

    def __init__(self) -> None:
        self.has_room = asyncio.Event()
        self.has_room.set()

    def pause_reading(self) -> None:
        self.has_room.clear()

    def resume_reading(self, *, resume_parser: bool = True) -> None:
        self.has_room.set()


class ScriptedBody:
    """The body of a reply: one step per turn of the loop, through aiohttp's own reader."""

    def __init__(self, reply: Reply, opened: Opened) -> None:
        self._steps: list[Step] = [] if reply.status in (204, 205) else list(reply.steps)
        self._end: str = reply.end.how
        self._opened = opened
        self._again = opened.raw[-ENDLESS_PIECE:] or b": \n\n"
        self._socket = _Socket()
        self._content = aiohttp.StreamReader(cast(Any, self._socket), BUFFER_BYTES)
        self._playing = asyncio.get_running_loop().create_task(self._play())

    async def _play(self) -> None:
        for step in self._steps:
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            elif data := raw(step):
                await self._arrives(data)
        while self._end == "endless":
            await asyncio.sleep(ENDLESS_SECONDS)
            await self._arrives(self._again)
        if self._end == "cut":
            self._content.set_exception(aiohttp.ClientPayloadError(EXCEPTION))
        elif self._end != "hang":
            self._content.feed_eof()

    async def _arrives(self, data: bytes) -> None:
        await self._socket.has_room.wait()
        self._content.feed_data(data)
        await asyncio.sleep(0)

    async def read(self) -> bytes:
        """See `Body`."""
        try:
            data: bytes = await self._content.readany()
        except aiohttp.ClientError as error:
            raise UpstreamCut("The connection broke off.") from error
        return data

    async def flow(self, take: Take) -> None:
        """See `FlowingBody`."""
        await Tap(self._content, take).run()

    def at_end(self) -> bool:
        """See `Body`."""
        return bool(self._content.at_eof())

    def hang_up(self) -> None:
        """See `Body`."""

    def close(self) -> None:
        """See `Body`."""
        self._playing.cancel()
        self._opened.is_closed = True


class ScriptedClients:
    """One reply per attempt; the last one again and again."""

    def __init__(self, replies: list[Reply], seen: Seen) -> None:
        self._replies = replies or [Reply()]
        self._seen = seen

    async def load(self) -> None:
        """Nothing is slow."""

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        """See `UpstreamClients`."""
        seen = self._seen
        reply = self._replies[min(len(seen.opened), len(self._replies) - 1)]
        sent = call.body(backend, deployment)
        if call.upload is not None:
            upload = call.upload(backend, deployment)
            sent = b"".join([piece async for piece in upload])
            if len(sent) != upload.size:
                seen.problems.append(f"a form of {upload.size} bytes has {len(sent)}")
        opened = Opened(sent, joined(reply.steps), is_closed=True, was_late=_now() > seen.left_at + LATE_SECONDS)
        seen.opened.append(opened)
        await asyncio.sleep(0)
        if reply.fault:
            kind = {"unreachable": UpstreamUnreachable, "timeout": UpstreamTimeout, "identity": IdentityUnavailable}
            raise kind[reply.fault]("The model's service could not be reached.") from OSError(EXCEPTION)
        headers = httpx2.Headers(
            [(name.encode("latin-1"), value.encode("latin-1")) for name, value in arriving(reply.headers)]
        )
        if not 200 <= reply.status < 300:
            body = None if reply.end.how == "cut" else opened.raw[:MAX_ERROR_BYTES]
            raise error_from_status(reply.status, headers, body) from OSError(EXCEPTION)
        opened.is_closed = False
        return UpstreamResponse(reply.status, headers, ScriptedBody(reply, opened))

    async def aclose(self) -> None:
        """Nothing is open."""


def _now() -> float:
    return asyncio.get_running_loop().time()


def arriving(headers: Headers) -> Headers:
    """Return the headers as far as an HTTP client lets them through, without those that it acts on itself."""
    return [
        (name, value.strip(" \t"))
        for name, value in headers
        if name not in _BY_TRANSPORT and _TOKEN.issuperset(name) and not set(value) & set("\r\n\0")
    ]
