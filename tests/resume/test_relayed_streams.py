"""The OpenAI API: a background stream whose upstream breaks goes on, and its client sees nothing of it."""

import json
import re
from typing import Any

from shared.errors import UpstreamCut, UpstreamUnreachable
from shared.resume.body import MAX_REOPENINGS
from shared.resume.whole import MISSING_SECONDS
from tests.harness.app import InProcessApp, play
from tests.harness.background import RAW_ID, WORDS, Background, Break
from tests.harness.caller import Caller, Received
from tests.harness.cells import cells
from tests.harness.upstream import JSON, Play, Script, fails, refuses
from tests.signed_ids import SIGNED

BODY = {"model": "gpt", "input": "hi", "stream": True, "background": True}
UNBROKEN = b"".join(Background().events())


def ask(
    backend: Background, *, caller: Caller | None = None, body: dict[str, Any] | None = None, **settings: str
) -> Received:
    async def scene(app: InProcessApp) -> Received:
        return await app.begin("/v1/responses", body or BODY, caller=caller or Caller()).end()

    return play(scene, {"main": backend}, **settings)


def unsigned(received: Received) -> bytes:
    return SIGNED.sub(RAW_ID.encode(), received.body)


def events(received: Received) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in received.body.split(b"\n") if line.startswith(b"data: ")]


def text(received: Received) -> str:
    return "".join(event["delta"] for event in events(received) if event["type"] == "response.output_text.delta")


def same(left: bytes, right: bytes) -> bool:
    """Whether the events are the same; a signed frame is written anew, without blanks."""
    return [json.loads(line[6:]) for line in left.split(b"\n") if line.startswith(b"data: ")] == [
        json.loads(line[6:]) for line in right.split(b"\n") if line.startswith(b"data: ")
    ]


@cells("how", ["reset", "eof", "stall", "half"])
@cells("after", [1, 7, 13])
def test_a_break_is_invisible(how: Any, after: int) -> None:
    backend = Background(breaks=[(after, how)])
    received = ask(backend)
    assert received.is_completed
    assert same(unsigned(received), UNBROKEN)
    assert backend.streams == [-1, after - 1]
    assert (received.receipt["ended"], received.receipt["resume"]) == ("finished", {"reopened": 1})
    assert received.receipt["tokens"]["output"] == 6


def test_three_breaks_are_invisible_and_the_fourth_is_told() -> None:
    three: list[Break] = [(6, "reset"), (2, "eof"), (1, "stall")]
    assert same(unsigned(ask(Background(breaks=three))), UNBROKEN)
    backend = Background(breaks=[*three, (1, "reset")])
    received = ask(backend)
    assert len(backend.streams) == 1 + MAX_REOPENINGS
    assert (received.is_completed, received.receipt["ended"]) == (False, "upstream_cut")
    assert events(received)[-1]["error"]["code"] == "upstream_cut"
    assert text(received) == "".join(WORDS[:5])


def test_an_upstream_that_repeats_what_it_said_is_not_passed_on_twice() -> None:
    backend = Background()
    first = Play(body=[*backend.events()[:8], b"data: {"])

    async def scene(app: InProcessApp) -> Received:
        return await app.begin("/v1/responses", BODY).end()

    received = play(scene, {"main": [first, Play(body=backend.events())]})
    assert same(unsigned(received), UNBROKEN)


def test_the_client_hears_heartbeats_while_the_upstream_is_taken_up() -> None:
    received = ask(Background(breaks=[(7, "reset")], seconds_to_headers=20), HEARTBEAT_SECONDS="5")
    assert received.body.count(b": heartbeat") >= 2
    assert text(received) == "".join(WORDS)


@cells("refusal", [400, 404, 409, 410])
@cells("after", [1, 4, 7, 11, 12, 13])
def test_what_is_missing_is_read_from_the_whole_once_the_window_is_closed(refusal: int, after: int) -> None:
    backend = Background(
        breaks=[(after, "reset")], window=1, refusal=refusal, statuses=[404, "queued", "in_progress", "completed"]
    )
    received = ask(backend)
    assert received.is_completed
    assert text(received) == "".join(WORDS)
    found = events(received)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    kinds = [event["type"] for event in found if event["type"] != "response.output_text.delta"]
    expected = [
        event["type"] for event in map(decoded, Background().events()) if not event["type"].endswith("text.delta")
    ]
    begun = [kind for kind in expected if kind not in ("response.queued", "response.in_progress")]
    assert [kind for kind in kinds if kind in begun] == begun
    assert received.receipt["resume"] == {"reopened": 1, "rebuilt": True}
    assert len(backend.reads) == 4


def decoded(frame: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(frame.split(b"data: ")[1])
    return found


def test_a_response_that_stays_missing_is_believed_after_the_time_that_a_new_one_is() -> None:
    backend = Background(breaks=[(7, "reset")], window=1, refusal=404, statuses=[404])
    received = ask(backend)
    assert (received.is_completed, received.receipt["ended"]) == (False, "upstream_cut")
    assert MISSING_SECONDS <= received.ended_at <= MISSING_SECONDS + 10
    assert text(received) == "".join(WORDS[:2])


@cells(("status", "code"), [("cancelled", "upstream_error"), ("failed", None)])
def test_a_response_that_ended_otherwise_says_so(status: str, code: str | None) -> None:
    backend = Background(breaks=[(7, "eof"), (0, "eof")], statuses=[status])
    received = ask(backend)
    assert not received.is_completed or events(received)[-1]["type"] in ("response.failed", "error")
    assert received.receipt["ended"] != "finished"
    assert "response.completed" not in received.body.decode()


def test_a_stream_that_is_not_of_a_background_response_ends_as_before() -> None:
    for change in ({"background": False}, {"store": False}):
        backend = Background(breaks=[(7, "reset")])
        received = ask(backend, body=BODY | change)
        assert backend.streams == [-1]
        assert (received.is_completed, received.receipt["ended"]) == (False, "upstream_cut")
        assert "resume" not in received.receipt


def test_a_client_that_leaves_while_the_upstream_is_taken_up_leaves_nothing_behind() -> None:
    backend = Background(breaks=[(7, "reset")], window=1, statuses=["in_progress"])
    received = ask(backend, caller=Caller(leaves_at=5))
    assert received.receipt["ended"] == "client_left"


def test_a_stored_stream_goes_on_too() -> None:
    backend = Background(breaks=[(2, "reset"), (3, "reset")])

    async def scene(app: InProcessApp) -> Received:
        first = app.begin("/v1/responses", BODY, caller=Caller(leaves_after=b"response.created"))
        received = await first.end()
        found = SIGNED.search(received.body)
        assert found is not None
        return await app.begin(
            f"/v1/responses/{found[0].decode()}?stream=true&starting_after=5", b"", method="GET"
        ).end()

    received = play(scene, {"main": backend})
    assert backend.streams == [-1, 5, 8]
    assert [event["sequence_number"] for event in events(received)] == list(range(6, 15))


async def stored(app: InProcessApp, query: str) -> Received:
    """Begin a response, leave it, and ask for its stream again."""
    received = await app.begin("/v1/responses", BODY, caller=Caller(leaves_after=b"response.created")).end()
    found = SIGNED.search(received.body)
    assert found is not None
    return await app.begin(f"/v1/responses/{found[0].decode()}?stream=true{query}", b"", method="GET").end()


def test_a_stored_stream_that_is_too_old_is_written_from_the_whole_where_it_is_asked_for_from_its_beginning() -> None:
    received = play(lambda app: stored(app, ""), {"main": Background(window=1)})
    assert text(received) == "".join(WORDS)
    assert events(received)[-1]["type"] == "response.completed"
    numbered = play(lambda app: stored(app, "&starting_after=3"), {"main": Background(window=1)})
    assert (numbered.status, numbered.json["error"]["message"]) == (400, "Status 400.")
    foreground = play(lambda app: stored(app, ""), {"main": Background(window=1, background=False)})
    assert (foreground.status, foreground.json["error"]["message"]) == (400, "Status 400.")


def test_a_stored_stream_that_is_missing_for_a_while_is_asked_for_again() -> None:
    backend = Background(missing=4)
    received = play(lambda app: stored(app, "&starting_after=3"), {"main": backend})
    assert (received.status, backend.streams) == (200, [-1, 3, 3, 3, 3, 3])
    assert [event["sequence_number"] for event in events(received)] == list(range(4, 15))
    gone = play(lambda app: stored(app, "&starting_after=3"), {"main": Background(missing=100)})
    assert MISSING_SECONDS <= gone.ended_at <= MISSING_SECONDS + 5
    assert "response_not_found" in gone.body.decode()


def ask_of(*scripts: Script) -> Received:
    async def scene(app: InProcessApp) -> Received:
        return await app.begin("/v1/responses", BODY).end()

    return play(scene, {"main": list(scripts)})


def test_a_service_that_is_busy_when_it_is_asked_again_is_asked_three_times() -> None:
    backend = Background(breaks=[(7, "reset")])
    busy, lost = refuses(503), fails(UpstreamUnreachable)
    received = ask_of(backend, busy, lost, backend)
    assert text(received) == "".join(WORDS)
    assert received.receipt["resume"] == {"reopened": 3}
    backend = Background(breaks=[(7, "reset")])
    received = ask_of(backend, busy, lost, busy, backend)
    assert (received.is_completed, received.receipt["ended"], len(backend.streams)) == (False, "upstream_cut", 1)


def test_a_service_that_is_busy_when_the_whole_is_asked_for_is_asked_again_for_a_while() -> None:
    backend = Background(breaks=[(7, "reset")], window=1, statuses=[500, 503, "completed"])
    assert text(ask(backend)) == "".join(WORDS)
    backend = Background(breaks=[(7, "reset")], window=1, statuses=[500])
    received = ask(backend)
    assert (received.receipt["ended"], text(received)) == ("upstream_cut", "".join(WORDS[:2]))


@cells("whole", [b"[]", b"{", b'{"status": "completed", "output": [5]}', b'{"output": []}'])
def test_a_whole_that_is_none_ends_in_what_broke_the_stream(whole: bytes) -> None:
    backend = Background(breaks=[(7, "reset")], window=1)
    received = ask_of(backend, refuses(400), Play(body=[whole], headers=JSON))
    assert (received.is_completed, received.receipt["ended"]) == (False, "upstream_cut")


def test_what_a_client_had_before_it_came_back_is_not_guessed() -> None:
    """Its number says nothing of the text that it has."""
    backend = Background(breaks=[(2, "reset"), (3, "reset")], window=2)
    received = play(lambda app: stored(app, "&starting_after=5"), {"main": backend})
    assert (received.is_completed, received.receipt["ended"]) == (False, "upstream_cut")
    assert [event["sequence_number"] for event in events(received)[:-1]] == [6, 7, 8]


def test_events_without_numbers_or_an_id_cannot_be_taken_up_and_pass_as_they_came() -> None:
    numbered = Background(breaks=[(7, "reset")])
    nameless = [frame.replace(b'"id":"resp_0a1b2c",', b'"id":"../x",') for frame in numbered.events()[:7]]
    unnumbered = [re.sub(rb'"sequence_number":\d+,', b"", frame) for frame in numbered.events()[:7]]
    odd = [*numbered.events()[:5], b"data: {]\n\n"]
    for frames in (nameless, unnumbered, odd):
        received = ask_of(Play(body=[*frames, UpstreamCut("It broke.")]), numbered)
        assert not received.is_completed
        assert received.receipt["ended"] in ("upstream_cut", "upstream_malformed")
        assert numbered.streams == []


def test_the_continuation_is_asked_for_as_the_beginning_was() -> None:
    body = {**BODY, "include": ["reasoning.encrypted_content"], "stream_options": {"include_obfuscation": False}}
    backend = Background(breaks=[(7, "reset"), (2, "reset")], window=2)

    async def scene(app: InProcessApp) -> list[list[tuple[str, str]]]:
        await app.begin("/v1/responses?api-version=preview&code=x", body).end()
        return [list(asked.call.query) for asked in app.clients.asked]

    version, numbers = ("api-version", "preview"), [("stream", "true"), ("starting_after", "6")]
    kept = [("include[]", "reasoning.encrypted_content"), ("include_obfuscation", "false")]
    first, second, third, whole = play(scene, {"main": backend})
    assert first == [version]
    assert second == [version, *kept, *numbers]
    assert third[:3] == second[:3]
    assert whole == [version]
