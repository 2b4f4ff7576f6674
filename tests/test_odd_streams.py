"""Odd ends, odd labels, odd first events, odd words: an honest result in every format. In-process, virtual time."""

import json
from collections.abc import Sequence
from typing import Any

from tests.harness.app import GOOD, NAMES, InProcessApp, ask_in, play
from tests.harness.caller import Received
from tests.harness.cells import cells
from tests.harness.frames import FRAMES, data
from tests.harness.upstream import EVENT_STREAM, Play, Says, Step
from tests.worker.ways import COLLECTED, STREAMS, WAYS, Outcome

FINISHED = Outcome("finished", words="Hello you")
DONE = b"data: [DONE]\n\n"
STREAMED = [*STREAMS, *COLLECTED]
CHAT_WAYS = [name for name in STREAMED if WAYS[name].path.startswith(("/chat", "/stream"))]
CHUNK_WAYS = [name for name in STREAMED if name != "responses"]
"""Where chunks come down: every way but the Responses API's own."""
every_chunk_way = cells("way", CHUNK_WAYS)


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, index: int = 0) -> bytes:
    fields = {} if delta is None else {"delta": delta, "text": delta.get("content", "")}
    choice = {"index": index, **fields, "finish_reason": finish}
    return data({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


OPEN, HALF = chunk({"role": "assistant", "content": ""}), chunk({"content": "half a sen"})


def plays(*steps: Step) -> Play:
    return Play(body=steps, headers=EVENT_STREAM)


def ask(way: str, *scripts: Play) -> Received:
    """Ask, and return what came; for what the reader of the way does not know."""

    async def scene(app: InProcessApp) -> Received:
        return await app.ask(WAYS[way]).end()

    return play(scene, dict(zip(NAMES, scripts, strict=False)))


def broken(way: str, code: str, words: str) -> Outcome:
    """How the way ends that failed after its first words."""
    return Outcome("refused", code, 502) if way in COLLECTED else WAYS[way].broken(code, words)


@every_chunk_way
@cells("done", [DONE, b"data: [DONE] \n\n", b"data:[DONE]\n\n"])
@cells("before", [[], [OPEN], [data({"choices": [], "usage": None})]])
def test_a_done_before_any_word_is_no_answer_and_the_other_account_gives_one(
    way: str, before: Sequence[bytes], done: bytes
) -> None:
    outcome, asked, _ = ask_in(way, [plays(*before, done), GOOD])
    assert (outcome, asked) == (FINISHED, {"main": 1, "second": 1})


@every_chunk_way
@cells("after", [(), (60.0,)], ids=["which closes", "which stays open"])
def test_a_done_in_the_middle_of_a_sentence_is_an_error_ending(way: str, after: Sequence[float]) -> None:
    outcome, asked, received = ask_in(way, [plays(OPEN, HALF, DONE, *after), GOOD])
    assert (outcome, asked) == (broken(way, "upstream_cut", "half a sen"), {"main": 1})
    assert b"[DONE]" not in received.body
    assert received.ended_at <= 0.1


@every_chunk_way
def test_a_choice_that_was_not_finished_is_half_an_answer(way: str) -> None:
    second = chunk({"content": "B"}, index=1)
    outcome, _, _ = ask_in(way, [plays(OPEN, HALF, second, chunk({}, "stop"), DONE)])
    if way in ("openai chat", "completions"):  # the chat API reads one choice only
        assert (outcome.kind, outcome.code) == ("failed", "upstream_cut")
    else:
        assert outcome == Outcome("finished", words="half a sen")


@every_chunk_way
def test_annotations_after_the_end_and_a_blank_after_done_are_an_end(way: str) -> None:
    note = chunk()
    received = ask(way, plays(OPEN, HALF, chunk({}, "stop"), note, note, b"data: [DONE] \n\n"))
    assert (received.receipt["ended"], received.is_completed) == ("finished", True)
    assert b"half a sen" in received.body


@cells("api", ["chat", "completions"])
@cells("way", CHAT_WAYS)
@cells(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("eos_token", "stop"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("SAFETY", "content_filter"),
        ("tool_use", "tool_calls"),
        ("something_new", "other"),
    ],
)
def test_a_reason_to_stop_is_told_for_what_it_is(way: str, api: str, word: str, reason: str) -> None:
    answer = plays(OPEN, HALF, chunk({}, word), DONE)
    outcome, _, received = ask_in(way, [answer], AZURE_OPENAI_API=api)
    assert outcome == Outcome("finished", words="half a sen")
    if way != "chat text":  # which has no place for it
        told = received.body.decode().replace("content-filter", "content_filter").replace("tool-calls", "tool_calls")
        assert told.count(f'"{reason}"') == 1
    if reason != "stop":
        assert b'"stop"' not in received.body


@cells("api", ["chat", "completions"])
@cells("way", CHAT_WAYS)
@cells("word", ["error", "ERROR", "insufficient_system_resource"])
def test_a_word_for_a_failure_is_a_failure_in_every_format(way: str, api: str, word: str) -> None:
    failing = plays(OPEN, HALF, chunk({}, word), DONE)
    outcome, asked, received = ask_in(way, [failing, GOOD], AZURE_OPENAI_API=api)
    assert (outcome, asked) == (broken(way, "upstream_failed", "half a sen"), {"main": 1})
    assert b'"stop"' not in received.body


@cells("way", CHAT_WAYS)
def test_what_explains_a_failing_end_is_told_in_its_place(way: str) -> None:
    failing = plays(OPEN, HALF, chunk({}, "error"), data({"error": {"code": "server_error", "message": "It burns."}}))
    outcome, _, _ = ask_in(way, [failing])
    assert outcome == broken(way, "server_error", "half a sen")


@every_chunk_way
@cells("empty", [{}, None, "", [], False])
def test_an_empty_error_beside_words_is_none(way: str, empty: Any) -> None:
    value = {"choices": [{"index": 0, "delta": {"content": "Hello you"}, "text": "Hello you"}], "error": empty}
    received = ask(way, plays(OPEN, data(value), chunk({}, "stop"), DONE))
    assert (received.receipt["ended"], received.is_completed) == ("finished", True)
    assert b"Hello you" in received.body


@every_chunk_way
@cells(
    "value",
    [
        {"message": "Slow down.", "code": 429},
        {"object": "error", "message": "Slow down.", "type": "too_many_requests", "code": None},
        {"error": "Slow down.", "code": 429},
        {"error": {}},
    ],
)
def test_an_error_without_the_usual_key_is_one(way: str, value: dict[str, Any]) -> None:
    outcome, asked, _ = ask_in(way, [plays(OPEN, data(value), DONE), GOOD])
    assert (outcome, asked) == (FINISHED, {"main": 1, "second": 1})
    received = ask(way, plays(OPEN, HALF, data(value), DONE))
    assert received.receipt["ended"] in ("429", "rate_limit_exceeded", "upstream_failed")
    if way in ("openai chat", "completions"):  # clients raise what stands under the key, and nothing else
        *_, last = received.seen.events
        assert last["error"]
        assert not received.is_completed


FIRST_EVENTS = {
    "a gateway's ping": data({"type": "ping"}, "ping"),
    "a gateway's limits": data({"type": "codex.rate_limits", "limits": {}}, "codex.rate_limits"),
    "no type": data({"hello": "there"}),
}


@cells("first", FIRST_EVENTS.values(), ids=FIRST_EVENTS)
@cells("way", STREAMED)
def test_a_first_event_that_nobody_knows_is_no_word_of_the_models(way: str, first: bytes) -> None:
    limited = Says(
        words=(), then=lambda frames: [first, *frames.error({"code": "429", "message": "No."}, "error_only")]
    )
    outcome, asked, _ = ask_in(way, [limited, GOOD])
    assert (outcome, asked) == (FINISHED, {"main": 1, "second": 1})


@cells("first", FIRST_EVENTS.values(), ids=FIRST_EVENTS)
def test_it_reaches_the_client_of_the_openai_api_as_it_came(first: bytes) -> None:
    frames = FRAMES["responses"]
    answer = [first, *frames.opening(), frames.word("Hello you"), first, *frames.ending()]
    received = ask("responses", plays(*answer))
    assert received.receipt["ended"] == "finished"
    assert (received.body.startswith(first), received.body.count(first)) == (True, 2)


def test_an_empty_explanation_of_a_failed_response_waits_for_the_real_one() -> None:
    failed = data({"type": "response.failed", "response": {"id": "r", "status": "failed", "error": {}}})
    told = data({"type": "error", "error": {"code": "invalid_image_url", "message": "No."}}, "error")
    for way in ("responses", "chat sse"):
        outcome, asked, _ = ask_in(way, [plays(failed, told), GOOD], AZURE_OPENAI_API="responses")
        assert (outcome, asked) == (Outcome("refused", "invalid_image_url", 400), {"main": 1})


LABELS = ["application/json", "text/plain", "", "text/event-stream, text/event-stream", "TEXT/EVENT-STREAM"]


@cells("label", LABELS)
@cells("way", STREAMED)
def test_a_stream_with_another_label_is_a_stream(way: str, label: str) -> None:
    outcome, asked, _ = ask_in(way, [Says(headers={"content-type": label}), GOOD])
    assert (outcome, asked) == (FINISHED, {"main": 1})


@cells("way", COLLECTED)
def test_deltas_without_end_are_refused_before_80_mib_are_taken(way: str) -> None:
    word = json.dumps("x" * 60_000)
    endless = Says(words=[word] * 1500, then=lambda _: [])
    outcome, _, received = ask_in(way, [endless])
    assert outcome == Outcome("refused", "upstream_frame_too_large", 502)
    assert received.receipt["chunks"] * 60_000 < 80 * 1024 * 1024


@cells("way", STREAMED)
def test_a_json_document_without_end_in_place_of_a_stream_is_refused_in_time(way: str) -> None:
    endless = Play(body=[b'{"choices":[{"message":{"content":"', *[b"x" * 60_000] * 400], headers=EVENT_STREAM)
    outcome, _, _ = ask_in(way, [endless], MAX_EVENT_BYTES="1000000")
    assert outcome == Outcome("refused", "upstream_frame_too_large", 502)
