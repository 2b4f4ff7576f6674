"""Windows of time, estimates, and the arithmetic of leases."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.demand import Demand
from shared.limits.clock import StoreClock
from shared.limits.estimate import REMEMBERED_ANSWERS, REMEMBERED_PAIRS, USUAL_OUTPUT_TOKENS, Outputs, estimate
from shared.limits.lease import Lease, Need, Parent, exchanged, reclaimed, usual_block
from shared.limits.meters import Meter, Span, Unit
from tests.harness.cells import cells


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@cells(
    ("span", "key", "ends"),
    [
        (Span.MINUTE, "m:2026-12-31T23:59:tokens", "2027-01-01T00:00"),
        (Span.DAY, "d:2026-12-31:tokens", "2027-01-01T00:00"),
        (Span.MONTH, "M:2026-12:tokens", "2027-01-01T00:00"),
    ],
)
def test_a_window_ends_where_the_next_begins(span: Span, key: str, ends: str) -> None:
    meter = Meter(Unit.TOKENS, span, 10)
    for moment in ("2026-12-31T23:59:00", "2026-12-31T23:59:59.9"):
        window = meter.window(at(moment))
        assert (window.key, window.ends_at) == (key, at(ends))
    assert meter.window(at(ends)).key != key


@cells(("month", "ends"), [("2026-02-28", "2026-03-01"), ("2028-02-29", "2028-03-01"), ("2026-01-31", "2026-02-01")])
def test_a_month_is_as_long_as_it_is(month: str, ends: str) -> None:
    assert Meter(Unit.TOKENS, Span.MONTH, 10).window(at(month)).ends_at == at(ends)


def test_what_counts_at_this_moment_never_ends() -> None:
    window = Meter(Unit.STREAMS, Span.NOW, 3).window(0)
    assert (window.key, window.ends_at) == ("n:streams", None)


def test_an_estimate_counts_the_prompt_the_images_and_every_choice() -> None:
    assert estimate(Demand(350), 50) == 150
    assert estimate(Demand(350, images=2, max_output=10, choices=3), 50) == 100 + 1600 + 30
    assert estimate(Demand(350, has_output=False), 50) == 100
    assert estimate(Demand(0, max_output=0), 50) == 1


def test_what_is_usual_is_what_nine_of_ten_answers_did_not_exceed() -> None:
    outputs = Outputs()
    assert outputs.usual("alice", "m") == USUAL_OUTPUT_TOKENS
    for tokens in range(1, 2 * REMEMBERED_ANSWERS + 1):
        outputs.note("alice", "m", tokens)
    assert outputs.usual("alice", "m") == 2 * REMEMBERED_ANSWERS - REMEMBERED_ANSWERS // 10 + 1
    assert outputs.usual("bob", "m") == USUAL_OUTPUT_TOKENS


def test_only_so_many_callers_and_models_are_remembered() -> None:
    outputs = Outputs()
    for number in range(REMEMBERED_PAIRS + 1):
        outputs.note(f"caller {number}", "m", 5)
    assert outputs.usual("caller 0", "m") == USUAL_OUTPUT_TOKENS
    assert outputs.usual("caller 1", "m") == 5


AMOUNT = st.integers(0, 1000)


@given(AMOUNT, AMOUNT, AMOUNT, AMOUNT, AMOUNT, AMOUNT, AMOUNT, AMOUNT)
def test_a_lease_is_never_more_than_there_is_unless_it_was_promised(
    others: int, held: int, spent: int, reserved: int, more: int, used: int, least: int, kept: int
) -> None:
    parent, lease = Parent(others + held + spent, spent), Lease(held, spent, 1)
    need = Need(reserved, spent + used, more, least, kept)
    new_parent, new_lease = exchanged(parent, lease, need, maximum=1000, expires_at=9)
    assert new_parent.granted == others + new_lease.held + new_lease.spent
    assert new_lease.held == reserved or new_parent.granted <= 1000
    assert new_lease == Lease(new_lease.held, spent + used, 9)
    assert exchanged(new_parent, new_lease, need, maximum=1000, expires_at=9) == (new_parent, new_lease), (
        "twice is once"
    )


@given(AMOUNT, AMOUNT, AMOUNT)
def test_an_expired_lease_gives_back_what_it_holds_and_not_what_it_has_spent(
    others: int, held: int, spent: int
) -> None:
    parent, lease = reclaimed(Parent(others + held + spent, spent), Lease(held, spent, 1))
    assert (parent, lease) == (Parent(others + spent, spent), Lease(0, spent, 1))


def test_a_lease_leaves_something_to_others() -> None:
    assert usual_block(1000, 800, 10, 10) == 100
    assert usual_block(100, 800, 10, 10) == 25
    assert usual_block(1000, 800, 500, 500) == 500
    assert usual_block(1000, 800, 10, 150) == 150, "for all who wait"
    assert usual_block(1000, 800, 10, 9000) == 250


def test_the_clock_is_the_stores_once_that_is_known() -> None:
    clock = StoreClock(lambda: 100.0)
    assert clock() == 100
    clock.learn(160)
    assert clock() == 160
