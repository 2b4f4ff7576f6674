"""A small storm, in CI and `make test-slow`; `make storm` blows a big one, `make soak` one after another."""

from dataclasses import replace

import pytest

from dev.simulator.control import Simulator
from tests.remains import Sample
from tests.resume_storm import storm as resume_storm
from tests.storm import growth, halves, not_exported, start_app, storm
from tests.telemetry.receiver import Receiver

SEED = 20261121


@pytest.mark.slow
def test_a_storm_leaves_nothing_behind_and_no_end_is_dishonest(simulator: Simulator) -> None:
    with start_app(simulator) as app:
        assert storm(app, simulator, rounds=halves(1200, SEED), parallel=40, seed=SEED) == []


@pytest.mark.slow
def test_with_telemetry_on_each_receipt_of_a_storm_is_exported_once(simulator: Simulator) -> None:
    receiver = Receiver()
    try:
        with start_app(simulator, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.address) as app:
            assert storm(app, simulator, rounds=halves(300, SEED), parallel=40, seed=SEED) == []
            assert list(not_exported(app, receiver)) == []
    finally:
        receiver.stop()


@pytest.mark.slow
def test_of_resumable_streams_no_word_is_lost_or_doubled_whoever_cuts_them(simulator: Simulator) -> None:
    assert resume_storm(simulator, streams=250, seed=SEED, parallel=25) == []


def sample(number: int, **each: float) -> Sample:
    """The worker after so many rounds of 1,000 streams, each of which leaves so much."""
    grown = {name: round(value * number * 1000) for name, value in each.items()}
    fixed = {"resident": 90_000_000, "private": 70_000_000, "sockets": 20, "tasks": 9, "blocks": 400_000}
    return Sample(streams=number * 1000, **{name: value + grown.get(name, 0) for name, value in fixed.items()})


@pytest.mark.parametrize(
    ("each", "problem"),
    [
        ({}, ""),
        ({"private": 399}, ""),
        ({"private": 401}, "the worker grew by 401 bytes a stream"),
        ({"blocks": 5}, ""),
        ({"blocks": 6}, "the worker keeps 1.00 blocks of memory of each stream"),
        ({"sockets": 0.1}, "620 sockets in the worker, 220 before"),
    ],
)
def test_what_grows_from_round_to_round_is_found(each: dict[str, float], problem: str) -> None:
    samples = [sample(number, **each) for number in range(1, 7)]
    assert list(growth(samples, most_sockets=60)) == ([problem] if problem else [])


def test_growth_over_few_streams_is_not_judged(capsys: pytest.CaptureFixture[str]) -> None:
    first, last = sample(1), sample(1, private=90_000)
    assert list(growth([first, replace(last, streams=first.streams + 499)], most_sockets=60)) == []
    assert "too few to judge growth by: 500 are needed" in capsys.readouterr().out
    assert len(list(growth([first, replace(last, streams=first.streams + 500)], most_sockets=60))) == 1
