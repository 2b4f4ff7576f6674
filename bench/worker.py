"""One function app on the project's worker driver, without a host: this process sends the invocation messages
itself and connects directly to the worker's HTTP server, so that only the worker is measured.
"""

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from bench.connection import BadAnswer
from bench.processes import on_the_measured_core
from dev.functions_host.functions import FunctionTable
from dev.wire import Decoder, Message, encode

ROOT = Path(__file__).resolve().parents[1]
WORKER_SCRIPT = ROOT / "dev" / "worker.py"
CONNECT_PAUSE_SECONDS = 0.001
START_SECONDS = 60.0
CAPTURED_LINES = 3
KEPT_VARIABLES = ("HOME", "LANG", "PATH", "TMPDIR")
"""Environment variables passed on to a subject; it gets no others."""


class Worker(asyncio.Protocol):
    """A worker process, created by `start`; also the protocol of its channel."""

    def __init__(self) -> None:
        self.port = 0
        self.log: list[str] = []
        self._decoder = Decoder()
        self._replies: dict[str, asyncio.Future[Message]] = {}
        self._channel: asyncio.WriteTransport
        self._process: subprocess.Popen[bytes] | None = None
        self._table = FunctionTable((), "")
        self._numbers = itertools.count(1)

    @classmethod
    async def start(cls, app: Path, settings: Mapping[str, str], script: Path = WORKER_SCRIPT) -> "Worker":
        """Start the worker, and wait until it has indexed the app and listens."""
        worker = cls()
        here, there = socket.socketpair()
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        with there, on_the_measured_core():
            channel = there.fileno()
            worker._process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs yet
                [sys.executable, str(script), str(channel), str(app)],
                env=environment | dict(settings),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[channel],
                start_new_session=True,
            )
        here.setblocking(False)  # noqa: FBT003 - the library's signature
        await asyncio.get_running_loop().create_connection(lambda: worker, sock=here)
        try:
            async with asyncio.timeout(START_SECONDS):
                await worker._index(app)
        except BaseException:
            worker.kill()
            raise
        return worker

    @property
    def pid(self) -> int:
        """The ID of the measured process."""
        return self._process.pid if self._process else 0

    def invoke(self, method: str, path: str, about: Message) -> str:
        """Announce a request to the worker, like the host. Return the ID for the request's x-ms-invocation-id."""
        match = self._table.find(method, path)
        if match is None:
            raise BadAnswer(f"the app has no function for {method} {path}")
        invocation_id = f"00000000-0000-4000-8000-{next(self._numbers):012d}"
        call = {"invocation_id": invocation_id, "function_id": match.function.function_id}
        named = {"input": match.function.input, "params": match.parameters}
        self._send({"type": "invocation"} | call | named | about)
        return invocation_id

    def signal(self, number: signal.Signals) -> None:
        """To the process."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def _index(self, app: Path) -> None:
        started = await self._ask({"type": "worker_init", "directory": str(app)})
        metadata = await self._ask({"type": "functions_metadata"})
        self._table = FunctionTable(metadata["functions"], "")
        for function in self._table.functions:
            await self._ask({"type": "function_load", "function_id": function.function_id})
        self.port = int(urlsplit(started["capabilities"]["HttpUri"]).port or 0)
        while not await _listens(self.port):  # noqa: ASYNC110 - another process listens
            await asyncio.sleep(CONNECT_PAUSE_SECONDS)

    async def _ask(self, message: Message) -> Message:
        reply = self._replies[message["type"]] = asyncio.get_running_loop().create_future()
        self._send(message)
        answer: Message = await reply
        if not answer["ok"]:
            raise BadAnswer(f"{answer['error']}\n{answer['stack_trace']}")
        return answer

    def _send(self, message: dict[str, Any]) -> None:
        self._channel.write(encode(message))

    # Callbacks of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._channel = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        for message in self._decoder.feed(data):
            if message["type"] == "log":
                if message["level"] not in ("DEBUG", "INFO"):
                    self.log = [*self.log[-CAPTURED_LINES:], message["message"]]
            elif message["type"] == "invocation":
                if not message["ok"]:
                    self.log = [*self.log[-CAPTURED_LINES:], message["stack_trace"] or message["error"]]
            elif (reply := self._replies.pop(message["type"], None)) is not None:
                reply.set_result(message)

    def connection_lost(self, _error: Exception | None) -> None:
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(BadAnswer("the worker ended while it started"))


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
