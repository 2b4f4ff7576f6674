"""What `--verbose` reports of an answer."""

import time
from collections.abc import Iterator

import pytest

from client.formats import Event
from client.timings import Timings

USAGE: Event = {"type": "usage", "input_tokens": 9, "output_tokens": 6}


def delta() -> Event:
    return {"type": "delta", "text": "x"}


def report(monkeypatch: pytest.MonkeyPatch, times: list[float], *events: Event) -> str:
    """Return the report of these events; `times`: the clock at the beginning, at each delta, and at the end, in seconds."""
    clock: Iterator[float] = iter(times)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    timed = Timings()
    for event in events:
        timed.note(event)
    return timed.report()


def test_an_answer_with_its_usage_has_a_speed_and_a_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    started: Event = {"type": "started", "id": "1", "model": "m"}
    told = report(monkeypatch, [0.0, 0.5, 2.5, 3.0], started, delta(), delta(), USAGE)
    assert told == "model m, first token 0.50 s, total 3.00 s, 3.0 tokens/s, tokens 9 in, 6 out"


@pytest.mark.parametrize(("deltas", "told"), [(1, "1 delta, usage unknown"), (2, "2 deltas, usage unknown")])
def test_without_usage_the_deltas_are_counted(monkeypatch: pytest.MonkeyPatch, deltas: int, told: str) -> None:
    times = [0.0, *[1.0] * deltas, 2.0]
    assert report(monkeypatch, times, *[delta()] * deltas) == f"first token 1.00 s, total 2.00 s, {told}"


def test_an_answer_without_a_token_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert report(monkeypatch, [0.0, 2.0]) == "no token, total 2.00 s, 0 deltas, usage unknown"


def test_a_single_token_has_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "tokens/s" not in report(monkeypatch, [0.0, 1.0, 2.0], delta(), USAGE)
