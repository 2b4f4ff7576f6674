"""Runs a case in this process: the service as it is, called as ASGI calls it, on a loop whose clock jumps."""

import asyncio
import signal
from contextlib import ExitStack
from functools import cache
from types import TracebackType
from typing import Self
from unittest import mock

from shared.config.settings import Settings
from shared.service import ConfiguredService, Service, service_from_env
from tests.fuzz.asgi import Client, call
from tests.fuzz.case import Case, environment
from tests.fuzz.scripted import ScriptedClients
from tests.fuzz.seen import RUNNING, Recorder, Seen
from tests.fuzz.setups import SETUPS
from tests.fuzz.virtual import HANG_SECONDS, MeasuredLoop

STUCK_SECONDS = 60
"""Of real time, on a case that neither ends nor waits."""


class Stuck(BaseException):
    """The case blocks the loop."""


@cache
def _settings(setup: str) -> Settings:
    return Settings.from_env(SETUPS[setup])


class InProcess:
    """Takes the place of the worker: `run` one case after another."""

    def __init__(self) -> None:
        self._loop = MeasuredLoop()
        self._clients = ScriptedClients([], Seen())
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        enter = self._exit.enter_context
        enter(mock.patch("shared.service.OpenAIClients", self._made))
        enter(Recorder())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()
        self._loop.close()

    def _made(self, _settings: Settings) -> ScriptedClients:
        return self._clients

    def run(self, case: Case) -> Seen:
        """Return what the case showed."""
        seen = Seen()
        self._loop.longest_block = 0.0
        self._loop.set_exception_handler(lambda _loop, told: seen.problems.append(f"the loop: {told.get('message')}"))
        before = signal.signal(signal.SIGALRM, _stuck)
        signal.alarm(STUCK_SECONDS)
        running = RUNNING.set(seen)
        try:
            self._loop.run_until_complete(self._run(case, seen))
        except Stuck:
            seen.problems.append(f"it blocks the loop for more than {STUCK_SECONDS} s")
            self._loop = MeasuredLoop()
        finally:
            RUNNING.reset(running)
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        seen.longest_block = self._loop.longest_block
        return seen

    async def _run(self, case: Case, seen: Seen) -> None:
        self._clients = ScriptedClients(case.replies, seen)
        service = self._service(case, seen)
        client = Client(case.asked, seen)
        try:
            async with asyncio.timeout(HANG_SECONDS):
                if service is not None:
                    await call(service, case.asked, client, seen)
        except TimeoutError:
            seen.problems.append(f"it does not end within {HANG_SECONDS:g} s")
        except Exception as error:
            seen.problems.append(f"raised {error!r}"[:300])
        client.finish()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if isinstance(service, ConfiguredService) and len(service._open_streams):
            seen.problems.append("a stream is still counted as open")
        if isinstance(service, ConfiguredService):
            await service.aclose()  # what notes usage in the background ends with the process
        if left := [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
            seen.problems.append(f"left behind: {left[0]!r}"[:300])
            for task in left:
                task.cancel()

    def _service(self, case: Case, seen: Seen) -> Service | None:
        if not case.env:
            return ConfiguredService(_settings(case.setup), host_checks_keys=False)
        try:
            service = service_from_env(SETUPS[case.setup] | environment(case))
            service.announce()
        except Exception as error:
            seen.problems.append(f"service_from_env raised {type(error).__name__}")
            return None
        return service


def _stuck(*_: object) -> None:
    raise Stuck
