"""Keeps one worker running: when it dies another is started, after a pause that grows while they die young.

Requests that come in between wait for the next one.
"""

import asyncio
from collections.abc import Callable

from dev.functions_host import log_lines
from dev.functions_host.failure import HostFailure
from dev.functions_host.worker_process import WorkerCommand, WorkerProcess

FIRST_PAUSE_SECONDS = 0.25
MOST_PAUSE_SECONDS = 10.0
GROWN_UP_SECONDS = 30.0
"""A worker that lived this long did not die of its start."""


class Supervisor:
    """`start` brings up the first worker and fails when that does; later ones are tried again."""

    def __init__(self, command: WorkerCommand, started: Callable[[WorkerProcess], None]) -> None:
        self._command = command
        self._started = started
        self._worker: WorkerProcess | None = None
        self._pause = FIRST_PAUSE_SECONDS
        self._keeper: asyncio.Task[None] | None = None
        self._change = asyncio.Condition()
        self._failed = False
        self.stopping = False
        self.restarts = 0

    @property
    def current(self) -> WorkerProcess | None:
        """The one that serves now."""
        return self._worker if self._worker is not None and self._worker.alive else None

    async def start(self) -> None:
        """Returns when the first worker serves."""
        self._worker = await WorkerProcess.start(self._command)
        self._started(self._worker)
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def worker(self) -> WorkerProcess | None:
        """One that serves, as soon as there is one; None when there will be none."""
        if self.current is not None:
            return self.current
        async with self._change:
            await self._change.wait_for(lambda: self.current is not None or self._failed or self.stopping)
        return self.current

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM, patience, SIGKILL."""
        self.stopping = True
        worker = self.current
        if worker is not None:
            worker.terminate()
            try:
                await asyncio.wait_for(worker.exited.wait(), grace_seconds)
            except TimeoutError:
                log_lines.error(
                    f"The worker, process {worker.pid}, did not end within {grace_seconds:g} s: it is killed"
                )
                worker.kill()
                await worker.exited.wait()
        if self._keeper is not None:
            self._keeper.cancel()

    def kill(self) -> None:
        """At once."""
        self.stopping = True
        if self._worker is not None:
            self._worker.kill()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while self._worker is not None:
            born = loop.time()
            await self._worker.exited.wait()
            if self.stopping:
                await self._announce()
                return
            if loop.time() - born > GROWN_UP_SECONDS:
                self._pause = FIRST_PAUSE_SECONDS
            await self._replace(self._worker)

    async def _replace(self, dead: WorkerProcess) -> None:
        log_lines.error(
            f"The worker, process {dead.pid}, has died ({dead.ending}): another starts in {self._pause:g} s"
        )
        while True:
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, MOST_PAUSE_SECONDS)
            try:
                self._worker = await WorkerProcess.start(self._command)
                break
            except HostFailure as failure:
                log_lines.error(f"{failure}; the next attempt is in {self._pause:g} s")
                self._failed = True
                await self._announce()
        self._failed = False
        self.restarts += 1
        log_lines.info(f"The worker is back, as process {self._worker.pid}")
        self._started(self._worker)
        await self._announce()

    async def _announce(self) -> None:
        async with self._change:
            self._change.notify_all()
