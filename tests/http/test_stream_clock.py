"""Commit, heartbeat and silence, to the second: times are the product's defaults, on the harness's clock."""

from tests.harness.app import ask_in
from tests.harness.caller import Caller, Received
from tests.harness.cells import cells
from tests.harness.upstream import FOREVER, Says
from tests.worker.ways import STREAMS, WAYS, Outcome

COMMIT, HEARTBEAT, SILENCE = 10.0, 15.0, 120.0
FINISHED = Outcome("finished", words="Hello you")
WITH_HEARTBEAT = [name for name, way in STREAMS.items() if way.heartbeat]


def heartbeats(way: str, received: Received) -> list[float]:
    return [at for at, data in received.writes if data == WAYS[way].heartbeat]


@cells("way", WITH_HEARTBEAT)
def test_the_head_leaves_at_the_commit_and_a_heartbeat_as_often_as_is_set(way: str) -> None:
    outcome, _, received = ask_in(way, [Says(seconds_to_content=20.0)], COMMIT_SECONDS="2", HEARTBEAT_SECONDS="5")
    assert (outcome, received.head_at) == (FINISHED, 2.0)
    assert heartbeats(way, received) == [2.0, 7.0, 12.0, 17.0]


@cells("way", STREAMS)
def test_an_answer_that_begins_before_the_commit_has_no_heartbeat(way: str) -> None:
    outcome, _, received = ask_in(way, [Says(seconds_to_content=COMMIT - 0.1)])
    assert (outcome, received.head_at, heartbeats(way, received)) == (FINISHED, COMMIT - 0.1, [])


@cells("way", STREAMS)
def test_an_event_of_any_kind_is_no_silence(way: str) -> None:
    keepalives = [step for _ in range(10) for step in (SILENCE - 1, b'data: {"type":"keepalive"}\n\n')]
    outcome, _, received = ask_in(way, [Says(then=lambda frames: [*keepalives, *frames.ending()])])
    assert outcome == FINISHED
    assert received.ended_at == 10 * (SILENCE - 1)


@cells("way", STREAMS)
@cells("sign", [b": keepalive\n\n", b"\n\n", b"data: half of an"], ids=["comment", "blank", "half"])
def test_what_is_no_event_is_silence(way: str, sign: bytes) -> None:
    signs = [step for _ in range(10) for step in (SILENCE / 3, sign)]
    outcome, _, received = ask_in(way, [Says(then=lambda frames: [*signs, *frames.ending()])])
    assert outcome == WAYS[way].broken("upstream_silent", "Hello you")
    assert SILENCE <= received.ended_at < SILENCE + 1


@cells("way", STREAMS)
def test_a_client_that_takes_nothing_for_a_minute_is_cut(way: str) -> None:
    _, _, received = ask_in(way, [Says(words=["Hello"] * 9)], caller=Caller(seconds_per_write=FOREVER))
    assert (received.is_completed, received.receipt["ended"]) == (False, "client_too_slow")
    assert 60 <= received.ended_at < 61


@cells("way", STREAMS)
def test_a_body_that_stops_arriving_is_a_408_after_half_a_minute(way: str) -> None:
    outcome, asked, received = ask_in(way, [Says()], caller=Caller(pauses_body=[FOREVER]))
    assert (outcome, asked) == (Outcome("refused", "request_timeout", 408), {})
    assert (received.ended_at, received.headers["connection"]) == (30, "close")


@cells("way", STREAMS)
def test_an_answer_ends_before_the_host_cuts_it(way: str) -> None:
    slow = Says(words=["Hello", *[" you"] * 1000], seconds_between=10.0)
    outcome, _, received = ask_in(way, [slow])
    assert outcome == WAYS[way].broken("function_timeout", outcome.words)
    assert 1795 <= received.ended_at < 1796


@cells("way", [name for name, way in STREAMS.items() if way.heartbeat])
def test_the_heartbeat_fills_every_pause_and_only_pauses(way: str) -> None:
    outcome, _, received = ask_in(way, [Says(words=["Hello", " you"] * 3, seconds_between=20.0)])
    assert outcome == Outcome("finished", words="Hello you" * 3)
    assert heartbeats(way, received) == [20.0 * word + HEARTBEAT for word in range(6)]


def test_plain_text_has_no_heartbeat_and_does_not_commit_early() -> None:
    outcome, _, received = ask_in("chat text", [Says(seconds_to_content=60.0)])
    assert (outcome, received.head_at) == (FINISHED, 60.0)


@cells("way", STREAMS)
def test_a_slow_reader_is_not_a_silent_upstream(way: str) -> None:
    outcome, _, received = ask_in(
        way, [Says()], caller=Caller(seconds_per_write=6), UPSTREAM_SILENCE_SECONDS="5", HEARTBEAT_SECONDS="2"
    )
    assert outcome == FINISHED
    assert heartbeats(way, received) == []
