"""The table fails in every way, over the wire to the real client: nobody waits long, and nothing is lost in silence.

All ways at once, since each is little else than waiting.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from shared.config.caller_limits import CallerLimits, LimitsPolicy
from shared.demand import Demand
from shared.errors import CallerLimitExceeded, LimitsUnavailable
from shared.events import Usage
from shared.limits import limiter as limiter_module
from shared.limits.ledger import Ledger
from shared.limits.limiter import EXCHANGE_SECONDS, Limiter
from shared.limits.store import StoreError
from shared.limits.tables import TableStore
from shared.limits.ticket import Ticket
from shared.limits.usage import Period, Sums
from shared.limits.usage_tables import UsageTable
from shared.receipt import Spent
from tests.limits.stores import opening
from tests.limits.table_service import FAULTS, MUTE, SLOW_SECONDS, TableService, table_service

DAYS = CallerLimits(tokens_per_day=1000, tokens_per_month=10_000, streams=50)
"""None by the minute, which may be over before a scene is."""
SOON_SECONDS = SLOW_SECONDS / 2
"""Sooner than the slow service answers: a busy machine has a part in the time."""
BACK_SECONDS = 60.0

type Scene = Callable[[TableService, str], Awaitable[None]]
"""Takes a service that is well, and how it is to fail."""


@pytest.fixture
def patient_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service is well by then, and a busy machine may need longer."""
    monkeypatch.setattr(limiter_module, "CLOSE_SECONDS", BACK_SECONDS)


def play(scene: Scene, faults: list[str]) -> None:
    """Play the scene with every fault at once. Raise `AssertionError` with what went wrong in which."""

    async def one(fault: str) -> None:
        async with table_service() as service:
            await scene(service, fault)

    async def main() -> dict[str, BaseException]:
        found = await asyncio.gather(*map(one, faults), return_exceptions=True)
        return {fault: error for fault, error in zip(faults, found, strict=True) if error is not None}

    assert asyncio.run(main()) == {}


@asynccontextmanager
async def limiter_before(service: TableService, mode: str) -> AsyncIterator[Limiter]:
    """A process whose client has been made."""
    store = TableStore(opening(service.account))
    limiter = Limiter(LimitsPolicy(callers={"*": DAYS}, when_store_fails=mode), store)
    await limiter.load()
    try:
        yield limiter
    finally:
        await limiter.close()


async def ask(limiter: Limiter, fault: str, tokens: int = 50) -> Ticket:
    """Ask for an answer of a caller that is named after the fault. Raise `LimitsUnavailable` or `CallerLimitExceeded`."""
    began = time.monotonic()
    try:
        return await limiter.admit(fault, "m", Demand(0, max_output=tokens))
    finally:
        assert time.monotonic() - began < SOON_SECONDS


async def ask_until_it_is_back(limiter: Limiter, fault: str) -> Ticket:
    """Ask until the service is known to be well again. Raise `TimeoutError`."""
    async with asyncio.timeout(BACK_SECONDS):
        while True:
            try:
                return await ask(limiter, fault)
            except LimitsUnavailable:
                await asyncio.sleep(0.1)


def settle(ticket: Ticket, tokens: int) -> None:
    ticket.settle(Spent(usage=Usage(0, tokens, 0, 0), is_finished=True))


@pytest.mark.usefixtures("patient_close")
def test_closed_refuses_with_a_503_and_goes_on_once_the_service_is_back(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(service: TableService, fault: str) -> None:
        async with limiter_before(service, "closed") as limiter:
            await service.fail(fault)
            for _ in range(3):
                with pytest.raises(LimitsUnavailable) as caught:
                    await ask(limiter, fault)
            assert caught.value.headers["retry-after"] == "2"
            await service.fail("")
            settle(await ask_until_it_is_back(limiter, fault), 50)
        assert limiter.unreported == 0

    faults = [*FAULTS, *MUTE]
    play(scene, faults)
    assert caplog.text.count(" cannot be looked up (closed): ") >= len(faults)


@pytest.mark.usefixtures("patient_close")
def test_open_admits_a_quarter_of_the_limit_and_reports_it_once_the_service_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene(service: TableService, fault: str) -> None:
        async with limiter_before(service, "open") as limiter:
            await service.fail(fault)
            for _ in range(5):
                settle(await ask(limiter, fault), 50)
            for _ in range(2):
                with pytest.raises(CallerLimitExceeded):
                    await ask(limiter, fault)
            assert limiter.unreported == 2 * 250, "tokens of two windows"
            await service.fail("")
            await asyncio.sleep(EXCHANGE_SECONDS)  # what is under way ends
        assert limiter.unreported == 0

    faults = [*FAULTS, *MUTE]
    play(scene, faults)
    assert caplog.text.count(" cannot be looked up (open): ") >= len(faults)


def test_what_a_process_could_not_report_at_its_end_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(service: TableService, fault: str) -> None:
        async with limiter_before(service, "open") as limiter:
            await service.fail(fault)
            settle(await ask(limiter, fault), 40)

    faults = [*FAULTS, *MUTE]
    play(scene, faults)
    lost = [record.getMessage() for record in caplog.records if "could not be given back" in record.getMessage()]
    assert sorted(fault for fault in faults for line in lost if f"'{fault} d:" in line) == sorted(faults)


def test_what_the_service_does_not_take_of_the_ledger_is_in_the_log_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene(service: TableService, fault: str) -> None:
        ledger = Ledger(UsageTable(opening(service.account)))
        await service.fail(fault)
        ledger.note(fault, "m", Sums(1, 10, 0, 5, 0))
        await ledger.close()

    faults = [*(fault for fault, (_, write) in FAULTS.items() if write is not None), *MUTE]
    play(scene, faults)
    lost = [record.getMessage() for record in caplog.records if "Lost from the ledger" in record.getMessage()]
    assert sorted(fault for fault in faults for line in lost if f"caller {fault}," in line) == sorted(faults)


def test_a_ledger_that_cannot_be_read_is_a_store_error() -> None:
    async def scene(service: TableService, fault: str) -> None:
        ledger = Ledger(UsageTable(opening(service.account)))
        await service.fail(fault)
        with pytest.raises(StoreError, match=r"table|ledger"):
            await ledger.sums("alice", Period("2026-11-01", "2026-11-30"))
        await ledger.close()

    play(scene, [fault for fault, (read, _) in FAULTS.items() if read is not None])
