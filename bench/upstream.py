"""The benchmark's model service. `python -m bench.upstream` prints its port and answers every POST by one plan.

Fixed bytes and one timer, so that hundreds of streams cost it less than any subject. In addition to chat completions it serves
the identity endpoint of App Service (GET /identity), takes telemetry (POST /otlp/…) without reading it, accepts its plan
(PUT /plan), returns its counters (GET /stats) and closes all open streams (DELETE /streams).
"""

import asyncio
import json
import resource
import socket
import sys
import time
from typing import cast

import uvloop

from bench.frames import BEGINNING, ENDING, content_chunk
from bench.plan import Plan
from bench.wheel import Wheel

BATCH_CHUNKS = 32
"""Number of chunks per write of an upstream without pauses."""
TOKEN = "b" * 1500


class Service:
    """The state shared by all connections."""

    def __init__(self) -> None:
        self.plan = Plan()
        self.requests = self.chunks = self.late_turns = 0
        self.open: set[Connection] = set()
        self._wheels: dict[float, Wheel] = {}

    def wheel(self, seconds: float) -> Wheel:
        """Return the wheel for this interval."""
        if seconds not in self._wheels:
            self._wheels[seconds] = Wheel(seconds, self._late)
        return self._wheels[seconds]

    def _late(self) -> None:
        self.late_turns += 1

    def stats(self) -> dict[str, float]:
        """Return the counters since the start."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "requests": self.requests,
            "chunks": self.chunks,
            "late_turns": self.late_turns,
            "open": len(self.open),
            "cpu_seconds": used.ru_utime + used.ru_stime,
        }


class Connection(asyncio.Protocol):
    """One client connection with sequential requests."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._transport: asyncio.Transport
        self._buffer = b""
        self._wheel: Wheel | None = None
        self._left = 0
        self._endless = False
        self._is_open = False
        self._is_full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=64 * 1024)

    def connection_lost(self, _error: Exception | None) -> None:
        self._stop()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        if self._is_open and self._wheel is None:
            self._pour()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        lower = head.lower()
        at = lower.find(b"\r\ncontent-length:")
        length = int(lower[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(rest) >= length:
            self._buffer = rest[length:]
            self._answer(head, rest[:length])

    def _answer(self, head: bytes, body: bytes) -> None:
        method, target, _ = head.split(b" ", 2)
        if target.startswith(b"/otlp"):
            self._say({})
        elif method == b"POST":
            self._play(self._service.plan)
        elif method == b"PUT":
            self._service.plan = Plan(**json.loads(body))
            self._say({})
        elif method == b"DELETE":
            for connection in tuple(self._service.open):
                connection.cut()
            self._say({})
        elif target.startswith(b"/identity"):
            expires = str(int(time.time()) + 86400)
            self._say({"access_token": TOKEN, "expires_on": expires, "resource": "r", "token_type": "Bearer"})
        else:
            self._say(self._service.stats())

    def _say(self, value: object) -> None:
        body = json.dumps(value).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)

    def _play(self, plan: Plan) -> None:
        self._service.requests += 1
        self._service.open.add(self)
        self._is_open = True
        self._endless, self._left = not plan.chunks, plan.chunks
        if plan.seconds == 0 and plan.chunks == 1:
            self._service.chunks += 1
            self._transport.write(BEGINNING + content_chunk() + ENDING)
            self._stop()
            return
        self._service.chunks += 1
        self._left -= 1
        self._transport.write(BEGINNING + content_chunk())
        if plan.seconds:
            self._wheel = self._service.wheel(plan.seconds)
            self._wheel.add(self)
        else:
            self._pour()

    def step(self) -> None:
        """Send the next chunk of a paced stream."""
        if self._left <= 0 and not self._endless:
            self._finish()
            return
        self._left -= 1
        self._service.chunks += 1
        self._transport.write(content_chunk())

    def _pour(self) -> None:
        while not self._is_full and self._left > 0:
            count = min(BATCH_CHUNKS, self._left)
            self._left -= count
            self._service.chunks += count
            self._transport.write(content_chunk() * count)
        if self._left == 0:
            self._finish()

    def _finish(self) -> None:
        self._stop()
        self._transport.write(ENDING)

    def _stop(self) -> None:
        if self._wheel is not None:
            self._wheel.remove(self)
            self._wheel = None
        self._is_open = False
        self._service.open.discard(self)

    def cut(self) -> None:
        """End the stream."""
        self._transport.abort()


async def _serve() -> None:
    service = Service()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(service), sock=listener, backlog=2048)
    print(listener.getsockname()[1], flush=True)
    # Ends with its parent process, which closes its standard input.
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(_serve())
