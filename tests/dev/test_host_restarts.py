"""How often and how soon a worker that has died is replaced."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from dev.functions_host import supervisor
from dev.functions_host.failure import HostFailure
from dev.functions_host.functions import FunctionTable, Match
from dev.functions_host.invocation import Invocation
from dev.functions_host.supervisor import RestartPolicy, Supervisor
from dev.functions_host.worker_process import WorkerCommand, WorkerProcess
from tests.dev.indexed import function
from tests.dev.scripted_worker import until


def test_the_first_death_is_followed_by_a_worker_at_once_the_second_10_s_later_and_the_third_ends_the_host() -> None:
    policy = RestartPolicy()
    assert [policy.pause_seconds(timed_out=False) for _ in range(2)] == [0, 10]
    with pytest.raises(HostFailure, match="has died 3 times"):
        policy.pause_seconds(timed_out=False)


def test_a_worker_that_function_timeout_has_killed_does_not_count() -> None:
    policy = RestartPolicy()
    assert [policy.pause_seconds(timed_out=timed_out) for timed_out in (True, False, True, True, False)] == [
        0,
        0,
        0,
        0,
        10,
    ]


def test_a_worker_that_is_killed_gets_no_request_from_that_moment(tmp_path: Path) -> None:
    """Its process ends a little later, and until then a request would go to it, and be lost with it."""

    async def play() -> None:
        worker = WorkerProcess(WorkerCommand("python", tmp_path, {}, "", 30, verbose=False))
        alive = [worker.alive]
        worker.kill()
        alive.append(worker.alive)
        assert alive == [True, False]
        late = Invocation("late", lambda: None)
        (found,) = FunctionTable([function("late", "late")], "").functions
        worker.invoke(late, Match(found, {}), {})
        assert late.failed

    asyncio.run(play())


class Worker:
    """In the place of a WorkerProcess."""

    pid = 1
    ending = "exit status 3"

    def __init__(self, *, timed_out: bool = False) -> None:
        self.exited = asyncio.Event()
        self.timed_out = timed_out

    @property
    def alive(self) -> bool:
        return not self.exited.is_set()


def supervised(plans: list[Callable[[], Worker]]) -> tuple[Supervisor, list[Worker]]:
    started: list[Worker] = []

    async def start() -> Any:
        return plans.pop(0)()

    return Supervisor(start, cast(Any, started.append)), started


@pytest.fixture
def without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "PAUSES_SECONDS", (0.0, 0.0))


@pytest.mark.usefixtures("without_pause")
def test_the_third_death_is_a_failure_of_the_host_and_nobody_waits_for_a_worker_any_more() -> None:
    async def play() -> None:
        one, started = supervised([Worker] * 3)
        await one.start()
        failing = asyncio.get_running_loop().create_task(one.failed())
        for deaths in range(1, 4):
            await until(lambda: len(started) == deaths)  # noqa: B023 - it is awaited here
            started[-1].exited.set()
        with pytest.raises(HostFailure, match="has died 3 times"):
            await asyncio.wait_for(failing, 5)
        assert await asyncio.wait_for(one.worker(), 5) is None
        assert one.restarts == 2

    asyncio.run(play())


@pytest.mark.usefixtures("without_pause")
def test_a_worker_that_cannot_start_counts_and_requests_do_not_wait_for_the_next_attempt() -> None:
    def broken() -> Worker:
        raise HostFailure("ZeroDivisionError: division by zero")

    async def play() -> None:
        one, started = supervised([Worker, broken, Worker, Worker])
        await one.start()
        started[0].exited.set()
        await until(lambda: len(started) == 2)
        assert await one.worker() is cast(Any, started[1])
        started[1].exited.set()
        with pytest.raises(HostFailure):
            await asyncio.wait_for(one.failed(), 5)

    asyncio.run(play())
