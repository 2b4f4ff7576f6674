"""The fault matrix, in-process: every fault, one to three backends, both APIs, every format, reads cut in three ways.

Each row states what the client receives and how often each backend is asked; `play` checks that nothing stays open.
Rows of every fault and every format over real sockets and processes are in `tests/worker/test_faults.py`.
"""

from collections.abc import Callable, Sequence
from itertools import batched, groupby
from typing import Any

from shared.errors import IdentityUnavailable, UpstreamCut, UpstreamTimeout, UpstreamUnreachable
from tests.harness.app import GOOD, NAMES, InProcessApp, ask_in, play
from tests.harness.caller import Received
from tests.harness.cells import cells
from tests.harness.frames import ERROR, Frames
from tests.harness.upstream import Play, Says, Script, Step, fails, refuses
from tests.worker.ways import COLLECTED, STREAMS, WAYS, Outcome

LIMIT = 65536
FINISHED = Outcome("finished", words="Hello you")
BUFFERED_RELAYS = [name for name, way in WAYS.items() if way.is_buffered and name not in COLLECTED]
FILTERED = {"message": "Filtered.", "code": "content_filter", "param": "prompt", "status": 400}


def run(way: str, scripts: Sequence[Script]) -> tuple[Outcome, dict[str, int], Received]:
    """Ask in this way; return the outcome, how often each backend was asked, and all that the client received."""
    return ask_in(way, scripts, MAX_EVENT_BYTES=str(LIMIT))


# The play, and the status and code that the caller gets when no other backend serves.
BEFORE_CONTENT: dict[str, tuple[Play, int, str]] = {
    "408": (refuses(408), 408, "408"),
    "409": (refuses(409), 409, "409"),
    "429": (refuses(429, {"message": "Slow down.", "code": "rate_limit_exceeded"}), 429, "rate_limit_exceeded"),
    "500": (refuses(500), 500, "500"),
    "502": (refuses(502, {"message": "bad", "code": "bad_gateway"}), 502, "bad_gateway"),
    "503": (refuses(503), 503, "503"),
    "504": (refuses(504), 504, "504"),
    "401": (refuses(401), 502, "upstream_identity_refused"),
    "403": (refuses(403), 502, "upstream_identity_refused"),
    "no connection": (fails(UpstreamUnreachable), 502, "upstream_unreachable"),
    "no connection in time": (fails(UpstreamTimeout), 504, "upstream_timeout"),
}
NO_TOKEN = fails(IdentityUnavailable)
MALFORMED = b'data: {"choices":[{"index":0,"delta":{"content":"cut off\n\n'
type Then = Callable[[Frames], Sequence[Step]]


def cut(_frames: Frames) -> Sequence[Step]:
    return [UpstreamCut("It broke.")]


def clean_end(_frames: Frames) -> Sequence[Step]:
    return []


def malformed(frames: Frames) -> Sequence[Step]:
    return [MALFORMED, *frames.ending()]


def huge(frames: Frames) -> Sequence[Step]:
    return [frames.word("x" * 3 * LIMIT), *frames.ending()]


def error(order: str = "error_only", **changed: Any) -> Then:
    return lambda frames: frames.error({**ERROR, **changed}, order)


# The same, for streams only: the 200 has come, the content has not.
BEFORE_CONTENT_IN_STREAM: dict[str, tuple[Then, int, str]] = {
    "cut": (cut, 502, "upstream_cut"),
    "clean end": (clean_end, 502, "upstream_cut"),
    "malformed": (malformed, 502, "upstream_malformed"),
    "huge frame": (huge, 502, "upstream_frame_too_large"),
    "error event": (error(), 429, "rate_limit_exceeded"),
    "error event and [DONE]": (error("error_and_done"), 429, "rate_limit_exceeded"),
    "error event of a server error": (error(code="server_error", type=None), 502, "server_error"),
    "error event with the code of somebody's sign-in": (error(code="401", type=None), 502, "401"),
}
AFTER_CONTENT: dict[str, tuple[Then, str]] = {
    "cut": (cut, "upstream_cut"),
    "clean end": (clean_end, "upstream_cut"),
    "malformed": (malformed, "upstream_malformed"),
    "huge frame": (huge, "upstream_frame_too_large"),
    "error event": (error(code="server_error"), "server_error"),
    "error event about a limit": (error(), "rate_limit_exceeded"),
}


def together(steps: Sequence[Step]) -> list[Step]:
    """Join what comes without a pause: as many frames per read as possible."""
    joined: list[Step] = []
    for is_data, group in groupby(steps, key=lambda step: isinstance(step, bytes)):
        found = list(group)
        joined += [b"".join(step for step in found if isinstance(step, bytes))] if is_data else found
    return joined


def in_pieces(steps: Sequence[Step]) -> list[Step]:
    """Cut frames in the middle: of characters, of line ends, of fields."""
    pieces: list[Step] = []
    for step in steps:
        size = 7 if isinstance(step, bytes) and len(step) < LIMIT else 4099
        pieces += map(bytes, batched(step, size, strict=False)) if isinstance(step, bytes) else [step]
    return pieces


READS: dict[str, Callable[[Sequence[Step]], list[Step]]] = {
    "a frame per read": list,
    "all in one read": together,
    "in pieces": in_pieces,
}
every_way = cells("way", WAYS)
every_streamed_way = cells("way", [*STREAMS, *COLLECTED])
two_and_three_backends = cells("backends", [2, 3])
however_it_is_read = cells("resize", READS.values(), ids=READS)


@every_way
@cells(("fault", "status", "code"), BEFORE_CONTENT.values(), ids=BEFORE_CONTENT)
def test_a_lone_backends_failure_before_content_is_a_status(way: str, fault: Play, status: int, code: str) -> None:
    outcome, asked, _ = run(way, [fault])
    assert outcome == Outcome("refused", code, status)
    # A lone backend is asked again where the connection failed before anything was said.
    assert asked == {"main": 2 if code == "upstream_unreachable" else 1}


@cells("backends", [1, 2, 3])
@every_way
def test_without_a_token_no_other_backend_of_the_same_scope_is_asked(way: str, backends: int) -> None:
    outcome, asked, _ = run(way, [NO_TOKEN, *[GOOD] * (backends - 1)])
    assert (outcome, asked) == (Outcome("refused", "identity_unavailable", 502), {"main": 1})


@however_it_is_read
@every_streamed_way
@cells(("fault", "status", "code"), BEFORE_CONTENT_IN_STREAM.values(), ids=BEFORE_CONTENT_IN_STREAM)
def test_a_lone_backends_stream_that_breaks_before_content_is_a_status(
    way: str, fault: Then, status: int, code: str, resize: Callable[[Sequence[Step]], list[Step]]
) -> None:
    outcome, asked, _ = run(way, [Says(words=(), then=fault, resize=resize)])
    assert (outcome, asked) == (Outcome("refused", code, status), {"main": 1})


@two_and_three_backends
@every_way
@cells("fault", [row[0] for row in BEFORE_CONTENT.values()], ids=BEFORE_CONTENT)
def test_until_the_first_content_the_answer_moves_on(way: str, fault: Play, backends: int) -> None:
    outcome, asked, received = run(way, [*[fault] * (backends - 1), GOOD])
    assert (outcome, asked) == (FINISHED, dict.fromkeys(NAMES[:backends], 1))
    assert (received.headers["x-backend"], received.headers["x-attempts"]) == (NAMES[backends - 1], str(backends))
    assert [attempt["outcome"] for attempt in received.receipt["attempts"]][-1] == "content"


@two_and_three_backends
@however_it_is_read
@every_streamed_way
@cells("fault", [row[0] for row in BEFORE_CONTENT_IN_STREAM.values()], ids=BEFORE_CONTENT_IN_STREAM)
def test_a_stream_that_breaks_before_content_moves_on_and_leaves_no_trace(
    way: str, fault: Then, backends: int, resize: Callable[[Sequence[Step]], list[Step]]
) -> None:
    broken = Says(words=(), then=fault, resize=resize)
    outcome, asked, received = run(way, [*[broken] * (backends - 1), GOOD])
    assert (outcome, asked) == (FINISHED, dict.fromkeys(NAMES[:backends], 1))
    assert received.body.count(b'"type":"started"') <= 1
    assert received.body.count(b"response.created") <= 2  # its event line and its data


@cells("backends", [1, 2, 3])
@however_it_is_read
@cells("way", STREAMS)
@cells(("fault", "code"), AFTER_CONTENT.values(), ids=AFTER_CONTENT)
def test_after_content_a_failure_is_an_honest_end_and_nobody_else_is_asked(
    way: str, fault: Then, code: str, backends: int, resize: Callable[[Sequence[Step]], list[Step]]
) -> None:
    outcome, asked, received = run(way, [Says(then=fault, resize=resize), *[GOOD] * (backends - 1)])
    assert outcome == WAYS[way].broken(code, "Hello you")
    assert asked == {"main": 1}
    assert (received.receipt["ended"], received.receipt["status"]) == (code, 200)


@however_it_is_read
@cells(("fault", "code"), AFTER_CONTENT.values(), ids=AFTER_CONTENT)
def test_a_buffered_answer_that_breaks_is_a_status(
    fault: Then, code: str, resize: Callable[[Sequence[Step]], list[Step]]
) -> None:
    outcome, asked, received = run("chat json", [Says(then=fault, resize=resize), GOOD])
    assert (outcome.kind, outcome.code, asked) == ("refused", code, {"main": 1})
    assert received.receipt["ended"] == code


@cells("way", BUFFERED_RELAYS)
def test_a_relayed_body_that_breaks_in_the_middle_is_cut_or_where_its_id_is_signed_a_status(way: str) -> None:
    outcome, asked, received = run(way, [Says(then=cut), GOOD])
    failed = Outcome("refused", "upstream_cut", 502) if way == "responses whole" else Outcome("cut")
    assert (outcome, asked) == (failed, {"main": 1})
    assert received.receipt["ended"] == "upstream_cut"


@cells("way", BUFFERED_RELAYS)
def test_a_relayed_body_that_breaks_before_its_first_byte_moves_on(way: str) -> None:
    outcome, asked, _ = run(way, [Play(body=[UpstreamCut("It broke.")]), Play(), GOOD])
    assert (outcome, asked) == (FINISHED, dict.fromkeys(NAMES, 1))


@cells("way", ["openai chat", "completions", "responses"])
def test_what_a_relay_holds_before_content_is_bounded(way: str) -> None:
    comments = [b": " + b"x" * 1000 + b"\n\n"] * (2 * LIMIT // 1000)
    outcome, asked, received = run(way, [Says(words=(), then=lambda frames: [*comments, *frames.ending()]), GOOD])
    assert (outcome, asked) == (FINISHED, {"main": 1, "second": 1})
    assert received.receipt["attempts"][0]["outcome"] == "upstream_frame_too_large"


@cells("backends", [1, 2])
@cells("shape", ["", "flat "])
@cells("order", ["failed_first", "error_first", "error_only", "failed_only"])
def test_a_429_inside_a_200_counts_as_one(order: str, shape: str, backends: int) -> None:
    outcome, asked, _ = run("responses", [Says(words=(), then=error(shape + order)), GOOD][:backends])
    if backends == 2:
        assert (outcome, asked) == (FINISHED, {"main": 1, "second": 1})
    else:
        assert outcome == Outcome("refused", "rate_limit_exceeded", 429)


@every_way
@cells("status", [400, 404, 413, 422])
def test_what_is_the_callers_own_moves_nothing(way: str, status: int) -> None:
    outcome, asked, _ = run(way, [refuses(status), GOOD])
    assert (outcome, asked) == (Outcome("refused", str(status), status), {"main": 1})


@every_way
def test_the_content_filter_moves_nothing(way: str) -> None:
    outcome, asked, _ = run(way, [refuses(400, FILTERED), GOOD])
    assert (outcome, asked) == (Outcome("refused", "content_filter", 400), {"main": 1})


@every_way
def test_when_all_fail_the_most_useful_failure_is_reported_with_the_soonest_retry_after(way: str) -> None:
    limited = refuses(429, headers={"retry-after": "40"})
    sooner = refuses(503, headers={"retry-after-ms": "7000"})
    outcome, asked, received = run(way, [refuses(401), limited, sooner])
    assert (outcome.status, asked) == (429, dict.fromkeys(NAMES, 1))
    assert (received.headers["retry-after"], received.headers["retry-after-ms"]) == ("7", "7000")


@every_way
def test_a_lone_backend_is_asked_once_more_where_its_retry_after_fits(way: str) -> None:
    async def scene(app: InProcessApp) -> tuple[Outcome, list[float]]:
        received = await app.ask(WAYS[way]).end()
        return WAYS[way].outcome(received.seen), [asked.at for asked in app.clients.asked]

    limited = refuses(429, headers={"retry-after-ms": "2000"})
    assert play(scene, {"main": [limited, GOOD]}) == (FINISHED, [0.0, 2.0])


@every_way
def test_a_lone_backends_longer_retry_after_is_the_callers_to_wait(way: str) -> None:
    outcome, asked, received = run(way, [refuses(429, headers={"retry-after": "3"})])
    assert (outcome.status, asked) == (429, {"main": 1})
    assert (received.headers["retry-after"], received.ended_at) == ("3", 0.0)


@every_way
def test_a_backend_that_failed_is_left_alone_while_another_serves(way: str) -> None:
    async def scene(app: InProcessApp) -> dict[str, int]:
        for _ in range(5):
            assert WAYS[way].outcome((await app.ask(WAYS[way]).end()).seen) == FINISHED
        return app.asked

    limited = refuses(429, headers={"retry-after-ms": "60000"})
    assert play(scene, {"main": limited, "second": GOOD}) == {"main": 1, "second": 5}
