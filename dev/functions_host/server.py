"""The host as a whole: its socket, its worker, what it prints, and how it ends."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from dev.functions_host import log_lines
from dev.functions_host.client_connection import ClientConnection
from dev.functions_host.exchange import Exchange
from dev.functions_host.failure import HostFailure
from dev.functions_host.request import Request
from dev.functions_host.settings import HostSettings
from dev.functions_host.state import HostState
from dev.functions_host.supervisor import Supervisor
from dev.functions_host.worker_process import WorkerCommand, WorkerProcess

BACKLOG = 1024
INTERRUPT_GRACE_SECONDS = 2.0
CHAT_ROUTE = "chat"


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What the command line says, beyond settings."""

    bind: str
    port: int
    key: str | None
    python: str
    grace_seconds: float
    idle_seconds: float
    quiet: bool
    verbose: bool


class Server:
    """`run` is the whole of it."""

    def __init__(self, options: HostOptions, settings: HostSettings) -> None:
        self._options, self._settings = options, settings
        self._supervisor = Supervisor(self._command(), _report_refusals)
        self._state = HostState(settings, self._supervisor, options.key, options.idle_seconds)
        self._connections = self._state.connections
        self._signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
        self._address = ""

    async def run(self) -> None:
        """Until a signal ends it; HostFailure when it cannot begin."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signals.put_nowait, number)
        listener = self._bound()
        try:
            first = await self._first_of(self._supervisor.start())
            if first is None:
                server = await loop.create_server(self._connection, sock=listener, backlog=BACKLOG)
                self._print_start()
                first = await self._signals.get()
                server.close()
            await self._stop(first)
        finally:
            self._supervisor.kill()
            listener.close()

    def _command(self) -> WorkerCommand:
        return WorkerCommand(
            python=self._options.python,
            app=self._settings.app,
            environment=dict(self._settings.environment),
            route_prefix=self._settings.route_prefix,
            function_timeout_seconds=self._settings.function_timeout_seconds,
            verbose=self._options.verbose,
        )

    def _connection(self) -> ClientConnection:
        return ClientConnection(self._exchange, self._connections)

    def _exchange(self, client: ClientConnection, request: Request) -> Exchange:
        return Exchange(self._state, client, request)

    def _bound(self) -> socket.socket:
        """Before anything is started: a busy port is the commonest mistake."""
        listener = socket.socket(socket.AF_INET6 if ":" in self._options.bind else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._options.bind, self._options.port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise HostFailure(
                f"Port {self._options.port} of {self._options.bind} cannot be used ({error.strerror}): choose another by --port"
            ) from error
        listener.setblocking(False)  # noqa: FBT003 - the library's signature
        shown = "127.0.0.1" if self._options.bind == "0.0.0.0" else self._options.bind
        self._address = f"http://{f'[{shown}]' if ':' in shown else shown}:{listener.getsockname()[1]}"
        return listener

    async def _first_of(self, start: Coroutine[Any, Any, None]) -> signal.Signals | None:
        """A signal, if one comes before the start is over."""
        loop = asyncio.get_running_loop()
        starting, signalled = loop.create_task(start), loop.create_task(self._signals.get())
        await asyncio.wait({starting, signalled}, return_when=asyncio.FIRST_COMPLETED)
        if signalled.done():
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, HostFailure):
                await starting
            return signalled.result()
        signalled.cancel()
        starting.result()
        return None

    def _print_start(self) -> None:
        lines = ["", "Functions:", ""]
        worker = self._supervisor.current
        functions = worker.table.functions if worker else []
        lines += [one.line(self._address) for one in functions]
        if self._options.key is not None:
            lines += ["", f"Key: {self._options.key}"]
        lines += ["", f"Listening on {self._address}"]
        chat = next((one for one in functions if one.route == CHAT_ROUTE), None)
        if chat is not None and not self._options.quiet:
            key = f" -H 'x-functions-key: {self._options.key}'" if self._options.key is not None else ""
            example = '{"input":"hi"}'
            call = f"curl -N -H 'content-type: application/json'{key} -d '{example}'"
            lines += ["", f"{call} {self._address}/{chat.template.text}"]
        print("\n".join(lines), flush=True)

    async def _stop(self, first: signal.Signals) -> None:
        self._state.stopping = True
        grace = self._options.grace_seconds
        if first is not signal.SIGTERM:
            grace = INTERRUPT_GRACE_SECONDS
            self._abort_all()
        else:
            log_lines.info(f"Stopping: open streams have {grace:g} s")
            for one in list(self._connections):
                one.retire()
        ending = asyncio.get_running_loop().create_task(self._supervisor.stop(grace))
        second = asyncio.get_running_loop().create_task(self._signals.get())
        await asyncio.wait({ending, second}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            self._supervisor.kill()
        second.cancel()
        await ending
        # What the worker wrote last may still be on its way to the clients.
        await asyncio.sleep(0)
        await self._flushed()
        self._abort_all()

    async def _flushed(self) -> None:
        deadline = asyncio.get_running_loop().time() + 1
        # Polled: it is the very end, and lasts a second at most.
        while any(one.busy for one in self._connections) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def _abort_all(self) -> None:
        for one in list(self._connections):
            one.abort()


def _report_refusals(worker: WorkerProcess) -> None:
    for refusal in worker.table.refusals:
        log_lines.error(refusal)
