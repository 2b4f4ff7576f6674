"""What every store of leases promises: both rows at once, or none; nobody overwrites what somebody else wrote."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.config.caller_limits import CallerLimits, LimitsPolicy
from shared.demand import Demand
from shared.errors import CallerLimitExceeded, LimitsUnavailable
from shared.limits.lease import Lease, Parent
from shared.limits.limiter import Limiter
from shared.limits.memory_store import MemoryStore
from shared.limits.store import Changed, LeaseStore, OthersLease, StoreError
from shared.limits.tables import TableStore, partition
from tests.harness.cells import cells
from tests.limits.stores import Scene, opening, run_scene
from tests.state.azurite import Account

CALLER, WINDOW = "alice", "m:2026-11-27T12:00:tokens"


def table_store(account: Account) -> TableStore:
    return TableStore(opening(account))


@pytest.fixture(params=["memory", "tables"])
def play(request: pytest.FixtureRequest) -> Callable[[Scene[LeaseStore]], None]:
    """Run a scene with stores over the same rows; each call of its argument is another process's."""

    memory = MemoryStore()
    account = request.getfixturevalue("table_account") if request.param == "tables" else None
    return lambda scene: run_scene(scene, lambda: memory if account is None else table_store(account))


async def write(store: LeaseStore, owner: str, parent: Parent, lease: Lease) -> None:
    """Write as soon as the table is there, which the first writer makes."""
    for _ in range(2):
        rows = await read(store, owner)
        try:
            await store.write(CALLER, WINDOW, owner, replace(rows, parent=parent, lease=lease))
        except Changed:
            continue
        return
    raise AssertionError("nothing was written")


async def read(store: LeaseStore, owner: str):  # type: ignore[no-untyped-def]
    try:
        return await store.read(CALLER, WINDOW, owner)
    except Changed:
        return await store.read(CALLER, WINDOW, owner)


def test_what_was_written_is_read_by_every_process(play: Callable[[Scene[LeaseStore]], None]) -> None:
    async def scene(open_store: Callable[[], LeaseStore]) -> None:
        one, two = open_store(), open_store()
        before = await read(one, "p1")
        assert (before.parent, before.lease, before.tags) == (Parent(), Lease(), ("", ""))
        lease = Lease(2**40, 5, 1_795_780_800.5)
        await write(one, "p1", Parent(2**40 + 5, 5), lease)
        assert (await two.read(CALLER, WINDOW, "p1")).lease == lease
        of_two = await two.read(CALLER, WINDOW, "p2")
        assert (of_two.parent, of_two.lease) == (Parent(2**40 + 5, 5), Lease())
        assert await two.leases(CALLER, WINDOW) == [OthersLease("p1", lease)]
        assert (await two.read("bob", WINDOW, "p1")).parent == Parent()
        assert (await two.read(CALLER, "d:2026-11-27:tokens", "p1")).parent == Parent()

    play(scene)


def test_a_row_that_was_written_meanwhile_is_not_overwritten(play: Callable[[Scene[LeaseStore]], None]) -> None:
    async def scene(open_store: Callable[[], LeaseStore]) -> None:
        one, two = open_store(), open_store()
        await write(one, "p1", Parent(1), Lease(1))
        stale = await two.read(CALLER, WINDOW, "p2")
        await write(one, "p1", Parent(2), Lease(2))
        with pytest.raises(Changed):
            await two.write(CALLER, WINDOW, "p2", replace(stale, parent=Parent(9), lease=Lease(9)))
        found = await two.read(CALLER, WINDOW, "p2")
        assert (found.parent, found.lease) == (Parent(2), Lease()), "neither row was written"

    play(scene)


def test_two_first_writers_are_not_both_right(play: Callable[[Scene[LeaseStore]], None]) -> None:
    async def scene(open_store: Callable[[], LeaseStore]) -> None:
        one, two = open_store(), open_store()
        await write(one, "p0", Parent(), Lease())
        await one.remove(CALLER, WINDOW, "p0")
        first, second = [await store.read(CALLER, WINDOW, "p") for store in (one, two)]
        await one.write(CALLER, WINDOW, "p", replace(first, parent=Parent(1)))
        with pytest.raises(Changed):
            await two.write(CALLER, WINDOW, "p", replace(second, parent=Parent(2)))

    play(scene)


def test_a_window_that_is_over_is_removed_once_and_again(play: Callable[[Scene[LeaseStore]], None]) -> None:
    async def scene(open_store: Callable[[], LeaseStore]) -> None:
        store = open_store()
        await write(store, "p1", Parent(1), Lease(1))
        for _ in range(2):
            await store.remove(CALLER, WINDOW, "p1")
        assert (await store.read(CALLER, WINDOW, "p1")).tags == ("", "")
        assert await store.leases(CALLER, WINDOW) == []

    play(scene)


def test_the_stores_clock_is_told_with_what_is_read(play: Callable[[Scene[LeaseStore]], None]) -> None:
    async def scene(open_store: Callable[[], LeaseStore]) -> None:
        assert abs((await read(open_store(), "p1")).now - time.time()) < 60

    play(scene)


@cells("name", ["alice", "a/b\\c#d?e", "ü 😀", "%41", "x" * 300, "~YQ"])
def test_any_name_is_a_partition_of_its_own(name: str) -> None:
    key = partition(name)
    assert not set("/\\#?%\t\n") & set(key)
    assert key.isascii()
    assert key == name or key.startswith("~")


def test_processes_that_all_begin_at_once_stay_within_the_limit(table_account: Account) -> None:
    async def ask(limiter: Limiter) -> int:
        while True:
            try:
                await limiter.admit(CALLER, "m", Demand(0, max_output=100))
            except CallerLimitExceeded:
                return 0
            except LimitsUnavailable:  # a busy machine
                await asyncio.sleep(0.1)
            else:
                return 1

    async def main() -> int:
        policy = LimitsPolicy(callers={"*": CallerLimits(tokens_per_day=1000)}, when_store_fails="closed")
        limiters = [Limiter(policy, table_store(table_account)) for _ in range(4)]
        for limiter in limiters:
            await limiter.load()
        admitted = await asyncio.gather(*(ask(limiter) for limiter in limiters for _ in range(10)))
        for limiter in limiters:
            await limiter.close()
        return sum(admitted)

    assert 1 <= asyncio.run(main()) <= 10


def test_a_service_that_is_not_there_is_a_store_error() -> None:
    async def main() -> None:
        store = table_store(Account("http://127.0.0.1:1/account", "a2V5", "table"))
        with pytest.raises(StoreError, match="the table did not take the request"):
            await store.read(CALLER, WINDOW, "p1")
        await store.close()

    asyncio.run(main())
