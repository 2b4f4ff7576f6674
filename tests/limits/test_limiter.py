"""What a caller may use, held over processes: no more than the limit, nothing lost, nothing held for ever."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from shared.config.caller_limits import CallerLimits
from shared.demand import Demand
from shared.errors import CallerLimitExceeded, CallerQuotaExceeded, LimitsUnavailable
from shared.events import Usage
from shared.limits.account import IDLE_SECONDS, LEASE_SECONDS, RENEWAL_SECONDS
from shared.receipt import Spent
from tests.harness.cells import cells
from tests.limits.processes import CALLER, World

PER_MINUTE = CallerLimits(tokens_per_minute=1000)


def run[T](work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def test_two_processes_together_stay_within_one_limit() -> None:
    async def work() -> None:
        world = World(PER_MINUTE)
        one, two = world.start(), world.start()
        admitted = 0
        for _ in range(40):
            admitted += await one.ask(50)
            admitted += await two.ask(50)
        assert 18 <= admitted <= 20, "each may be left with a part that is too small for an answer"

    run(work())


def test_a_lease_serves_many_answers_without_asking_the_store() -> None:
    async def work() -> None:
        process = World(CallerLimits(tokens_per_minute=1_000_000)).start()
        assert await process.ask(10)
        calls = process.store.calls
        for _ in range(100):
            assert await process.ask(10)
        assert process.store.calls == calls

    run(work())


def test_an_answer_that_took_less_gives_the_rest_back() -> None:
    async def work() -> None:
        process = World(PER_MINUTE).start()
        assert await process.ask(1000)
        assert not await process.ask(10)
        process.end(0, 100)
        assert await process.ask(900)
        assert not await process.ask(1)

    run(work())


def test_an_answer_that_took_more_is_owed() -> None:
    async def work() -> None:
        world = World(PER_MINUTE)
        one, two = world.start(), world.start()
        assert await one.ask(100)
        one.end(0, 950)
        world.time.now += IDLE_SECONDS + 1
        await one.limiter.tend()
        assert not await two.ask(100)
        assert await two.ask(50)

    run(work())


def test_a_new_minute_begins_with_the_whole_limit() -> None:
    async def work() -> None:
        world = World(PER_MINUTE)
        process = world.start()
        assert await process.ask(1000)
        world.time.now += 60
        assert await process.ask(1000)
        process.end(0, 500)  # the answer of the minute before counts there
        assert not await process.ask(1)

    run(work())


def test_what_a_crashed_process_held_is_free_again_within_a_minute() -> None:
    async def work() -> None:
        world = World(CallerLimits(streams=2, tokens_per_day=1000))
        crashed, other = world.start(), world.start()
        assert await crashed.ask(400)
        assert await crashed.ask(400)
        assert not await other.ask(400)
        world.time.now += LEASE_SECONDS + 1
        assert await other.ask(400)
        assert await other.ask(400)

    run(work())


def test_a_process_with_open_streams_keeps_what_it_holds() -> None:
    async def work() -> None:
        world = World(CallerLimits(streams=2))
        one, other = world.start(), world.start()
        assert await one.ask(1)
        assert await one.ask(1)
        for _ in range(10):
            world.time.now += RENEWAL_SECONDS + 1
            await one.limiter.tend()
        assert not await other.ask(1)
        one.end(0, 1)
        world.time.now += IDLE_SECONDS + 1
        await one.limiter.tend()
        assert await other.ask(1)

    run(work())


def test_a_stopping_process_gives_back_what_it_holds_at_once() -> None:
    async def work() -> None:
        world = World(CallerLimits(tokens_per_day=1000))
        one, other = world.start(), world.start()
        assert await one.ask(10)
        one.end(0, 10)
        await one.limiter.close()
        assert await other.ask(990)

    run(work())


def test_a_refusal_says_which_limit_and_when_to_come_back() -> None:
    async def work() -> None:
        world = World(CallerLimits(tokens_per_minute=1000, requests_per_minute=2))
        world.time.now += 20
        process = world.start()
        with pytest.raises(
            CallerLimitExceeded, match="1000 tokens a minute; this request alone may need 2000"
        ) as caught:
            await process.limiter.admit(CALLER, "m", Demand(0, max_output=2000))
        assert (caught.value.status, caught.value.code) == (429, "caller_limit_exceeded")
        assert caught.value.headers == {"retry-after": "40", "retry-after-ms": "40000"}
        assert await process.ask(10)
        assert await process.ask(10)
        with pytest.raises(CallerLimitExceeded, match=r"2 requests a minute\."):
            await process.limiter.admit(CALLER, "m", Demand(0, max_output=1))

    run(work())


@cells("limits", [CallerLimits(tokens_per_day=10), CallerLimits(tokens_per_month=10)])
def test_a_used_up_day_or_month_is_not_tried_again(limits: CallerLimits) -> None:
    async def work() -> None:
        process = World(limits).start()
        with pytest.raises(CallerQuotaExceeded) as caught:
            await process.limiter.admit(CALLER, "m", Demand(0, max_output=11))
        assert (caught.value.code, caught.value.headers["x-should-retry"]) == ("insufficient_quota", "false")

    run(work())


def test_a_refusal_leaves_nothing_reserved_of_the_other_limits() -> None:
    async def work() -> None:
        process = World(CallerLimits(streams=1, requests_per_minute=1, tokens_per_day=10)).start()
        assert not await process.ask(11)
        assert await process.ask(10)

    run(work())


def test_the_ticket_tells_the_callers_own_limits() -> None:
    async def work() -> None:
        limits = CallerLimits(tokens_per_minute=1000, tokens_per_day=5000, requests_per_minute=10, streams=5)
        process = World(limits).start()
        ticket = await process.limiter.admit(CALLER, "m", Demand(0, max_output=100))
        assert ticket.headers == {
            "x-ratelimit-limit-requests": "10",
            "x-ratelimit-remaining-requests": "9",
            "x-ratelimit-reset-requests": "60s",
            "x-ratelimit-limit-tokens": "1000",
            "x-ratelimit-remaining-tokens": "900",
            "x-ratelimit-reset-tokens": "60s",
        }

    run(work())


def test_an_answer_that_no_backend_gave_costs_no_tokens() -> None:
    async def work() -> None:
        process = World(PER_MINUTE).start()
        ticket = await process.limiter.admit(CALLER, "m", Demand(0, max_output=1000))
        for _ in range(2):  # once counts
            ticket.settle(Spent(was_asked=False))
        assert await process.ask(1000)

    run(work())


def test_an_answer_that_the_model_did_not_count_counts_its_prompt_and_what_was_seen() -> None:
    async def work() -> None:
        process = World(PER_MINUTE).start()
        ticket = await process.limiter.admit(CALLER, "m", Demand(350, max_output=900))
        ticket.settle(Spent(output_tokens=200))
        assert not await process.ask(701)
        assert await process.ask(700)

    run(work())


def test_a_callers_answers_teach_what_to_expect() -> None:
    async def work() -> None:
        process = World(CallerLimits(tokens_per_minute=2000)).start()
        for _ in range(10):
            ticket = await process.limiter.admit(CALLER, "m", Demand(0))
            ticket.settle(Spent(usage=Usage(0, 20, 0, 0), is_finished=True))
        for _ in range(90):
            await process.limiter.admit(CALLER, "m", Demand(0))
        with pytest.raises(CallerLimitExceeded):
            await process.limiter.admit(CALLER, "m", Demand(0))

    run(work())


def test_while_the_store_fails_closed_means_503() -> None:
    async def work() -> None:
        process = World(PER_MINUTE, "closed").start()
        process.store.faults = ["refused"] * 10
        with pytest.raises(LimitsUnavailable) as caught:
            await process.limiter.admit(CALLER, "m", Demand(0, max_output=10))
        assert (caught.value.status, caught.value.headers["retry-after"]) == (503, "2")

    run(work())


def test_while_the_store_fails_open_means_a_share_of_the_limit_which_is_reported_later() -> None:
    async def work() -> None:
        world = World(PER_MINUTE, "open")
        process = world.start()
        process.store.faults = ["refused"] * 100
        assert [await process.ask(50) for _ in range(6)] == [True] * 5 + [False]
        for _ in range(5):
            process.end(0, 50)
        process.store.faults = []
        world.time.now += IDLE_SECONDS + 1
        await process.limiter.tend()
        assert not await world.start().ask(751)
        assert await world.start().ask(750)

    run(work())


@cells(("streams", "granted"), [(0, 0), (1, 1), (2, 1), (8, 2)])
def test_of_a_limit_of_a_few_streams_a_process_grants_one_while_the_store_fails(streams: int, granted: int) -> None:
    async def work() -> None:
        process = World(CallerLimits(streams=streams), "open").start()
        process.store.faults = ["refused"] * 100
        asked = [await process.ask(10) for _ in range(3)]
        assert asked == [True] * granted + [False] * (3 - granted)
        with pytest.raises(CallerLimitExceeded, match=f"{streams} streams; what is left of it cannot be looked up"):
            await process.limiter.admit(CALLER, "m", Demand(0, max_output=10))

    run(work())


def test_a_store_that_does_not_answer_costs_one_second_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        process = World(PER_MINUTE, "open").start()

        async def hangs(*_: Any) -> Any:
            await asyncio.Event().wait()

        monkeypatch.setattr(process.store, "read", hangs)
        assert await process.ask(10)
        began = asyncio.get_running_loop().time()
        assert await process.ask(10)
        assert asyncio.get_running_loop().time() - began < 0.9, "for a while nobody waits again"

    run(work())


def test_a_caller_that_leaves_before_the_first_word_pays_for_what_the_model_may_have_thought() -> None:
    async def work() -> None:
        process = World(CallerLimits(tokens_per_day=10_000)).start()

        async def left_after(seconds: float, seen: int) -> int:
            ticket = await process.limiter.admit(CALLER, "m", Demand(350, max_output=900))
            before = process.limiter.unreported
            ticket.settle(Spent(output_tokens=seen, unseen_seconds=seconds))
            return process.limiter.unreported - before

        assert await left_after(0.5, 0) == 100, "the prompt"
        assert await left_after(2.0, 7) == 107
        assert await left_after(5.0, 7) == 407
        assert await left_after(60.0, 7) == 1000, "no more than was reserved"
        assert await left_after(60.0, 950) == 1050, "but what was seen"

    run(work())


def test_a_background_answer_that_nobody_waits_for_counts_what_was_reserved_for_it() -> None:
    async def work() -> None:
        process = World(PER_MINUTE).start()
        ticket = await process.limiter.admit(CALLER, "m", Demand(350, max_output=500, outlives=True))
        ticket.settle(Spent(output_tokens=1, is_finished=True))
        assert not await process.ask(401)
        assert await process.ask(400)

    run(work())
