"""One life of the worker process: start, index, invocations, end. Its successor is another object.

It knows messages and processes; the requests themselves travel over `worker_connection`.
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from dev.functions_host import log_lines
from dev.functions_host.connection_pool import ConnectionPool
from dev.functions_host.failure import HostFailure
from dev.functions_host.forked_worker import ForkedWorker
from dev.functions_host.functions import FunctionTable, Match
from dev.functions_host.invocation import Invocation
from dev.wire import Decoder, Message, encode

WORKER_SCRIPT = Path(__file__).resolve().parent.parent / "worker.py"
START_SECONDS = 60.0
CONNECT_PAUSE_SECONDS = 0.02
LAST_MESSAGES_SECONDS = 1.0
"""How long the last messages of a dead worker are waited for: a child process may hold the channel open."""


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """How to start a worker."""

    python: str
    app: Path
    environment: dict[str, str]
    route_prefix: str
    function_timeout_seconds: float | None
    verbose: bool
    forks: str | None = None
    """The address of a `dev.fork_server` that forks the worker of an app without packages of its own; it imports less
    then, and `python` is not used."""


class Child(Protocol):
    """What is needed of `asyncio.subprocess.Process`."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    async def wait(self) -> int: ...
    def send_signal(self, number: int, /) -> None: ...


class _ChannelProtocol(asyncio.Protocol):
    def __init__(self, receive: Callable[[Message], None]) -> None:
        self._decoder = Decoder()
        self._receive = receive
        self.closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        for message in self._decoder.feed(data):
            self._receive(message)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.closed.set()


class WorkerProcess:
    """Made by `start`."""

    def __init__(self, command: WorkerCommand) -> None:
        self._command = command
        self._replies: dict[str, asyncio.Future[Message]] = {}
        self._invocations: dict[str, Invocation] = {}
        self._channel: asyncio.WriteTransport | None = None
        self._process: Child | None = None
        self._dead = False
        self.exited = asyncio.Event()
        """Set when the process has ended and its last messages are read."""
        self.timed_out = False
        """Whether it was killed because of functionTimeout."""
        self.table = FunctionTable((), command.route_prefix)
        self.pool = ConnectionPool("127.0.0.1", 0)

    @classmethod
    async def start(cls, command: WorkerCommand) -> "WorkerProcess":
        """Return a worker that has indexed the app and listens; raise HostFailure when it does not get so far."""
        worker = cls(command)
        try:
            async with asyncio.timeout(START_SECONDS):
                await worker._spawn()
                await worker._index()
                await worker._reach()
        except TimeoutError:
            worker.kill()
            raise HostFailure(f"The worker was not ready within {START_SECONDS:.0f} s") from None
        except BaseException:
            worker.kill()
            raise
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether it can serve: false from the moment it is killed or its process has ended."""
        return not self._dead

    @property
    def ending(self) -> str:
        """How the process ended, for a message."""
        code = self._process.returncode if self._process else None
        return signal.Signals(-code).name if code is not None and code < 0 else f"exit status {code}"

    def invoke(self, invocation: Invocation, match: Match, about: Message) -> None:
        """Send the invocation; its HTTP request goes another way (`forwarding`)."""
        if self._dead:
            invocation.abandoned()
            return
        self._invocations[invocation.id] = invocation
        invocation.start_clock(self._command.function_timeout_seconds, self._overdue)
        function = match.function
        call = {"invocation_id": invocation.id, "function_id": function.function_id, "input": function.input}
        self._send({"type": "invocation", "params": match.parameters} | call | about)

    def terminate(self) -> None:
        """Ask it to end: the app's server drains first."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once; from here on it gets no request."""
        self._dead = True
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _spawn(self) -> None:
        here, there = socket.socketpair()
        with there:
            here.setblocking(False)  # noqa: FBT003 - the library's signature
            try:
                self._process = await self._start(there.fileno())
            except OSError as error:
                here.close()
                raise HostFailure(f"Python cannot be started: {self._command.python}: {error.strerror}") from error
        loop = asyncio.get_running_loop()
        self._channel, protocol = await loop.create_connection(lambda: _ChannelProtocol(self._receive), sock=here)
        self._watcher = loop.create_task(self._watch(self._process, protocol.closed))

    async def _start(self, channel: int) -> Child:
        command = self._command
        # What is forked has imported the libraries of this environment, not those that a package brings.
        if command.forks is not None and not (command.app / ".python_packages").is_dir():
            return await ForkedWorker.start(command.forks, str(command.app), command.environment, channel)
        # Its own session: Ctrl-C in a terminal is the host's, which then ends the worker.
        return await asyncio.create_subprocess_exec(
            *(command.python, str(WORKER_SCRIPT), str(channel), str(command.app)),
            env=command.environment,
            stdin=subprocess.DEVNULL,
            stdout=2,
            stderr=2,
            pass_fds=[channel],
            start_new_session=True,
        )

    async def _watch(self, process: Child, channel_closed: asyncio.Event) -> None:
        await process.wait()
        # At once: no request may still go to a dead worker.
        self._dead = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(channel_closed.wait(), LAST_MESSAGES_SECONDS)
        self.exited.set()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(self._early_end())
        for invocation in self._invocations.values():
            invocation.abandoned()
        self._invocations.clear()
        self.pool.close()

    def _early_end(self) -> HostFailure:
        return HostFailure(f"The worker ended while it started ({self.ending})")

    async def _index(self) -> None:
        started = await self._ask({"type": "worker_init", "directory": str(self._command.app)})
        address = started["capabilities"].get("HttpUri")
        metadata = await self._ask({"type": "functions_metadata"})
        self.table = FunctionTable(metadata["functions"], self._command.route_prefix)
        for function in self.table.functions:
            await self._ask({"type": "function_load", "function_id": function.function_id})
        if not self.table.functions:
            raise HostFailure("\n".join(["The app has no HTTP function", *self.table.unserved]))
        if address is None:
            raise HostFailure("HTTP streaming is off: the app does not import azurefunctions.extensions.http.fastapi")
        parts = urlsplit(address)
        self.pool = ConnectionPool(str(parts.hostname), int(parts.port or 0))

    async def _reach(self) -> None:
        # The library reports that its server runs before it listens.
        while not await self.pool.reachable():
            if not self.alive:
                raise self._early_end()
            await asyncio.sleep(CONNECT_PAUSE_SECONDS)

    async def contents(self) -> Message:
        """Return how many asyncio `tasks` and allocated `blocks` of Python's memory the worker has at the moment."""
        return await self._ask({"type": "contents"})

    async def _ask(self, message: Message) -> Message:
        if not self.alive:
            raise self._early_end()
        reply = self._replies[message["type"]] = asyncio.get_running_loop().create_future()
        self._send(message)
        answer: Message = await reply
        if not answer["ok"]:
            if answer["stack_trace"]:
                log_lines.error(answer["stack_trace"])
            raise HostFailure(_first_line(answer["error"]))
        return answer

    def _send(self, message: Message) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(encode(message))

    def _receive(self, message: Message) -> None:
        match message["type"]:
            case "log":
                record = log_lines.WorkerRecord(message["level"], message["category"], message["message"])
                running = message["invocation_id"] in self._invocations
                log_lines.from_worker(record, of_running_invocation=running, verbose=self._command.verbose)
            case "invocation":
                self._answered(message)
            case kind:
                if (reply := self._replies.pop(kind, None)) is not None and not reply.done():
                    reply.set_result(message)

    def _answered(self, message: Message) -> None:
        invocation = self._invocations.pop(message["invocation_id"], None)
        if invocation is None:
            return
        if not message["ok"]:
            log_lines.error(
                f"The function {invocation.function!r} failed: {message['stack_trace'] or message['error']}"
            )
        invocation.answered(failed=not message["ok"])

    def _overdue(self, invocation: Invocation) -> None:
        self.timed_out = True
        seconds = self._command.function_timeout_seconds or 0
        log_lines.error(
            f"The function {invocation.function!r} did not return within functionTimeout ({seconds:g} s): "
            f"its worker, process {self.pid}, is killed"
        )
        self.kill()


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
