"""The fault matrix, continued: faults that take their time, before the commit, after it, and after the first content.

Times are the product's defaults, and exact: the clock is the harness's.
"""

from typing import Any

from shared.errors import UpstreamCut, UpstreamUnreachable
from tests.harness.app import GOOD, InProcessApp, ask_in, play
from tests.harness.caller import Received
from tests.harness.cells import cells
from tests.harness.frames import ERROR
from tests.harness.upstream import FOREVER, Says, Script, fails, refuses
from tests.worker.ways import COLLECTED, STREAMS, WAYS, Outcome

COMMIT, HEARTBEAT, PATIENCE, SILENCE, BLANKS, QUIET = 10.0, 15.0, 600.0, 120.0, 200.0, 225.0
"""In seconds, as they are by default."""
FINISHED = Outcome("finished", words="Hello you")
STALLED = Says(words=(), then=lambda _: [FOREVER])
NO_HEADERS = Says(seconds_to_headers=FOREVER)


def heartbeats(way: str, received: Received) -> list[float]:
    return [at for at, data in received.writes if data == WAYS[way].heartbeat]


@cells("backends", [1, 2])
@cells("way", [*STREAMS, *COLLECTED])
@cells("fault", [NO_HEADERS, STALLED], ids=["no headers", "no content"])
def test_a_backend_that_does_not_begin_in_time_is_left(way: str, fault: Says, backends: int) -> None:
    scripts = [fault, GOOD][:backends]
    outcome, asked, received = ask_in(way, scripts, FIRST_CONTENT_SECONDS="90", COMMIT_SECONDS="100")
    assert received.head_at == 90.0
    if backends == 2:
        assert (outcome, asked) == (FINISHED, {"main": 1, "second": 1})
    else:
        assert (outcome, asked) == (Outcome("refused", "upstream_timeout", 504), {"main": 1})


@cells("way", [name for name, way in WAYS.items() if way.is_buffered and name not in COLLECTED])
@cells("fault", [NO_HEADERS, Says(seconds_to_content=FOREVER)], ids=["no headers", "no content"])
@cells("backends", [1, 2])
def test_an_answer_in_one_piece_has_the_same_patience_and_an_honest_end(way: str, fault: Says, backends: int) -> None:
    outcome, asked, received = ask_in(way, [fault, GOOD][:backends])
    assert received.head_at == BLANKS
    if backends == 2:
        assert (outcome, asked, received.ended_at) == (FINISHED, {"main": 1, "second": 1}, PATIENCE)
    else:  # the status has been sent: only the cut is left
        assert (outcome, asked) == (Outcome("cut"), {"main": 1})
        assert (received.body.strip(), received.receipt["ended"]) == (b"", "upstream_timeout")


@cells("way", [*STREAMS, *COLLECTED])
def test_no_attempt_begins_beyond_the_budget(way: str) -> None:
    settings: dict[str, Any] = {"FIRST_CONTENT_SECONDS": "90", "ATTEMPT_BUDGET_SECONDS": "100", "COMMIT_SECONDS": "200"}
    outcome, asked, _ = ask_in(way, [NO_HEADERS, NO_HEADERS, GOOD], **settings)
    assert (outcome, asked) == (Outcome("refused", "upstream_timeout", 504), {"main": 1, "second": 1})


LATE = 30.0
# While nothing has been said the client has heard heartbeats; then this happens. What it is called when nobody else serves.
AFTER_THE_COMMIT: dict[str, tuple[Script, str]] = {
    "429": (refuses(429, seconds_to_headers=LATE), "rate_limit_exceeded"),
    "403": (refuses(403, seconds_to_headers=LATE), "upstream_identity_refused"),
    "no connection": (fails(UpstreamUnreachable, seconds_to_headers=LATE), "upstream_unreachable"),
    "cut": (Says(words=(), then=lambda _: [LATE, UpstreamCut("It broke.")]), "upstream_cut"),
    "clean end": (Says(words=(), then=lambda _: [LATE]), "upstream_cut"),
    "malformed": (Says(words=(), then=lambda _: [LATE, b"data: {nope\n\n"]), "upstream_malformed"),
    "error event": (
        Says(words=(), then=lambda frames: [LATE, *frames.error(ERROR, "error_only")]),
        "rate_limit_exceeded",
    ),
    "silence": (STALLED, "upstream_timeout"),
    "no headers": (NO_HEADERS, "upstream_timeout"),
}


@cells("backends", [1, 2])
@cells("way", [*STREAMS, *COLLECTED])
@cells(("fault", "code"), AFTER_THE_COMMIT.values(), ids=AFTER_THE_COMMIT)
def test_after_the_commit_and_before_content_the_answer_moves_on_or_ends_honestly(
    way: str, fault: Script, code: str, backends: int
) -> None:
    # Plain text can neither wait beyond the platform's limit nor send anything harmless before.
    outcome, asked, received = ask_in(way, [fault, GOOD][:backends], FIRST_CONTENT_SECONDS="90")
    assert asked["main"] == 1
    if WAYS[way].heartbeat:
        assert received.head_at == COMMIT
        assert heartbeats(way, received)[:2] == [COMMIT, COMMIT + HEARTBEAT]
    if backends == 2:
        assert (outcome, asked["second"]) == (FINISHED, 1)
    elif WAYS[way].heartbeat:
        assert outcome == WAYS[way].broken(code)
        assert (received.receipt["ended"], received.receipt["status"]) == (code, 200)
    else:  # without a heartbeat there is nothing to commit for
        assert (outcome.kind, outcome.code) == ("refused", code)


@cells("way", STREAMS)
def test_silence_after_content_ends_honestly(way: str) -> None:
    outcome, asked, received = ask_in(way, [Says(then=lambda _: [FOREVER]), GOOD])
    assert (outcome, asked) == (WAYS[way].broken("upstream_silent", "Hello you"), {"main": 1})
    # The clock looks again at most a heartbeat later.
    assert SILENCE <= received.ended_at <= SILENCE + HEARTBEAT
    assert received.receipt["ended"] == "upstream_silent"


def test_loading_the_clients_is_no_slowness_of_a_backends() -> None:
    async def scene(app: InProcessApp) -> tuple[Received, dict[str, int]]:
        app.clients.load_seconds = 605.0
        return await app.begin().end(), app.asked

    received, asked = play(scene, {"main": NO_HEADERS, "second": GOOD})
    # The first attempt may begin however late it is; the second is beyond the budget by then.
    assert asked == {"main": 1}
    assert received.receipt["ended"] == "upstream_timeout"
