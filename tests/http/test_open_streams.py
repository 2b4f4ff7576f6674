"""How many answers may be open in a process, and how they end when the process does."""

import asyncio

from shared.http.open_streams import OpenStreams
from tests.harness.app import GOOD, InProcessApp, play
from tests.harness.caller import Caller, Received
from tests.harness.cells import cells
from tests.harness.upstream import FOREVER, Says
from tests.harness.virtual_time import run
from tests.worker.ways import STREAMS, WAYS, Outcome

SLOW = Says(words=["Hello", *[" you"] * 9], seconds_between=1.0)
ENDLESS = Says(then=lambda _: [FOREVER])


def test_a_cap_on_open_streams_is_a_503_with_retry_after_until_a_place_is_free() -> None:
    async def scene(app: InProcessApp) -> list[Received]:
        held = [app.begin() for _ in range(2)]
        await asyncio.sleep(1)
        refused = await app.begin().end()
        held[0].leave()
        await held[0].end()
        taken = await app.begin(caller=Caller(leaves_at=1)).end()
        held[1].leave()
        return [refused, taken, await held[1].end()]

    refused, taken, left = play(scene, {"main": ENDLESS}, MAX_OPEN_STREAMS="2")
    assert (refused.status, refused.json["error"]["code"]) == (503, "too_many_streams")
    assert refused.headers["retry-after"] == "1"
    assert (taken.status, left.status) == (200, 200)


def test_without_a_cap_every_stream_has_a_place() -> None:
    async def scene(app: InProcessApp) -> tuple[int, set[int]]:
        exchanges = [app.begin(caller=Caller(leaves_at=2)) for _ in range(500)]
        await asyncio.sleep(1)
        count = len(app.open_streams)
        return count, {(await exchange.end()).status for exchange in exchanges}

    assert play(scene, {"main": ENDLESS}) == (500, {200})


@cells("way", WAYS)
def test_a_stopping_process_lets_streams_finish(way: str) -> None:
    async def scene(app: InProcessApp) -> tuple[Outcome, float]:
        exchange = app.ask(WAYS[way])
        await asyncio.sleep(1)
        await app.open_streams.drain(25)
        return WAYS[way].outcome((await exchange.end()).seen), asyncio.get_running_loop().time()

    outcome, ended_at = play(scene, {"main": SLOW})
    assert outcome.kind == "finished"
    assert ended_at < 12, "it waits for the streams, not for the deadline"


@cells("way", STREAMS)
def test_a_stopping_process_ends_the_rest_honestly(way: str) -> None:
    async def scene(app: InProcessApp) -> Received:
        exchange = app.ask(WAYS[way])
        await asyncio.sleep(1)
        await app.open_streams.drain(5)
        return await exchange.end()

    received = play(scene, {"main": ENDLESS})
    assert WAYS[way].outcome(received.seen) == WAYS[way].broken("server_stopping", "Hello you")
    assert received.receipt["ended"] == "server_stopping"
    assert 6 <= received.ended_at < 7


@cells("way", WAYS)
def test_an_answer_that_has_not_begun_when_the_process_stops_is_a_503(way: str) -> None:
    async def scene(app: InProcessApp) -> Received:
        exchange = app.ask(WAYS[way])
        await asyncio.sleep(1)
        await app.open_streams.drain(5)
        return await exchange.end()

    received = play(scene, {"main": Says(seconds_to_headers=FOREVER)}, COMMIT_SECONDS="100")
    assert WAYS[way].outcome(received.seen) == Outcome("refused", "server_stopping", 503)


def test_after_the_drain_a_new_request_is_refused_with_retry_after() -> None:
    async def scene(app: InProcessApp) -> tuple[Received, dict[str, int]]:
        await app.open_streams.drain(25)
        assert asyncio.get_running_loop().time() == 0, "nothing is open: nothing to wait for"
        return await app.begin().end(), app.asked

    received, asked = play(scene, {"main": GOOD})
    assert (received.status, received.json["error"]["code"], asked) == (503, "server_stopping", {})
    assert received.headers["retry-after"] == "1"


def test_a_process_that_stops_after_the_last_frame_adds_no_error_to_a_finished_answer() -> None:
    async def scene(app: InProcessApp) -> Received:
        exchange = app.ask(WAYS["openai chat"])
        await asyncio.sleep(0.1)
        await app.open_streams.drain(0)
        return await exchange.end()

    late = Says(then=lambda frames: [*frames.ending(), 5.0, b": late\n\n"])
    received = play(scene, {"main": late})
    assert received.body.endswith(b"data: [DONE]\n\n")
    assert received.is_completed


def test_an_empty_process_drains_at_once() -> None:
    async def drain() -> float:
        await OpenStreams().drain(25)
        return asyncio.get_running_loop().time()

    assert run(drain()) == 0


@cells("way", WAYS)
def test_a_request_whose_body_still_comes_does_not_outlive_the_drain(way: str) -> None:
    async def scene(app: InProcessApp) -> tuple[Received, dict[str, int]]:
        exchange = app.ask(WAYS[way], Caller(pauses_body=[FOREVER]))
        await asyncio.sleep(1)
        await app.open_streams.drain(5)
        return await exchange.end(), app.asked

    received, asked = play(scene)
    assert (WAYS[way].outcome(received.seen), asked) == (Outcome("refused", "server_stopping", 503), {})
