"""The circuit breaker's transitions."""

from shared.upstream.circuit import (
    CLOSED,
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    Abandoned,
    Circuit,
    Failed,
    HalfOpen,
    Open,
    Probed,
    Report,
    Succeeded,
    after,
    is_ready,
    ready_at,
)
from tests.harness.cells import cells

FAILED = Failed(None, jitter=0.5)
ASKED = Failed(30, jitter=0.0)


@cells(
    ("before", "report", "now", "state"),
    [
        (CLOSED, Succeeded(), 5, CLOSED),
        (CLOSED, Abandoned(), 5, CLOSED),
        (CLOSED, Probed(), 5, CLOSED),
        (CLOSED, FAILED, 5, Open(5 + FIRST_PAUSE_SECONDS, 1)),
        (CLOSED, ASKED, 5, Open(35, 1)),
        (Open(10, 1), Succeeded(), 5, CLOSED),
        (Open(10, 1), Abandoned(), 5, Open(10, 1)),
        (Open(10, 1), Probed(), 5, Open(10, 1)),
        (Open(10, 1), Probed(), 10, HalfOpen(10, 1)),
        (Open(10, 1), FAILED, 5, Open(10, 1)),
        (Open(10, 1), FAILED, 9.5, Open(10.5, 1)),
        (Open(10, 1), ASKED, 5, Open(35, 1)),
        (Open(10, 1), FAILED, 10, Open(12, 2)),
        (HalfOpen(10, 1), Succeeded(), 11, CLOSED),
        (HalfOpen(10, 1), Abandoned(), 11, Open(10, 1)),
        (HalfOpen(10, 1), Probed(), 11, HalfOpen(10, 1)),
        (HalfOpen(10, 1), FAILED, 11, Open(13, 2)),
    ],
)
def test_each_report_leads_to_one_state(before: Circuit, report: Report, now: float, state: Circuit) -> None:
    assert after(before, report, now) == state


def test_the_pause_doubles_up_to_a_bound() -> None:
    circuit: Circuit = CLOSED
    pauses = []
    for _ in range(9):
        now = 0.0 if circuit is CLOSED else ready_at(circuit)
        circuit = after(circuit, FAILED, now)
        pauses.append(ready_at(circuit) - now)
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


@cells(
    ("circuit", "ready"),
    [(CLOSED, True), (Open(10, 1), True), (Open(10.1, 1), False), (HalfOpen(5, 1), False)],
)
def test_a_call_may_be_sent_when_closed_or_as_the_one_probe(circuit: Circuit, ready: bool) -> None:
    assert is_ready(circuit, 10) is ready
