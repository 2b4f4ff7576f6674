"""Upstreams and identity endpoints on sockets: each connection gets exactly the bytes of a case."""

import asyncio
import contextlib
import re
import socket
import struct
from types import TracebackType
from typing import Self

from tests.fuzz.case import Pause, Reply, raw
from tests.fuzz.setups import ANSWER

MAX_HEAD_BYTES = 1024 * 1024
ENDLESS_SECONDS = 0.01
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


class Sockets:
    """One listening socket. `playing` counts the answers under way."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.mark = 0
        """A number that is put after each planted answer, so that one case's bytes are known from another's."""
        self.requests = 0
        self.playing = 0
        self.url = ""
        self._server: asyncio.Server | None = None

    def play(self, replies: list[Reply], mark: int) -> None:
        """What the next requests get, one after the other; the last again and again."""
        self.replies, self.mark, self.requests = replies, mark, 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if length := _LENGTH.search(head):
                    await reader.readexactly(int(length[1]))
                if not await self._answer(self._next(head), reader, writer):
                    break
        writer.close()

    def _next(self, _head: bytes) -> Reply:
        reply = self.replies[min(self.requests, len(self.replies) - 1)]
        self.requests += 1
        return reply

    async def _answer(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Return whether the connection goes on."""
        self.playing += 1
        try:
            last = b""
            for step in reply.steps:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    continue
                data = raw(step).replace(ANSWER.encode(), b"%b%08d" % (ANSWER.encode(), self.mark))
                last = data or last
                writer.write(data)
                await writer.drain()
            return await self._end(reply.end.how, last[-2000:], reader, writer)
        finally:
            self.playing -= 1

    async def _end(self, how: str, last: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if how == "hang":
            while await reader.read(65536):
                pass
        while how == "endless" and not reader.at_eof():
            writer.write(last or b"x")
            await writer.drain()
            await asyncio.sleep(ENDLESS_SECONDS)
        if how == "cut":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        framing = re.compile(r"content-length|chunked", re.IGNORECASE)
        return how == "clean" and any(isinstance(step, str) and framing.search(step) for step in self.replies[-1].steps)


class Identities(Sockets):
    """Identity endpoints that share a socket: which is meant, the client id says."""

    def __init__(self) -> None:
        super().__init__()
        self.by_client: dict[str, list[Reply]] = {}

    def _next(self, head: bytes) -> Reply:
        found = re.search(rb"client_id=([0-9a-f-]+)", head)
        self.replies = self.by_client.get(found[1].decode() if found else "", [Reply(raw=True)])
        self.requests = 0
        return super()._next(head)
