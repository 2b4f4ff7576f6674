"""What every store of the ledger promises: rows are replaced as a whole, and added up over processes."""

import asyncio
from collections.abc import Callable

import pytest

from shared.limits.memory_usage import MemoryUsage
from shared.limits.store import Changed, StoreError
from shared.limits.tables import TableStore
from shared.limits.usage import Period, Spot, Sums, UsageRow
from shared.limits.usage_store import UsageStore
from shared.limits.usage_tables import UsageTable
from tests.limits.stores import Scene, opening, run_scene
from tests.state.azurite import Account

NOVEMBER = Period("2026-11-01", "2026-11-30")
ONE = Sums(1, 2, 3, 4, 5, 6, 7)


def usage_table(account: Account) -> UsageTable:
    return UsageTable(opening(account))


@pytest.fixture(params=["memory", "tables"])
def play(request: pytest.FixtureRequest) -> Callable[[Scene[UsageStore]], None]:
    """Run a scene with stores over the same rows; each call of its argument is another process's."""

    memory = MemoryUsage()
    account = request.getfixturevalue("table_account") if request.param == "tables" else None
    return lambda scene: run_scene(scene, lambda: memory if account is None else usage_table(account))


async def put(store: UsageStore, *rows: UsageRow) -> None:
    """Put the rows of one caller; the first writer makes the table."""
    try:
        await store.put(rows[0].spot.caller, rows)
    except Changed:
        await store.put(rows[0].spot.caller, rows)


def row(
    caller: str = "alice", day: str = "2026-11-27", model: str = "gpt", *, row_id: str = "p-1", sums: Sums = ONE
) -> UsageRow:
    return UsageRow(Spot(caller, day, model), row_id, sums)


def test_nothing_was_used_before_anything_was_written(play: Callable[[Scene[UsageStore]], None]) -> None:
    async def scene(open_store: Callable[[], UsageStore]) -> None:
        assert await open_store().sums("alice", NOVEMBER) == {}
        assert await open_store().sums(None, NOVEMBER) == {}

    play(scene)


def test_a_row_that_is_written_again_is_replaced_and_those_of_several_processes_are_added_up(
    play: Callable[[Scene[UsageStore]], None],
) -> None:
    async def scene(open_store: Callable[[], UsageStore]) -> None:
        one, two = open_store(), open_store()
        large = Sums(2**40, 1)
        await put(one, row(row_id="p-1"))
        await put(one, row(row_id="p-1", sums=large))
        await put(one, row(row_id="p-1", sums=large))
        await put(two, row(row_id="q-1"))
        assert await two.sums("alice", NOVEMBER) == {row().spot: large + ONE}

    play(scene)


def test_a_caller_reads_its_own_and_only_the_days_that_it_asks_for(play: Callable[[Scene[UsageStore]], None]) -> None:
    async def scene(open_store: Callable[[], UsageStore]) -> None:
        store = open_store()
        days = ["2026-10-31", "2026-11-01", "2026-11-30", "2026-12-01"]
        await put(store, *(row(day=day) for day in days))
        await put(store, row("bob", model="other"))
        own = await store.sums("alice", NOVEMBER)
        assert sorted(spot.day for spot in own) == ["2026-11-01", "2026-11-30"]
        assert {spot.caller for spot in own} == {"alice"}
        assert {spot.caller for spot in await store.sums(None, NOVEMBER)} == {"alice", "bob"}
        assert await store.sums("bob", Period("2026-11-27", "2026-11-27")) == {Spot("bob", "2026-11-27", "other"): ONE}

    play(scene)


@pytest.mark.parametrize("name", ["azure/gpt-x", "a|b}", "ü 😀 %2F?#\\", "x" * 300, "😀" * 300, "'"])
def test_any_name_of_a_model_and_of_a_caller_comes_back_as_it_was(
    play: Callable[[Scene[UsageStore]], None], name: str
) -> None:
    async def scene(open_store: Callable[[], UsageStore]) -> None:
        store = open_store()
        caller = name[:60]
        await put(store, row(caller, model=name), row(caller, model=name + "2"))
        assert await store.sums(caller, NOVEMBER) == {
            Spot(caller, "2026-11-27", name): ONE,
            Spot(caller, "2026-11-27", name + "2"): ONE,
        }

    play(scene)


def test_more_rows_than_a_transaction_takes_are_all_written(play: Callable[[Scene[UsageStore]], None]) -> None:
    async def scene(open_store: Callable[[], UsageStore]) -> None:
        store = open_store()
        await put(store, *(row(model=f"m{number}") for number in range(250)))
        assert len(await store.sums("alice", NOVEMBER)) == 250

    play(scene)


def test_leases_in_the_same_table_are_no_usage(table_account: Account) -> None:
    async def main() -> None:
        leases, usage = TableStore(opening(table_account)), usage_table(table_account)
        await put(usage, row())
        for window in ("m:2026-11-27T12:00:tokens", "d:2026-11-27:tokens", "n:streams"):
            await leases.write("alice", window, "p1", await leases.read("alice", window, "p1"))
        assert await usage.sums(None, Period("0000-01-01", "9999-12-31")) == {row().spot: ONE}
        await leases.close()
        await usage.close()

    asyncio.run(main())


def test_a_service_that_is_not_there_is_a_store_error() -> None:
    async def main() -> None:
        store = usage_table(Account("http://127.0.0.1:1/account", "a2V5", "table"))
        with pytest.raises(StoreError, match="the table did not take the request"):
            await store.put("alice", [row()])
        with pytest.raises(StoreError, match="the table did not take the request"):
            await store.sums("alice", NOVEMBER)
        await store.close()

    asyncio.run(main())


def test_a_row_that_somebody_else_has_written_is_a_store_error(table_account: Account) -> None:
    async def main() -> None:
        store = usage_table(table_account)
        await put(store, row())
        async with store._table() as table:
            await table.upsert_entity({"PartitionKey": "alice", "RowKey": "u:2026-11-27|strange"})
        with pytest.raises(StoreError, match="a row of the ledger cannot be read"):
            await store.sums("alice", NOVEMBER)
        await store.close()

    asyncio.run(main())
