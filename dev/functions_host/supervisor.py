"""Keeps one worker running: starts another when it dies, as often and as soon as the real host does.

Requests that arrive in between wait for the next worker. Measured on host 4.1037: the first death is followed by a new worker
at once, the second one 10 s later, the third ends the host. A worker that was killed because of functionTimeout does not
count. A new worker that cannot start counts as a death here, and deaths are never forgotten; neither was measured.
"""

import asyncio
from collections.abc import Awaitable, Callable

from dev.functions_host import log_lines
from dev.functions_host.failure import HostFailure
from dev.functions_host.worker_process import WorkerProcess

PAUSES_SECONDS = (0.0, 10.0)
"""After the first death, and after the second."""


class RestartPolicy:
    """How long to wait after each death of a worker."""

    def __init__(self) -> None:
        self._deaths = 0

    def pause_seconds(self, *, timed_out: bool) -> float:
        """Return the pause after one more death; raise HostFailure after the last."""
        if timed_out:
            return PAUSES_SECONDS[0]
        self._deaths += 1
        if self._deaths > len(PAUSES_SECONDS):
            raise HostFailure(f"The worker has died {self._deaths} times: the host ends, as the real one does")
        return PAUSES_SECONDS[self._deaths - 1]


class Supervisor:
    """`start` brings up the first worker and fails when that does."""

    def __init__(
        self, start_worker: Callable[[], Awaitable[WorkerProcess]], started: Callable[[WorkerProcess], None]
    ) -> None:
        self._start_worker = start_worker
        self._started = started
        self._policy = RestartPolicy()
        self._worker: WorkerProcess | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._change = asyncio.Condition()
        self._unavailable = False
        self.stopping = False
        self.restarts = 0

    @property
    def current(self) -> WorkerProcess | None:
        """The worker that serves now."""
        return self._worker if self._worker is not None and self._worker.alive else None

    async def start(self) -> None:
        """Return when the first worker serves."""
        self._worker = await self._start_worker()
        self._started(self._worker)
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def worker(self) -> WorkerProcess | None:
        """Return a worker that serves, as soon as there is one, or None where none can be started."""
        if self.current is not None:
            return self.current
        async with self._change:
            await self._change.wait_for(lambda: self.current is not None or self._unavailable or self.stopping)
        return self.current

    async def failed(self) -> None:
        """Wait for the death of a worker that ends the host, and raise HostFailure then."""
        assert self._keeper is not None
        await asyncio.shield(self._keeper)
        await asyncio.get_running_loop().create_future()

    async def stop(self, grace_seconds: float) -> None:
        """Send SIGTERM to the worker, and SIGKILL after the grace."""
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
        """End the worker at once."""
        self.stopping = True
        if self._worker is not None:
            self._worker.kill()

    async def _keep(self) -> None:
        try:
            while self._worker is not None:
                await self._worker.exited.wait()
                if self.stopping:
                    return
                await self._replace(self._worker)
        finally:
            self._unavailable = True
            await self._announce()

    async def _replace(self, dead: WorkerProcess) -> None:
        pause = self._policy.pause_seconds(timed_out=dead.timed_out)
        log_lines.error(f"The worker, process {dead.pid}, has died ({dead.ending}): another starts in {pause:g} s")
        while True:
            await asyncio.sleep(pause)
            try:
                self._worker = await self._start_worker()
                break
            except HostFailure as failure:
                log_lines.error(str(failure))
                self._unavailable = True
                await self._announce()
                pause = self._policy.pause_seconds(timed_out=False)
                log_lines.error(f"The worker could not start: the next attempt is in {pause:g} s")
        self._unavailable = False
        self.restarts += 1
        log_lines.info(f"The worker is back, as process {self._worker.pid}")
        self._started(self._worker)
        await self._announce()

    async def _announce(self) -> None:
        async with self._change:
            self._change.notify_all()
