"""The running host: its socket, its worker, what it prints, and how it ends.

SIGINT ends it as it ends the real host: nothing new is accepted, and open streams have 30 s before they are reset. Three
things are this host's own: a second SIGINT resets them at once, SIGTERM and SIGHUP do so from the start (the real one ignores
SIGTERM), and SIGUSR1 drains, which sends SIGTERM to the worker so that the app ends its streams itself, as Azure does with a
whole instance.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
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
WORKER_EXIT_SECONDS = 2.0
FLUSH_SECONDS = 1.0
POLL_SECONDS = 0.01
DRAIN = signal.SIGUSR1
CHAT_ROUTE = "chat"


@dataclass(frozen=True, slots=True)
class HostOptions:
    """The options of the command line that are no settings."""

    bind: str
    port: int
    key: str | None
    python: str
    grace_seconds: float
    idle_seconds: float
    http_delay_seconds: float | None
    quiet: bool
    verbose: bool
    forks: str | None


class Server:
    """Runs once."""

    def __init__(self, options: HostOptions, settings: HostSettings) -> None:
        self._options, self._settings = options, settings
        self._supervisor = Supervisor(partial(WorkerProcess.start, self._command()), _report_unserved)
        self._state = HostState(
            settings, self._supervisor, options.key, options.idle_seconds, options.http_delay_seconds
        )
        self._connections = self._state.connections
        self._signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
        self._address = ""

    async def run(self) -> None:
        """Serve until a signal ends it; raise HostFailure when it cannot begin, or when the worker dies too often."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, DRAIN):
            loop.add_signal_handler(number, self._signals.put_nowait, number)
        listener = self._bound()
        try:
            first = await self._first_of(self._supervisor.start())
            if first is None:
                server = await loop.create_server(self._connection, sock=listener, backlog=BACKLOG)
                self._print_start()
                first = await self._first_of(self._supervisor.failed())
                assert first is not None
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
            forks=self._options.forks,
        )

    def _connection(self) -> ClientConnection:
        return ClientConnection(self._exchange, self._connections)

    def _exchange(self, client: ClientConnection, request: Request) -> Exchange:
        return Exchange(self._state, client, request)

    def _bound(self) -> socket.socket:
        # Before anything is started: a busy port is the most common mistake.
        listener = socket.socket(socket.AF_INET6 if ":" in self._options.bind else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._options.bind, self._options.port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise HostFailure(
                f"Port {self._options.port} of {self._options.bind} cannot be used ({error.strerror}): "
                "choose another (make run PORT=7072, or --port)"
            ) from error
        listener.setblocking(False)  # noqa: FBT003 - the library's signature
        shown = "127.0.0.1" if self._options.bind == "0.0.0.0" else self._options.bind
        self._address = f"http://{f'[{shown}]' if ':' in shown else shown}:{listener.getsockname()[1]}"
        return listener

    async def _first_of(self, work: Coroutine[Any, Any, None]) -> signal.Signals | None:
        """Return a signal that arrives before this work is done, or None; raise what the work raises."""
        loop = asyncio.get_running_loop()
        working, signalled = loop.create_task(work), loop.create_task(self._signals.get())
        await asyncio.wait({working, signalled}, return_when=asyncio.FIRST_COMPLETED)
        if signalled.done():
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError, HostFailure):
                await working
            return signalled.result()
        signalled.cancel()
        working.result()
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
            if self._settings.environment.get("AUTH_MODE", "").strip().lower() == "keys":
                key = " -H 'authorization: Bearer KEY'"
            example = '{"input":"hi"}'
            call = f"curl -N -H 'content-type: application/json'{key} -d '{example}'"
            lines += ["", f"{call} {self._address}/{chat.template.text}"]
        print("\n".join(lines), flush=True)

    async def _stop(self, first: signal.Signals) -> None:
        self._state.stopping = True
        grace = self._options.grace_seconds
        for one in list(self._connections):
            one.retire()
        if first is DRAIN:
            log_lines.info(f"Draining: open streams have {grace:g} s")
            await self._first_of(self._supervisor.stop(grace))
            # What the worker wrote last may still be on its way to the clients.
            await self._idle(FLUSH_SECONDS)
        elif first is signal.SIGINT and self._busy:
            log_lines.info(f"Stopping: an open stream holds the host for up to {grace:g} s; Ctrl-C again ends it")
            await self._first_of(self._idle(grace))
        for one in list(self._connections):
            one.reset()
        await self._supervisor.stop(WORKER_EXIT_SECONDS)

    @property
    def _busy(self) -> bool:
        return any(one.busy for one in self._connections)

    async def _idle(self, seconds: float) -> None:
        """Return when no request is open, or after so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                # Polled: it is the end of the process.
                while self._busy:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_SECONDS)


def _report_unserved(worker: WorkerProcess) -> None:
    for reason in worker.table.unserved:
        log_lines.error(reason)
