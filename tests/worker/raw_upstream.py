"""An upstream that answers with exactly the bytes that a test gives it: what no well-meant server can be told to say."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

RESET = "reset"
HALF_CLOSE = "half-close"
HANG = "hang"
Step = bytes | float | str
"""Bytes to write, seconds to wait, or what becomes of the connection; after the last step it is closed."""


def answer(body: bytes, *, status: str = "200 OK", headers: str = "content-type: text/event-stream\r\n") -> bytes:
    """A whole HTTP answer with its length."""
    return f"HTTP/1.1 {status}\r\n{headers}content-length: {len(body)}\r\n\r\n".encode() + body


def chunked(*pieces: bytes, headers: str = "content-type: text/event-stream\r\n", is_complete: bool = True) -> bytes:
    """A 200 whose body comes in chunks, one per piece."""
    head = f"HTTP/1.1 200 OK\r\n{headers}transfer-encoding: chunked\r\n\r\n".encode()
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head + body + (b"0\r\n\r\n" if is_complete else b"")


class RawUpstream:
    """One listening socket. `plays` is what every request gets, or a list of which each request takes the next."""

    def __init__(self) -> None:
        self.plays: Sequence[Step] | list[Sequence[Step]] = []
        self.requests: list[bytes] = []
        self.open = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def play(self, *steps: Step) -> None:
        """What every request gets from here on."""
        self.plays = steps
        self.requests.clear()

    def play_in_turn(self, *plays: Sequence[Step]) -> None:
        """What the next requests get, one after another; the last of them again and again."""
        self.plays = list(plays)
        self.requests.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = starting.result(5)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _end(self) -> None:
        """Stop listening, and end what is still being played."""
        self._server.close()
        playing = asyncio.all_tasks() - {asyncio.current_task()}
        for task in playing:
            task.cancel()
        await asyncio.gather(*playing, return_exceptions=True)

    def _next(self) -> Sequence[Step]:
        if isinstance(self.plays, list):
            return self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        return self.plays

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
                self.requests.append(head + await reader.readexactly(int(length or 0)))
                await self._play(self._next(), reader, writer)
        finally:
            self.open -= 1
            writer.close()

    async def _play(self, steps: Sequence[Step], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for step in steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif isinstance(step, float | int):
                await asyncio.sleep(step)
            elif step == RESET:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            elif step == HALF_CLOSE:
                writer.write_eof()
                await reader.read()
            else:
                await reader.read()  # until the client has closed
