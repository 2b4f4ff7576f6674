"""Commit, heartbeat and silence, to the second: times are the product's defaults, on the harness's clock."""

import pytest

from tests.harness.app import ask_in
from tests.harness.caller import Caller, Received
from tests.harness.upstream import Says
from tests.worker.ways import STREAMS, WAYS, Outcome

COMMIT, HEARTBEAT, SILENCE = 10.0, 15.0, 120.0
FINISHED = Outcome("finished", words="Hello you")
WITH_HEARTBEAT = [name for name, way in STREAMS.items() if way.heartbeat]


def heartbeats(way: str, received: Received) -> list[float]:
    return [at for at, data in received.writes if data == WAYS[way].heartbeat]


@pytest.mark.parametrize("way", WITH_HEARTBEAT)
def test_the_head_leaves_at_the_commit_and_a_heartbeat_as_often_as_is_set(way: str) -> None:
    outcome, _, received = ask_in(way, [Says(seconds_to_content=20.0)], COMMIT_SECONDS="2", HEARTBEAT_SECONDS="5")
    assert (outcome, received.head_at) == (FINISHED, 2.0)
    assert heartbeats(way, received) == [2.0, 7.0, 12.0, 17.0]


@pytest.mark.parametrize("way", STREAMS)
def test_an_answer_that_begins_before_the_commit_has_no_heartbeat(way: str) -> None:
    outcome, _, received = ask_in(way, [Says(seconds_to_content=COMMIT - 0.1)])
    assert (outcome, received.head_at, heartbeats(way, received)) == (FINISHED, COMMIT - 0.1, [])


@pytest.mark.parametrize("way", STREAMS)
def test_a_frame_of_any_kind_is_no_silence(way: str) -> None:
    keepalives = [step for _ in range(10) for step in (SILENCE - 1, b": keepalive\n\n")]
    outcome, _, received = ask_in(way, [Says(then=lambda frames: [*keepalives, *frames.ending()])])
    assert outcome == FINISHED
    assert received.ended_at == 10 * (SILENCE - 1)


@pytest.mark.parametrize("way", [name for name, way in STREAMS.items() if way.heartbeat])
def test_the_heartbeat_fills_every_pause_and_only_pauses(way: str) -> None:
    outcome, _, received = ask_in(way, [Says(words=["Hello", " you"] * 3, seconds_between=20.0)])
    assert outcome == Outcome("finished", words="Hello you" * 3)
    assert heartbeats(way, received) == [20.0 * word + HEARTBEAT for word in range(6)]


def test_plain_text_has_no_heartbeat_and_does_not_commit_early() -> None:
    outcome, _, received = ask_in("chat text", [Says(seconds_to_content=60.0)])
    assert (outcome, received.head_at) == (FINISHED, 60.0)


@pytest.mark.parametrize("way", STREAMS)
def test_a_slow_reader_is_not_a_silent_upstream(way: str) -> None:
    outcome, _, received = ask_in(
        way, [Says()], caller=Caller(seconds_per_write=6), UPSTREAM_SILENCE_SECONDS="5", HEARTBEAT_SECONDS="2"
    )
    assert outcome == FINISHED
    assert heartbeats(way, received) == []
