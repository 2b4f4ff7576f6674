"""The response of an answer: commit, honest end, and the client that leaves, in every phase."""

import asyncio

import pytest

from shared.errors import UpstreamCut
from tests.harness.app import GOOD, InProcessApp, ask_in, play
from tests.harness.caller import Caller, Received
from tests.harness.cells import cells
from tests.harness.frames import Frames
from tests.harness.upstream import FOREVER, Play, Says, Script, Step, fails
from tests.worker.ways import COLLECTED, STREAMS, WAYS, Outcome

FINISHED = Outcome("finished", words="Hello you")
STREAMED_UPSTREAM = [*STREAMS, *COLLECTED]
BUFFERED = [name for name, way in WAYS.items() if way.is_buffered]
LAST_WORDS_SECONDS = 5.0
SECRET = "secret of an exception"


def test_a_stream_says_that_it_must_not_be_buffered_or_cached() -> None:
    _, _, received = ask_in("chat sse", [GOOD])
    assert received.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert received.headers["cache-control"] == "no-cache, no-transform"
    assert received.headers["x-accel-buffering"] == "no"
    assert received.headers["x-request-id"] == received.receipt["id"]


@cells("way", WAYS)
def test_every_read_of_content_leaves_at_once(way: str) -> None:
    _, _, received = ask_in(way, [Says(words=["a", "b", "c"], seconds_to_content=1, seconds_between=2)])
    times = [at for at, _ in received.writes]
    assert times[:3] == ([1, 3, 5] if way in STREAMS else times[:3])
    assert received.receipt["ended"] == "finished"


def test_the_request_may_come_in_pieces() -> None:
    outcome, asked, received = ask_in("chat sse", [GOOD], caller=Caller(pauses_body=[1, 1, 1]))
    assert (outcome, asked, received.head_at) == (FINISHED, {"main": 1}, 3.0)


@cells("way", WAYS)
def test_a_body_beyond_the_limit_is_a_413_and_asks_nobody(way: str) -> None:
    async def scene(app: InProcessApp) -> tuple[Received, dict[str, int]]:
        one = WAYS[way]
        return await app.begin(one.path, one.body("gpt", "x" * 2000), headers={"accept": one.accept}).end(), app.asked

    received, asked = play(scene, MAX_REQUEST_BYTES="2000")
    assert (received.status, received.json["error"]["code"], asked) == (413, "request_too_large", {})
    assert received.receipt["ended"] == "request_too_large"


# Who leaves.


def leaving(way: str, script: Script, caller: Caller) -> tuple[Received, InProcessApp]:
    """Ask, leave, and return what was received; `play` has checked that every upstream was closed."""

    async def scene(app: InProcessApp) -> tuple[Received, InProcessApp]:
        return await app.ask(WAYS[way], caller).end(), app

    return play(scene, {"main": script, "second": GOOD})


def stall(frames: Frames) -> list[Step]:
    return [FOREVER]


@cells("way", WAYS)
def test_who_leaves_while_sending_its_request_asks_nobody(way: str) -> None:
    received, app = leaving(way, GOOD, Caller(pauses_body=[1], leaves_in_body=True))
    assert (app.asked, received.status, received.receipt["ended"]) == ({}, 0, "client_left")


@cells("way", WAYS)
def test_who_leaves_before_the_headers_ends_the_call(way: str) -> None:
    received, app = leaving(way, Says(seconds_to_headers=FOREVER), Caller(leaves_at=3))
    assert (received.ended_at, received.status, app.asked) == (3.0, 0, {"main": 1})
    assert received.receipt["attempts"][0]["outcome"] == "abandoned"
    assert received.receipt["ended"] == "client_left"


@cells("way", STREAMED_UPSTREAM)
@cells("leaves_at", [3, 30], ids=["before the commit", "after it"])
def test_who_leaves_before_content_closes_the_upstream_at_once(way: str, leaves_at: float) -> None:
    received, app = leaving(way, Says(words=(), then=stall), Caller(leaves_at=leaves_at))
    assert [body.closed_at for body in app.clients.bodies] == [leaves_at]
    assert (received.receipt["ended"], received.is_completed) == ("client_left", False)


@cells("way", WAYS)
def test_who_leaves_between_two_pieces_closes_the_upstream_at_once(way: str) -> None:
    received, app = leaving(way, Says(then=stall), Caller(leaves_at=3))
    assert [body.closed_at for body in app.clients.bodies] == [3.0]
    assert (received.receipt["ended"], received.is_completed, app.asked) == ("client_left", False, {"main": 1})


@cells("way", STREAMS)
def test_who_leaves_while_reading_slowly_closes_the_upstream_at_once(way: str) -> None:
    words = Says(words=["x" * 1000] * 100)
    received, app = leaving(way, words, Caller(reads_writes=2, leaves_at=40))
    (body,) = app.clients.bodies
    assert (body.closed_at, received.receipt["ended"]) == (40.0, "client_left")
    assert body.reads < 10, "a slow reader slows the upstream"


@cells(
    ("way", "last"),
    [("openai chat", b"[DONE]\n\n"), ("chat sse", b"finish_reason"), ("responses", b"completed"), ("chat json", b"}")],
)
def test_who_leaves_after_the_last_frame_has_a_finished_answer(way: str, last: bytes) -> None:
    # Many clients close at [DONE]; the upstream's own end may come a little later.
    late = Says(then=lambda frames: [*frames.ending(), 0.2, b": late\n\n"])
    received, _ = leaving(way, late, Caller(leaves_after=last))
    assert received.receipt["ended"] == "finished"


def test_a_background_response_is_the_callers_as_soon_as_it_has_an_id() -> None:
    async def scene(app: InProcessApp) -> Received:
        body = {"model": "gpt", "input": "hi", "stream": True, "background": True}
        return await app.begin("/v1/responses", body, caller=Caller(leaves_after=b"resp_")).end()

    received = play(scene, {"main": Says(seconds_to_content=FOREVER)})
    assert (received.ended_at, received.receipt["ended"]) == (0.0, "client_left")


# What goes wrong on this side.


@pytest.mark.parametrize("way", WAYS)
def test_a_bug_before_content_is_a_500_with_the_id_under_which_the_log_has_the_cause(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    outcome, asked, received = ask_in(way, [fails(lambda _: RuntimeError(SECRET)), GOOD])
    assert (outcome, asked) == (Outcome("refused", "internal_error", 500), {"main": 1})
    assert SECRET.encode() not in received.body
    assert received.headers["x-request-id"] in received.json["error"]["message"]
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert received.headers["x-request-id"] in record.getMessage()
    assert record.exc_info is not None
    assert SECRET in str(record.exc_info[1])


@cells("way", STREAMS)
def test_a_bug_after_content_is_an_honest_end(way: str) -> None:
    outcome, _, received = ask_in(way, [Says(then=lambda _: [RuntimeError(SECRET)])])
    assert outcome == WAYS[way].broken("internal_error", "Hello you")
    assert SECRET.encode() not in received.body
    assert received.receipt["ended"] == "internal_error"


@cells("way", WAYS)
def test_a_send_that_fails_ends_the_answer_and_leaves_nothing_open(way: str) -> None:
    async def scene(app: InProcessApp) -> Received:
        exchange = app.ask(WAYS[way], Caller(fails_to_read=OSError("gone")))
        try:
            return await exchange.end()
        except OSError:
            return exchange.received

    received = play(scene)
    assert not received.is_completed
    assert len(received.receipts) == 1


@cells("way", WAYS)
@cells("script", [Says(seconds_to_headers=FOREVER), Says(then=stall)], ids=["waiting", "speaking"])
def test_a_call_that_the_server_gives_up_leaves_nothing_open(way: str, script: Says) -> None:
    async def scene(app: InProcessApp) -> None:
        exchange = app.ask(WAYS[way])
        await asyncio.sleep(1)
        exchange.cancel()
        with pytest.raises(asyncio.CancelledError):
            await exchange.end()

    play(scene, {"main": script})


@cells("way", [name for name in STREAMS if name != "chat text"])
def test_an_error_ending_that_the_client_does_not_read_is_given_up(way: str) -> None:
    broken = Says(then=lambda _: [1.0, UpstreamCut("It broke.")])
    _, _, received = ask_in(way, [broken], caller=Caller(reads_writes=2))
    assert received.ended_at == 1.0 + LAST_WORDS_SECONDS
    assert not received.is_completed
    assert received.receipt["ended"] == "upstream_cut"


@cells("way", BUFFERED)
def test_a_buffered_answer_has_its_length_or_a_clean_end(way: str) -> None:
    outcome, _, received = ask_in(way, [GOOD])
    assert (outcome, received.is_completed) == (FINISHED, True)


def test_an_empty_answer_in_one_piece_is_no_answer() -> None:
    outcome, _, _ = ask_in("openai whole", [Play()])
    assert outcome == Outcome("refused", "upstream_cut", 502)
