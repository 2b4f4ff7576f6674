"""Patience is measured in silence: an attempt lives as long as its upstream shows life. In-process, virtual time."""

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

from openai import DEFAULT_TIMEOUT

from shared.config.settings import DECLARATIONS
from shared.errors import UpstreamCut
from shared.upstream.call import UpstreamCall
from tests.harness.app import GOOD, InProcessApp, ask_in, play
from tests.harness.caller import Received
from tests.harness.cells import cells
from tests.harness.frames import FRAMES, data
from tests.harness.upstream import EVENT_STREAM, FOREVER, Play, Says, Step, refuses
from tests.worker.ways import COLLECTED, STREAMS, WAYS, Outcome

FINISHED = Outcome("finished", words="Hello you")
RESPONSES = FRAMES["responses"]
CHAT_WAYS = [name for name in [*STREAMS, *COLLECTED] if WAYS[name].path.startswith(("/chat", "/stream"))]
WHOLE = [name for name, way in WAYS.items() if way.is_buffered]
PLATFORM_CUTS_AFTER = 230.0
CALM: dict[str, Any] = {"UPSTREAM_SILENCE_SECONDS": "400"}
IMPATIENT: dict[str, Any] = {"FIRST_CONTENT_SECONDS": "45", "COMMIT_SECONDS": "200", "AZURE_OPENAI_API": "responses"}


def keepalive(number: int) -> bytes:
    return data({"type": "keepalive", "sequence_number": number}, "keepalive")


REASONING = data({"type": "response.output_item.added", "sequence_number": 2, "output_index": 0,
                  "item": {"type": "reasoning", "id": "rs_1"}}, "response.output_item.added")  # fmt: skip


def thinks(seconds: float, *then: Step, every: float = 30.0) -> Play:
    """Begin at once, send a keepalive that often, then answer, or what `then` says."""
    beats = int(seconds / every)
    alive = [step for number in range(beats) for step in (every, keepalive(3 + number))]
    answer = then or (RESPONSES.word("Hello you"), *RESPONSES.ending())
    opening = RESPONSES.opening()[:2]
    return Play(body=[*opening, REASONING, *alive, seconds - beats * every, *answer], headers=EVENT_STREAM)


@cells("way", WAYS)
def test_a_thought_of_150_seconds_without_a_head_is_answered_and_asked_for_once(way: str) -> None:
    outcome, asked, _ = ask_in(way, [Says(seconds_to_headers=150), GOOD])
    assert (outcome, asked) == (FINISHED, {"main": 1})


@cells("way", STREAMS)
def test_a_head_is_a_sign_of_life_too(way: str) -> None:
    def slow(call: UpstreamCall) -> Play:
        said = Says()(call)
        return replace(said, body=[100.0, *said.body], seconds_to_headers=100)

    outcome, asked, _ = ask_in(way, [slow, GOOD], FIRST_CONTENT_SECONDS="120")
    assert (outcome, asked) == (FINISHED, {"main": 1})


@cells("way", ["responses", *CHAT_WAYS])
def test_a_thought_of_150_seconds_with_signs_of_life_is_answered_and_asked_for_once(way: str) -> None:
    outcome, asked, _ = ask_in(way, [thinks(150), GOOD], AZURE_OPENAI_API="responses")
    assert (outcome, asked) == (FINISHED, {"main": 1})


@cells("way", ["responses", *[way for way in CHAT_WAYS if way != "chat text"]])
def test_an_attempt_lives_as_long_as_its_upstream_shows_life(way: str) -> None:
    outcome, asked, received = ask_in(way, [thinks(190), GOOD], **IMPATIENT)
    assert (outcome, asked, received.ended_at) == (FINISHED, {"main": 1}, 190.0)


@cells("way", ["responses", *[way for way in CHAT_WAYS if way != "chat text"]])
def test_an_upstream_that_falls_silent_while_it_thinks_is_left(way: str) -> None:
    falls_silent = thinks(60, FOREVER)
    outcome, asked, received = ask_in(way, [falls_silent, GOOD], **IMPATIENT)
    assert (outcome, asked, received.ended_at) == (FINISHED, {"main": 1, "second": 1}, 105.0)


def test_the_default_patience_is_that_of_openais_own_clients() -> None:
    defaults = {one.name: one.kind.default for one in DECLARATIONS.values()}
    assert float(defaults["FIRST_CONTENT_SECONDS"]) == DEFAULT_TIMEOUT.read
    # One attempt may be silent for all of it and another begin after it, and both fit before the host's end.
    assert float(defaults["FIRST_CONTENT_SECONDS"]) < float(defaults["ATTEMPT_BUDGET_SECONDS"])
    assert float(defaults["ATTEMPT_BUDGET_SECONDS"]) + float(defaults["FIRST_CONTENT_SECONDS"]) < 1795


def test_after_the_commit_the_upstreams_own_events_reach_the_client_as_many_as_it_sent() -> None:
    thought = thinks(400)
    outcome, asked, received = ask_in("responses", [thought, GOOD], FIRST_CONTENT_SECONDS="900")
    assert (outcome, asked) == (FINISHED, {"main": 1})
    events = [(at, block) for at, block in received.writes if b"data: " in block]
    times = [0.0, *(at for at, _ in events)]
    assert max(later - earlier for earlier, later in pairwise(times)) < 120
    sent = [json.loads(step.partition(b"data: ")[2])["type"] for step in thought.body if isinstance(step, bytes)]
    assert [event["type"] for event in received.seen.events] == sent
    assert received.receipt["time_to_first_token_seconds"] >= 0


def test_what_comes_before_the_commit_is_held_with_its_attempt() -> None:
    early: list[Step] = [*RESPONSES.opening()[:2], 4.0, keepalive(2), 4.0, keepalive(3), UpstreamCut("It broke.")]
    outcome, asked, received = ask_in("responses", [Play(body=early, headers=EVENT_STREAM), GOOD])
    assert (outcome, asked) == (FINISHED, {"main": 1, "second": 1})
    assert b"keepalive" not in received.body


@cells("late", [30.0, 150.0])
def test_an_upstream_that_has_only_begun_may_still_be_left_after_the_commit(late: float) -> None:
    limited = RESPONSES.error({"code": "rate_limit_exceeded", "message": "No."}, "error_only")
    steps: list[Step] = [late, *RESPONSES.opening()[:2], 1.0, *limited]
    outcome, asked, _ = ask_in("responses", [Play(body=steps, headers=EVENT_STREAM), GOOD])
    assert (outcome, asked) == (FINISHED, {"main": 1, "second": 1})


@cells(
    ("then", "code"),
    [
        ((UpstreamCut("It broke."),), "upstream_cut"),
        ((), "upstream_cut"),
        ((FOREVER,), "upstream_silent"),
        (tuple(RESPONSES.error({"code": "server_error", "message": "No."}, "error_only")), "server_error"),
    ],
)
def test_after_a_sign_of_life_has_left_a_failure_is_an_honest_end(then: tuple[Step, ...], code: str) -> None:
    failing = Play(body=[*thinks(60).body[:-3], *then], headers=EVENT_STREAM)
    outcome, asked, received = ask_in("responses", [failing, GOOD])
    assert (outcome, asked) == (Outcome("failed", code), {"main": 1})
    assert received.body.count(b"response.created") == 2  # its event line and its data
    assert received.receipt["attempts"][0]["outcome"] == "alive"
    assert received.receipt["time_to_first_token_seconds"] is None, "a sign of life is no word"


@cells("way", WHOLE)
def test_an_answer_in_one_piece_may_think_as_long_and_blanks_keep_its_connection(way: str) -> None:
    outcome, asked, received = ask_in(way, [Says(seconds_to_headers=500), GOOD])
    assert (outcome, asked) == (FINISHED, {"main": 1})
    times = [0.0, *(at for at, _ in received.writes)]
    assert max(later - earlier for earlier, later in pairwise(times)) < PLATFORM_CUTS_AFTER
    assert received.head_at == 200.0
    assert b"".join(block for at, block in received.writes if at < 500).strip() == b""
    assert "content-length" not in received.headers


@cells("way", WHOLE)
def test_until_silence_nears_the_platforms_limit_the_status_is_open(way: str) -> None:
    outcome, _, received = ask_in(way, [refuses(429, {"code": "429"}, seconds_to_headers=199)])
    assert (outcome.status, received.head_at) == (429, 199.0)
    outcome, _, received = ask_in(way, [refuses(429, {"code": "429"}, seconds_to_headers=201)])
    assert (outcome, received.body, received.receipt["ended"]) == (Outcome("cut"), b" ", "rate_limit_exceeded")


def test_a_body_in_the_middle_gets_no_blanks() -> None:
    _, _, received = ask_in("openai whole", [Says(then=lambda _: [300.0, UpstreamCut("It broke.")])], **CALM)
    assert [at for at, _ in received.writes] == [0.0]


def test_a_signed_body_that_is_held_gets_blanks() -> None:
    whole = RESPONSES.whole(("Hello", " you"))
    slow = Says(then=lambda _: [300.0, whole[len(whole) // 2 :]])
    outcome, _, received = ask_in("responses whole", [slow], **CALM)
    assert (outcome, received.head_at, received.body[:1]) == (FINISHED, 200.0, b" ")


@cells("way", ["chat sse", "chat ndjson", "openai chat", "responses"])
def test_where_nothing_is_streamed_the_formats_own_heartbeat_keeps_the_connection(way: str) -> None:
    async def scene(app: InProcessApp) -> Received:
        return await app.ask(WAYS[way]).end()

    received = play(scene, {"main": Says(seconds_to_headers=300)}, STREAMING_ENABLED="false")
    assert (received.head_at, received.is_completed) == (200.0, True)
    assert received.receipt["ended"] == "finished"


def test_plain_text_ends_before_the_platform_cuts_it() -> None:
    outcome, asked, received = ask_in("chat text", [Says(seconds_to_headers=500), GOOD])
    assert (outcome, asked) == (Outcome("refused", "upstream_timeout", 504), {"main": 1})
    assert received.ended_at == 225.0 < PLATFORM_CUTS_AFTER
