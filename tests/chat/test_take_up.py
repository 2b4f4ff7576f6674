"""An answer of the chat API goes on where its connection broke: in every format, to the byte, for its caller alone."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.caller_keys import make_caller_key
from tests.harness.app import InProcessApp, play
from tests.harness.background import WORDS, Background
from tests.harness.caller import Caller, Received
from tests.harness.cells import cells
from tests.harness.upstream import refuses

ON = {"RESUME": "on", "AZURE_OPENAI_API": "responses"}
TEXT = "".join(WORDS)
NATIVE: dict[str, Any] = {"input": "hi", "resume": True}
PROTOCOL: dict[str, Any] = {
    "messages": [{"role": "user", "content": "hi"}],
    "context": {"a": 1},
    **NATIVE,
    "stream": True,
}
del PROTOCOL["input"]
UI: dict[str, Any] = {
    "messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}],
    "resume": True,
}
STREAMS: dict[str, tuple[str, Any]] = {
    "sse": ("/chat", NATIVE),
    "ndjson": ("/chat?format=ndjson", NATIVE),
    "jsonl": ("/chat?format=jsonl", NATIVE),
    "text": ("/chat?format=text", NATIVE),
    "chat-protocol": ("/chat?format=chat-protocol", PROTOCOL),
    "ui-message": ("/chat?format=ui-message", UI),
}


def answer_id(received: Received) -> str:
    return received.headers["x-answer-id"]


async def ask(app: InProcessApp, name: str = "sse", caller: Caller | None = None, **more: Any) -> Received:
    path, body = STREAMS[name]
    return await app.begin(path, body | more, caller=caller or Caller()).end()


async def take_up(
    app: InProcessApp, found: str, name: str = "sse", after: int | None = None, headers: Mapping[str, str] | None = None
) -> Received:
    query = f"?format={name}" + ("" if after is None else f"&after={after}")
    path = f"/chat/{found}/stream" if name == "ui-message" else f"/chat/answers/{found}{query}"
    return await app.begin(path, b"", method="GET", headers=headers).end()


def positions(name: str, body: bytes) -> list[tuple[int, bytes]]:
    """Return each position that a reader may have, with what it has had by then."""
    if name == "text":
        return [(size, body[:size]) for size in range(len(body) + 1)]
    if name == "chat-protocol":
        lines = body.splitlines(keepends=True)
        return [(count, b"".join(lines[:count])) for count in range(len(lines) + 1)]
    end = b"\n\n" if name == "sse" else b"\n"
    had, found = b"", [(0, b"")]
    for frame in body.split(end)[:-1]:
        had += frame + end
        number = frame.split(b"\n")[0].removeprefix(b"id: ") if name == "sse" else json.loads(frame)["seq"]
        found.append((int(number), had))
    return found


@cells("name", [name for name in STREAMS if name != "ui-message"])
def test_from_every_position_the_rest_is_equal_byte_for_byte(name: str) -> None:
    async def scene(app: InProcessApp) -> None:
        whole = await ask(app, name)
        assert whole.is_completed
        found = positions(name, whole.body)
        assert len(found) > len(WORDS)
        for after, had in found:
            rest = await take_up(app, answer_id(whole), name, after)
            if name == "chat-protocol" and not had:
                continue  # the request's own fields are not kept
            assert had + rest.body == whole.body
            assert rest.status == (200 if rest.body else 204)
            assert rest.is_completed

    play(scene, {"main": Background()}, **ON)


def test_usechat_gets_the_whole_message_again_under_the_same_id() -> None:
    async def scene(app: InProcessApp) -> None:
        first = await ask(app, "ui-message", Caller(leaves_after=b"brown"))
        start = json.loads(first.body.split(b"\n\n")[0].removeprefix(b"data: "))
        again = await take_up(app, start["messageMetadata"]["resume"], "ui-message")
        assert again.body.startswith(first.body)
        assert again.body.endswith(b"data: [DONE]\n\n")
        assert again.headers["x-vercel-ai-ui-message-stream"] == "v1"
        nothing = await take_up(app, "the-id-of-a-chat", "ui-message")
        assert (nothing.status, nothing.body) == (204, b"")

    play(scene, {"main": Background()}, **ON)


def test_the_id_comes_first_in_every_format() -> None:
    async def scene(app: InProcessApp) -> None:
        for name in STREAMS:
            received = await ask(app, name)
            found = answer_id(received)
            if name == "text":
                continue  # the header has it
            first = next(line for line in received.body.split(b"\n") if b"{" in line)
            told = json.loads(first.removeprefix(b"data: "))
            places = {"chat-protocol": "context", "ui-message": "messageMetadata"}
            assert (told[places[name]] if name in places else told)["resume"] == found
            if name == "chat-protocol":
                assert told["context"]["a"] == 1

    play(scene, {"main": Background()}, **ON)


def test_the_whole_answer_is_had_as_json_at_the_same_address() -> None:
    async def scene(app: InProcessApp) -> Received:
        first = await ask(app, caller=Caller(leaves_after=b"quick"))
        path = f"/chat/answers/{answer_id(first)}"
        return await app.begin(path, b"", method="GET", headers={"accept": "application/json"}).end()

    received = play(scene, {"main": Background(seconds_between=1)}, **ON)
    assert (received.status, received.json["text"], received.json["finish_reason"]) == (200, TEXT, "stop")


def test_the_service_is_asked_for_a_background_response_only_where_the_request_says_so() -> None:
    async def scene(app: InProcessApp) -> None:
        await ask(app)
        await app.begin("/chat", {"input": "hi"}).end()
        asked, plain = (one.json for one in app.clients.asked)
        assert (asked["background"], asked["store"], asked["stream"]) == (True, True, True)
        assert (plain.get("background"), plain["store"]) == (None, False)

    play(scene, {"main": Background()}, **ON)


def test_an_answer_without_resume_stays_as_it_was() -> None:
    async def scene(app: InProcessApp) -> Received:
        return await app.begin("/chat", {"input": "hi"}).end()

    received = play(scene, {"main": Background()}, **ON)
    assert b"id: " not in received.body
    assert b"resume" not in received.body
    assert "x-answer-id" not in received.headers
    assert "resume" not in received.receipt


@cells(
    ("settings", "body", "reason"),
    [
        ({"AZURE_OPENAI_API": "responses"}, NATIVE, "RESUME is off"),
        (
            {**ON, "RETRIEVAL": "on", "SEARCH_ENDPOINT": "https://s.search.windows.net", "SEARCH_INDEX": "i"},
            NATIVE,
            "retrieval",
        ),
        (ON, {"input": "hi", "resume": "yes"}, "resume"),
    ],
)
def test_what_cannot_be_resumed_is_a_400_that_says_why(settings: dict[str, str], body: Any, reason: str) -> None:
    async def scene(app: InProcessApp) -> Received:
        return await app.begin("/chat", body).end()

    received = play(scene, {"main": Background()}, **settings)
    assert (received.status, received.json["error"]["param"]) == (400, "resume")
    assert reason in received.json["error"]["message"]


@cells("value", ["-1", "2147483649", "99999999999999999999", "1.5", "x", "%31x", "1e3"])
def test_a_position_that_is_none_is_a_400(value: str) -> None:
    async def scene(app: InProcessApp) -> None:
        found = answer_id(await ask(app))
        by_query = await app.begin(f"/chat/answers/{found}?after={value}", b"", method="GET").end()
        by_header = await app.begin(
            f"/chat/answers/{found}?after=1", b"", method="GET", headers={"last-event-id": value}
        ).end()
        assert (by_query.status, by_query.json["error"]["param"]) == (400, "after")
        assert (by_header.status, by_header.json["error"]["param"]) == (400, "Last-Event-ID")
        assert len(app.clients.asked) == 1

    play(scene, {"main": Background()}, **ON)


def test_a_browser_renews_its_position_and_the_query_keeps_the_old_one() -> None:
    async def scene(app: InProcessApp) -> None:
        whole = await ask(app)
        after, had = positions("sse", whole.body)[4]
        rest = await take_up(app, answer_id(whole), after=1, headers={"last-event-id": str(after)})
        assert had + rest.body == whole.body

    play(scene, {"main": Background()}, **ON)


def test_a_foreign_caller_gets_404_whatever_it_asks() -> None:
    alice, alices = make_caller_key("alice")
    bob, bobs = make_caller_key("bob")

    async def scene(app: InProcessApp) -> None:
        path, body = STREAMS["sse"]
        found = answer_id(await app.begin(path, body, headers={"api-key": alice}).end())
        asked = len(app.clients.asked)
        for path, method in (("answers/{}", "GET"), ("answers/{}/stop", "POST"), ("{}/stream", "GET")):
            for asked_id, key in ((found, bob), (found[:-2], alice), ("resp_0a1b2c", alice)):
                received = await app.begin(
                    f"/chat/{path.format(asked_id)}", b"", method=method, headers={"api-key": key}
                ).end()
                assert (received.status, received.json["error"]["code"]) == (404, "response_not_found")
        assert len(app.clients.asked) == asked
        assert (await take_up(app, found, headers={"api-key": alice})).status == 200
        assert (await take_up(app, found)).status == 401

    play(scene, {"main": Background()}, **ON, AUTH_MODE="keys", CALLER_KEYS=f"{alices},{bobs}")


@cells("name", ["sse", "ndjson", "text"])
def test_a_closed_window_loses_and_doubles_no_word(name: str) -> None:
    async def scene(app: InProcessApp) -> None:
        whole = await ask(app, name)
        app.clients.asked.clear()
        for after, had in positions(name, whole.body):
            rest = await take_up(app, answer_id(whole), name, after)
            assert said(name, had) + said(name, rest.body) == TEXT
            assert rest.is_completed
            if name != "text":
                assert b'"finished"' in rest.body

    play(scene, {"main": Background(window=1)}, **ON)


def said(name: str, body: bytes) -> str:
    if name == "text":
        return body.decode()
    lines = [line.removeprefix(b"data: ") for line in body.split(b"\n")]
    events = [json.loads(line) for line in lines if line.startswith(b"{")]
    return "".join(event["text"] for event in events if event["type"] == "delta")


def test_lines_that_cannot_be_told_apart_any_more_are_refused_with_the_way_to_the_whole() -> None:
    async def scene(app: InProcessApp) -> None:
        whole = await ask(app, "chat-protocol")
        refused = await take_up(app, answer_id(whole), "chat-protocol", after=3)
        assert (refused.status, refused.json["error"]["code"]) == (410, "resume_window_closed")
        assert "application/json" in refused.json["error"]["message"]
        all_of_it = await take_up(app, answer_id(whole), "json")
        assert all_of_it.json["text"] == TEXT

    play(scene, {"main": Background(window=1)}, **ON)


def test_a_response_that_is_gone_is_a_404() -> None:
    async def scene(app: InProcessApp) -> Received:
        return await take_up(app, answer_id(await ask(app)), "text")

    received = play(scene, {"main": Background(window=1, refusal=404, statuses=[404])}, **ON)
    assert (received.status, received.json["error"]["code"]) == (404, "response_not_found")


def test_a_stop_ends_the_answer_at_the_model() -> None:
    backend = Background(seconds_between=1)

    async def scene(app: InProcessApp) -> Received:
        found = answer_id(await ask(app, caller=Caller(leaves_after=b"quick")))
        stopped = await app.begin(f"/chat/answers/{found}/stop", b"").end()
        await asyncio.sleep(61)
        return stopped

    received = play(scene, {"main": backend}, **ON)
    assert (received.status, received.json) == (200, {"status": "cancelled"})
    assert backend.reads == ["cancel"], "and not once more after the grace"


def test_an_answer_that_has_an_id_is_no_other_accounts_any_more() -> None:
    breaks = Background(breaks=[(1, "reset")] * 4, statuses=["failed"])
    other = Background()

    async def scene(app: InProcessApp) -> Received:
        return await ask(app)

    received = play(scene, {"main": breaks, "second": other}, **ON)
    assert received.headers["x-answer-id"]
    assert received.receipt["ended"] != "finished"
    assert (other.streams, other.reads) == ([], [])


@cells(("seconds", "comes_back_after", "is_cancelled"), [("60", None, True), ("60", 30, False), ("0", None, False)])
def test_an_answer_that_nobody_comes_back_to_is_cancelled_after_its_grace(
    seconds: str, comes_back_after: float | None, is_cancelled: bool
) -> None:
    backend = Background(seconds_between=10)

    async def scene(app: InProcessApp) -> None:
        found = answer_id(await ask(app, caller=Caller(leaves_after=b"The")))
        if comes_back_after is not None:
            await asyncio.sleep(comes_back_after)
            assert "cancel" not in backend.reads
            rest = await take_up(app, found)
            assert rest.is_completed
        await asyncio.sleep(59)
        assert "cancel" not in backend.reads
        await asyncio.sleep(2)
        assert ("cancel" in backend.reads) == is_cancelled

    play(scene, {"main": backend}, **ON, RESUME_GRACE_SECONDS=seconds)


def test_a_second_reader_that_leaves_does_not_end_the_answer_of_the_first() -> None:
    backend = Background(seconds_between=30)

    async def scene(app: InProcessApp) -> None:
        path, body = STREAMS["sse"]
        first = app.begin(path, body)
        await asyncio.sleep(40)
        second = app.begin(f"/chat/answers/{answer_id(first.received)}", b"", method="GET")
        await asyncio.sleep(1)
        second.leave()
        await second.end()
        assert (await first.end()).is_completed
        assert backend.reads == []

    play(scene, {"main": backend}, **ON, RESUME_GRACE_SECONDS="5")


@cells("name", STREAMS)
def test_a_stopping_process_sends_its_readers_elsewhere_and_ends_no_answer(name: str) -> None:
    backend = Background(seconds_between=20)

    async def scene(app: InProcessApp) -> Received:
        path, body = STREAMS[name]
        exchange = app.begin(path, body)
        await asyncio.sleep(130)
        await app.open_streams.drain(0)
        received = await exchange.end()
        await asyncio.sleep(100)
        assert backend.reads == []
        return received

    received = play(scene, {"main": backend}, **ON)
    if name == "sse":
        assert received.body.endswith(b'event: moved\ndata: {"type":"moved"}\n\n')
        assert received.is_completed
    elif name in ("ndjson", "jsonl"):
        assert received.body.endswith(b'\n{"type":"moved"}\n')
    else:
        assert b"moved" not in received.body
        assert not received.is_completed or b"error" in received.body
    assert received.receipt["ended"] == "server_stopping"


def test_tokens_are_counted_once() -> None:
    async def scene(app: InProcessApp) -> None:
        left = await ask(app, caller=Caller(leaves_after=b"quick"))
        whole = await ask(app)
        again = [await take_up(app, answer_id(whole)), await take_up(app, answer_id(left))]
        assert left.receipt["tokens"] == "unknown"
        assert whole.receipt["tokens"]["output"] == 6
        for received in again:
            assert received.receipt["tokens"] == "unknown"
            assert received.receipt["resume"]["taken_up"] is True
            assert received.receipt["resume"]["answer_tokens"] == {"input": 9, "output": 6}
            assert received.receipt["resume"]["answer"] == whole.receipt["resume"]["answer"]

    play(scene, {"main": Background(seconds_between=1)}, **ON)


def test_a_break_upstream_is_invisible_here_too() -> None:
    async def scene(app: InProcessApp) -> None:
        backend.breaks, backend.streams = [], []
        whole = await ask(app)
        for name in STREAMS:
            backend.breaks, backend.streams = [], []
            unbroken = await ask(app, name)
            backend.breaks, backend.streams = [(7, "reset"), (2, "eof")], []
            assert (await ask(app, name)).body == unbroken.body
        backend.breaks, backend.streams = [(9, "reset")], []
        after, had = positions("sse", whole.body)[2]
        assert had + (await take_up(app, answer_id(whole), after=after)).body == whole.body

    backend = Background()
    play(scene, {"main": backend}, **ON)


def test_a_deployment_that_does_not_stream_answers_in_one_piece() -> None:
    async def scene(app: InProcessApp) -> None:
        whole = await ask(app)
        assert whole.json["text"] == TEXT
        again = await app.begin(f"/chat/answers/{answer_id(whole)}", b"", method="GET").end()
        assert again.json["text"] == TEXT

    play(scene, {"main": Background()}, **ON, STREAMING_ENABLED="false")


def test_who_is_sent_elsewhere_when_the_host_would_cut_the_stream_keeps_the_answer() -> None:
    backend = Background(seconds_between=300)

    async def scene(app: InProcessApp) -> Received:
        received = await ask(app)
        await asyncio.sleep(200)
        assert backend.reads == []
        return received

    received = play(scene, {"main": backend}, **ON, UPSTREAM_SILENCE_SECONDS="400", RESUME_GRACE_SECONDS="10")
    assert received.body.endswith(b'event: moved\ndata: {"type":"moved"}\n\n')
    assert received.receipt["ended"] == "function_timeout"


@cells(("most", "status"), [(900, 429), (None, 429), (10, 200)])
def test_an_answer_that_is_left_counts_what_it_may_have(most: int | None, status: int) -> None:
    """Or a caller would leave each answer at its first word, and read it again for nothing."""
    body = NATIVE if most is None else {**NATIVE, "max_output_tokens": most}

    async def scene(app: InProcessApp) -> int:
        await app.begin("/chat", body, caller=Caller(leaves_after=b"The")).end()
        return (await app.begin("/chat", {"input": "hi", "max_output_tokens": 300}).end()).status

    limits = json.dumps({"*": {"tokens_per_minute": 1100}})
    assert play(scene, {"main": Background(seconds_between=1)}, **ON, CALLER_LIMITS=limits) == status


def test_an_answer_that_cannot_be_cancelled_after_its_grace_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(app: InProcessApp) -> None:
        await ask(app, caller=Caller(leaves_after=b"The"))
        await asyncio.sleep(100)

    play(scene, {"main": [Background(seconds_between=10), refuses(500)]}, **ON)
    assert "main: an answer that nobody reads could not be cancelled: 500" in caplog.text


@given(st.text(max_size=12), st.text(max_size=12), st.sampled_from(["sse", "text", "ui-message", "xml", ""]))
def test_whatever_a_stranger_asks_is_answered_with_a_status_of_its_own(answer: str, after: str, name: str) -> None:
    async def scene(app: InProcessApp) -> None:
        for path in (
            f"/chat/answers/{quote(answer)}",
            f"/chat/{quote(answer)}/stream",
            f"/chat/answers/{quote(answer)}/stop",
        ):
            for method in ("GET", "POST"):
                query = f"?after={quote(after)}&format={name}"
                received = await app.begin(path + query, b"", method=method).end()
                assert received.status in (200, 204, 400, 404, 405, 406, 415)
        assert not [one for one in app.clients.asked if one.call.path != "responses"]

    play(scene, {"main": Background()}, **ON)
