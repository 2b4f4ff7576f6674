"""Many requests at once, a slow store and a crowded row: nobody waits long, and nobody pays for somebody else's flood."""

import asyncio

import pytest

from shared.config.caller_limits import CallerLimits, LimitsPolicy
from shared.demand import Demand
from shared.errors import CallerLimitExceeded, LimitsUnavailable
from shared.limits.account import IDLE_STREAM_SECONDS, LOOK_AGAIN_SECONDS
from shared.limits.clock import StoreClock
from shared.limits.limiter import FAILURE_SECONDS, STORE_SECONDS, Limiter
from shared.limits.memory_store import MemoryStore
from shared.limits.store import Changed, Rows
from shared.receipt import Spent
from tests.harness.app import NOON
from tests.harness.cells import cells
from tests.harness.virtual_time import run

EVERYTHING = CallerLimits(
    tokens_per_minute=1000, tokens_per_day=1000, tokens_per_month=1000, requests_per_minute=1000, streams=1000
)


class SlowStore(MemoryStore):
    """Takes its time, and has rows that others always were the first to write."""

    def __init__(self) -> None:
        super().__init__(now)
        self.takes = 0.0
        self.crowded: set[str] = set()
        self.writes = 0

    async def read(self, caller: str, window: str, owner: str) -> Rows:
        await asyncio.sleep(self.takes)
        return await super().read(caller, window, owner)

    async def write(self, caller: str, window: str, owner: str, rows: Rows) -> None:
        self.writes += 1
        if caller in self.crowded:
            raise Changed
        await super().write(caller, window, owner, rows)


def now() -> float:
    return NOON + asyncio.get_running_loop().time()


def limiter_over(store: MemoryStore, limits: CallerLimits, mode: str = "closed") -> Limiter:
    policy = LimitsPolicy(callers={"*": limits}, when_store_fails=mode)
    return Limiter(policy, store, clock=StoreClock(now))


async def ask(limiter: Limiter, tokens: int = 10, caller: str = "alice") -> str:
    try:
        await limiter.admit(caller, "m", Demand(0, max_output=tokens))
    except CallerLimitExceeded:
        return "refused"
    except LimitsUnavailable:
        return "unavailable"
    return "admitted"


def test_a_flood_beyond_the_limit_asks_the_store_hardly_oftener_than_one_request() -> None:
    async def main() -> None:
        store = SlowStore()
        store.takes = 0.01
        limiter = limiter_over(store, CallerLimits(tokens_per_minute=1000))
        found = await asyncio.gather(*(ask(limiter, 100) for _ in range(500)))
        assert (found.count("admitted"), found.count("refused")) == (10, 490)
        assert store.writes <= 12
        writes = store.writes
        assert {await ask(limiter, 100) for _ in range(500)} == {"refused"}
        assert store.writes == writes, "it has just been asked"
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        assert await ask(limiter, 100) == "refused"
        assert store.writes > writes
        await limiter.close()

    run(main())


def test_what_comes_free_here_is_used_at_once() -> None:
    async def main() -> None:
        limiter = limiter_over(SlowStore(), CallerLimits(tokens_per_minute=1000))
        ticket = await limiter.admit("alice", "m", Demand(0, max_output=1000))
        assert await ask(limiter) == "refused"
        ticket.settle(Spent(was_asked=False))
        assert await ask(limiter, 1000) == "admitted"
        await limiter.close()

    run(main())


@cells("takes", [0.55, 0.9, 60.0])
def test_all_limits_of_a_request_together_wait_a_second_for_the_store(takes: float) -> None:
    async def main() -> None:
        store = SlowStore()
        store.takes = takes
        limiter = limiter_over(store, EVERYTHING)
        clock = asyncio.get_running_loop().time
        began = clock()
        assert await ask(limiter) == "unavailable"
        assert clock() - began == pytest.approx(STORE_SECONDS)
        assert await ask(limiter) == "unavailable"
        assert clock() - began == pytest.approx(STORE_SECONDS), "for a while nobody waits again"
        await limiter.close()

    run(main())


def test_what_a_slow_store_brings_serves_those_who_come_later() -> None:
    async def main() -> None:
        store = SlowStore()
        store.takes = 0.6  # and as long for the write
        limiter = limiter_over(store, CallerLimits(tokens_per_minute=1000))
        assert await ask(limiter) == "unavailable"
        await asyncio.sleep(0.3)
        assert await ask(limiter) == "admitted"
        assert await ask(limiter) == "admitted"
        await limiter.close()

    run(main())


@cells("mode", ["closed", "open"])
def test_a_crowded_row_of_one_caller_is_no_failure_for_another(mode: str) -> None:
    async def main() -> None:
        store = SlowStore()
        store.crowded = {"alice"}
        limiter = limiter_over(store, CallerLimits(tokens_per_minute=1000), mode)
        assert await ask(limiter) == ("unavailable" if mode == "closed" else "admitted")
        began = asyncio.get_running_loop().time()
        writes = store.writes
        await ask(limiter)
        assert store.writes == writes, "for a while nobody tries again"
        assert asyncio.get_running_loop().time() == began
        assert await ask(limiter, 900, caller="bob") == "admitted"
        store.crowded = set()
        await asyncio.sleep(FAILURE_SECONDS + 0.1)
        assert await ask(limiter, 700) == "admitted"
        await limiter.close()

    run(main())


def test_the_place_of_a_stream_is_soon_another_processes() -> None:
    async def main() -> None:
        store = SlowStore()
        one, two = (limiter_over(store, CallerLimits(streams=1)) for _ in range(2))
        ticket = await one.admit("alice", "m", Demand(0))
        assert await ask(two) == "refused"
        ticket.settle(Spent(is_finished=True))
        await asyncio.sleep(IDLE_STREAM_SECONDS + 2)
        assert await ask(two) == "admitted"
        await one.close()
        await two.close()

    run(main())


def test_a_window_that_a_wrong_clock_chose_is_left_once_the_store_tells_the_time() -> None:
    async def main() -> None:
        store = SlowStore()
        policy = LimitsPolicy(callers={"*": CallerLimits(tokens_per_minute=1000)}, when_store_fails="closed")
        limiter = Limiter(policy, store, clock=StoreClock(lambda: now() + 150))
        other = limiter_over(store, CallerLimits(tokens_per_minute=1000))
        assert await ask(other, 1000) == "admitted"
        assert await ask(limiter, 10) == "admitted", "in a minute that has not begun"
        assert await ask(limiter, 10) == "refused"
        await limiter.close()
        await other.close()

    run(main())
