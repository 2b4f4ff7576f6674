"""The ledger of one process: nothing is counted twice, nothing is lost in silence, and no answer waits."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

import pytest

from shared.limits import ledger as module
from shared.limits.ledger import CLOSE_SECONDS, FAILURE_SECONDS, WRITE_SECONDS, Ledger, Prompts
from shared.limits.memory_usage import MemoryUsage
from shared.limits.store import Changed, StoreError
from shared.limits.usage import Period, Spot, Sums, UsageRow
from tests.harness.app import NOON
from tests.harness.virtual_time import run

TODAY = Period("2026-11-27", "2026-11-27")
EVER = Period("0000-01-01", "9999-12-31")
ONE = Sums(1, 10, 0, 5, 0)


class Store(MemoryUsage):
    """Fails on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: list[tuple[float, str, int]] = []
        self.fails: list[Exception] = []
        """Raised by the next writes, one each; a `StoreError` at the end stays."""
        self.applies = False
        """A write that fails is applied nevertheless: its answer is lost."""
        self.takes = self.takes_to_read = 0.0
        self.reads = self.reads_at_once = self.most_reads_at_once = 0
        self.is_closed = False

    async def put(self, caller: str, rows: Sequence[UsageRow]) -> None:
        self.puts.append((asyncio.get_running_loop().time(), caller, len(rows)))
        await asyncio.sleep(self.takes)
        if self.applies or not self.fails:
            await super().put(caller, rows)
        if self.fails:
            raise self.fails.pop(0)

    async def sums(self, caller: str | None, period: Period) -> Mapping[Spot, Sums]:
        self.reads += 1
        self.reads_at_once += 1
        self.most_reads_at_once = max(self.most_reads_at_once, self.reads_at_once)
        await asyncio.sleep(self.takes_to_read)
        self.reads_at_once -= 1
        return await super().sums(caller, period)

    async def close(self) -> None:
        self.is_closed = True


def ledger_of(store: MemoryUsage, owner: str = "p") -> Ledger:
    clock = asyncio.get_running_loop().time
    return Ledger(store, clock=lambda: NOON + clock(), owner=owner)


async def stored(store: MemoryUsage, caller: str | None = None) -> Mapping[Spot, Sums]:
    return await store.sums(caller, EVER)


def total(found: Mapping[Spot, Sums]) -> Sums:
    return sum(found.values(), start=Sums())


def test_many_answers_are_one_write_and_an_idle_process_writes_nothing() -> None:
    async def main() -> None:
        store = Store()
        ledger = ledger_of(store)
        for _ in range(1000):
            ledger.note("alice", "gpt", ONE)
        ledger.note("alice", "other", ONE)
        ledger.note("bob", "gpt", ONE)
        assert store.puts == [], "no answer waits for the store"
        await asyncio.sleep(3600)
        assert store.puts == [(WRITE_SECONDS, "alice", 2), (WRITE_SECONDS, "bob", 1)]
        assert (await stored(store))[Spot("alice", "2026-11-27", "gpt")] == Sums(1000, 10_000, 0, 5000, 0)
        await ledger.close()
        assert len(store.puts) == 2
        assert store.is_closed

    run(main())


def test_each_day_has_a_row_of_its_own_and_a_day_that_is_over_takes_no_memory() -> None:
    async def main() -> None:
        store = Store()
        ledger = ledger_of(store)
        ledger.note("alice", "gpt", ONE)
        await asyncio.sleep(13 * 3600)
        ledger.note("alice", "gpt", ONE)
        await asyncio.sleep(WRITE_SECONDS + 1)
        assert sorted(spot.day for spot in await stored(store)) == ["2026-11-27", "2026-11-28"]
        assert [spot.day for spot in ledger._rows] == ["2026-11-28"]
        await ledger.close()

    run(main())


@pytest.mark.parametrize("applies", [False, True], ids=["not applied", "applied, and its answer lost"])
def test_a_write_that_failed_is_repeated_and_counts_once(applies: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        store = Store()
        store.applies = applies
        store.fails = [StoreError("gone"), StoreError("still gone"), Changed(), Changed()]
        ledger = ledger_of(store)
        ledger.note("alice", "gpt", ONE)
        await asyncio.sleep(WRITE_SECONDS + 1)
        ledger.note("alice", "gpt", ONE)
        await asyncio.sleep(4 * FAILURE_SECONDS)
        assert total(await stored(store)) == ONE + ONE
        await ledger.close()

    run(main())
    assert [record.message for record in caplog.records] == [
        "What callers have used cannot be written, and is kept until it can: gone"
    ]


def test_what_is_noted_while_a_write_is_under_way_is_in_the_next_one() -> None:
    async def main() -> None:
        store = Store()
        store.takes = 0.5
        ledger = ledger_of(store)
        ledger.note("alice", "gpt", ONE)
        await asyncio.sleep(WRITE_SECONDS + 0.2)
        ledger.note("alice", "gpt", ONE)
        await asyncio.sleep(2 * WRITE_SECONDS + 1)
        assert total(await stored(store)) == ONE + ONE
        await ledger.close()

    run(main())


def test_who_asks_gets_what_is_not_written_yet_and_what_other_processes_have_written() -> None:
    async def main() -> None:
        store = Store()
        one, two = ledger_of(store, "p"), ledger_of(store, "q")
        one.note("alice", "gpt", ONE)
        two.note("alice", "gpt", ONE)
        two.note("bob", "gpt", ONE)
        await asyncio.sleep(WRITE_SECONDS + 1)
        two.note("alice", "gpt", ONE)
        assert total(await two.sums("alice", TODAY)) == ONE + ONE + ONE
        assert total(await two.sums(None, TODAY)) == ONE + ONE + ONE + ONE
        await one.close()
        await two.close()

    run(main())


def test_whoever_asks_again_and_again_does_not_keep_the_store_busy() -> None:
    async def main() -> None:
        store = Store()
        store.takes_to_read = 1.0
        ledger = ledger_of(store)
        ledger.note("alice", "gpt", ONE)
        found = await asyncio.gather(*(ledger.sums("alice", TODAY) for _ in range(500)))
        assert (store.reads, {total(one) for one in found}) == (1, {ONE})
        periods = [Period(f"2026-11-{day:02}", "2026-11-30") for day in range(1, 21)]
        await asyncio.gather(*(ledger.sums("alice", period) for period in periods))
        assert (store.reads, store.most_reads_at_once) == (21, module.READS_AT_ONCE)
        asking = asyncio.create_task(ledger.sums("alice", TODAY))
        await asyncio.sleep(0.5)
        await ledger.close()
        with pytest.raises(StoreError, match="stopping"):
            await asking

    run(main())


def test_a_closing_process_writes_what_it_has(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        store = Store()
        store.takes = 1.0
        ledger = ledger_of(store)
        ledger.note("alice", "gpt", ONE)
        await asyncio.sleep(WRITE_SECONDS + 0.5)  # a write is under way
        ledger.note("alice", "gpt", ONE)
        await ledger.close()
        assert total(await stored(store)) == ONE + ONE

    run(main())
    assert caplog.records == []


@pytest.mark.parametrize("takes", [0.0, 60.0], ids=["refuses", "hangs"])
def test_what_a_closing_process_cannot_write_is_logged_as_lost(takes: float, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        store = Store()
        ledger = ledger_of(store)
        ledger.note("alice", "gpt", ONE)
        await asyncio.sleep(WRITE_SECONDS + 1)
        store.takes, store.fails = takes, [StoreError("gone")] * 9
        ledger.note("alice", "gpt", Sums(1, 7, 0, 3, 0))
        began = asyncio.get_running_loop().time()
        await ledger.close()
        assert asyncio.get_running_loop().time() - began <= CLOSE_SECONDS
        ledger.note("alice", "gpt", ONE)  # a stream that ends too late
        assert store.is_closed

    run(main())
    lost = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(lost) == 2
    assert "Lost from the ledger: caller alice, day 2026-11-27, model gpt, {'answers': 1, 'input_tokens': 7," in lost[0]
    assert "'input_tokens': 10," in lost[1]


def test_a_row_that_was_dropped_to_save_memory_is_not_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 2)

    async def main() -> None:
        store = Store()
        ledger = ledger_of(store)
        for model in ("a", "b", "c", "a", "b", "c", "a"):
            ledger.note("alice", model, ONE)
            await asyncio.sleep(WRITE_SECONDS + 1)
            assert len(ledger._rows) <= 2
        found = await stored(store)
        assert {spot.model: sums.answers for spot, sums in found.items()} == {"a": 3, "b": 2, "c": 2}
        await ledger.close()

    run(main())


def test_beyond_its_memory_the_oldest_that_cannot_be_written_is_lost_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 2)

    async def main() -> None:
        ledger = ledger_of(Store())
        for model in ("a", "b", "c"):
            ledger.note("alice", model, ONE)
        assert [spot.model for spot in ledger._rows] == ["b", "c"]
        await ledger.close()

    run(main())
    assert "Lost from the ledger: caller alice, day 2026-11-27, model a" in caplog.text


def test_a_models_name_is_cut_and_can_be_encoded() -> None:
    async def main() -> None:
        store = Store()
        ledger = ledger_of(store)
        ledger.note("alice", "x" * 5000 + "\ud800", ONE)
        ledger.note("alice", "\ud800", ONE)
        await ledger.close()
        assert sorted(len(spot.model) for spot in await stored(store)) == [1, module.MAX_NAME_CHARACTERS]
        assert all(spot.model.encode() for spot in await stored(store))

    run(main())


def test_prompts_are_expected_as_the_model_has_counted_those_before() -> None:
    prompts = Prompts()
    assert prompts.likely("alice", "gpt", expected=100) == 100
    prompts.note("alice", "gpt", expected=100, tokens=60)
    prompts.note("alice", "gpt", expected=300, tokens=180)
    assert prompts.likely("alice", "gpt", expected=50) == 30
    assert prompts.likely("bob", "gpt", expected=50) == 30, "as others'"
    assert prompts.likely("bob", "other", expected=50) == 50
    prompts.note("bob", "gpt", expected=100, tokens=200)
    assert [prompts.likely(name, "gpt", expected=50) for name in ("alice", "bob", "carol")] == [30, 100, 44]
    for number in range(module.REMEMBERED_PAIRS):
        prompts.note(f"caller {number}", f"model {number}", expected=1, tokens=1)
    assert prompts.likely("alice", "gpt", expected=50) == 50, "forgotten"


def test_a_failure_that_nobody_expected_is_logged_and_the_write_repeated(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        store = Store()
        store.fails = [RuntimeError("never seen before")]
        ledger = ledger_of(store)
        ledger.note("alice", "gpt", ONE)
        await asyncio.sleep(2 * FAILURE_SECONDS)
        assert total(await stored(store)) == ONE
        await ledger.close()

    run(main())
    assert [record.message for record in caplog.records] == ["What callers have used could not be written"]
