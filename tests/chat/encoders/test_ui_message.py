"""The UI message stream: the order of its parts, and its endings. Its own client's view is in tests/node."""

import json
from typing import Any

from shared.chat.encoders.ui_message import UiMessageEncoder
from shared.errors import ErrorObject
from shared.events import AnswerEvent, Citation, Delta, Finished, Reasoning, Source, Started, Step, Usage
from tests.harness.cells import cells

ERROR = ErrorObject("It broke off.", "upstream_error", "upstream_cut")
STARTED = Started("a1", "m")


def frames(data: bytes) -> list[str]:
    assert data.endswith(b"\n\n") or not data
    return [frame.removeprefix("data: ") for frame in data.decode().split("\n\n")[:-1]]


def parts(*events: AnswerEvent) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in frames(UiMessageEncoder().encode(list(events))) if frame != "[DONE]"]


def kinds(*events: AnswerEvent) -> list[str]:
    return [part["type"] for part in parts(*events)]


def test_an_answer_is_one_message_of_one_step() -> None:
    assert kinds(STARTED, Delta("a"), Delta("b"), Usage(1, 2), Finished("stop")) == [
        "start", "start-step", "text-start", "text-delta", "text-delta", "text-end", "finish-step", "finish",
    ]  # fmt: skip


def test_the_message_is_named_by_the_upstream_and_tells_its_model() -> None:
    assert parts(STARTED)[0] == {"type": "start", "messageId": "a1", "messageMetadata": {"model": "m"}}


def test_without_an_id_the_client_s_own_stays() -> None:
    assert parts(Started("", ""))[0] == {"type": "start"}


def test_an_answer_that_was_never_announced_begins_all_the_same() -> None:
    assert kinds(Delta("a"), Delta("b")) == ["start", "start-step", "text-start", "text-delta", "text-delta"]
    assert kinds(Finished("stop")) == ["start", "start-step", "finish-step", "finish"]


def test_reasoning_and_text_end_each_other_and_every_part_has_its_own_id() -> None:
    said = parts(STARTED, Reasoning("r"), Delta("a"), Reasoning("s"), Delta("b"), Finished("stop"))[2:-2]
    assert [(part["type"], part["id"]) for part in said] == [
        ("reasoning-start", "reasoning-1"), ("reasoning-delta", "reasoning-1"), ("reasoning-end", "reasoning-1"),
        ("text-start", "text-2"), ("text-delta", "text-2"), ("text-end", "text-2"),
        ("reasoning-start", "reasoning-3"), ("reasoning-delta", "reasoning-3"), ("reasoning-end", "reasoning-3"),
        ("text-start", "text-4"), ("text-delta", "text-4"), ("text-end", "text-4"),
    ]  # fmt: skip


def test_a_step_is_data_whose_later_states_replace_the_earlier() -> None:
    steps = parts(STARTED, Step("web_search", "searching"), Step("web_search", "completed"))[2:]
    assert {step["id"] for step in steps} == {"web_search"}
    assert steps[1] == {
        "type": "data-step",
        "id": "web_search",
        "data": {"name": "web_search", "status": "completed"},
    }


def test_what_comes_after_a_step_stands_after_it() -> None:
    assert kinds(STARTED, Delta("a"), Step("s", "x"), Delta("b"))[2:] == [
        "text-start", "text-delta", "text-end", "data-step", "text-start", "text-delta",
    ]  # fmt: skip


def test_what_is_known_of_a_step_is_in_its_data() -> None:
    assert parts(Step("search", "finished", {"count": 2}))[2]["data"] == {
        "name": "search",
        "status": "finished",
        "detail": {"count": 2},
    }


def test_a_message_that_a_search_began_gets_its_model_later_and_begins_once() -> None:
    said = parts(Step("search", "started"), STARTED, Delta("a"))
    assert [part["type"] for part in said] == [
        "start", "start-step", "data-step", "message-metadata", "text-start", "text-delta",
    ]  # fmt: skip
    assert said[3] == {"type": "message-metadata", "messageMetadata": {"model": "m"}}
    assert kinds(Step("search", "started"), Started("", ""))[2:] == ["data-step"]


def test_a_source_is_a_page_or_a_document() -> None:
    page, document = parts(STARTED, Source("1", "A", "https://x/a", "words"), Source("2", "b.pdf"))[2:]
    assert page == {
        "type": "source-url",
        "sourceId": "1",
        "url": "https://x/a",
        "title": "A",
        "providerMetadata": {"source": {"excerpt": "words"}},
    }
    assert document == {
        "type": "source-document",
        "sourceId": "2",
        "mediaType": "application/octet-stream",
        "title": "b.pdf",
    }


def test_a_citation_is_data_that_does_not_end_the_text() -> None:
    assert kinds(STARTED, Delta("a [1]"), Citation("1", 2, 5), Delta("."))[2:] == [
        "text-start", "text-delta", "data-citation", "text-delta",
    ]  # fmt: skip


@cells(
    ("reason", "told"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content-filter"), ("tool_calls", "tool-calls")],
)
def test_finish_reasons_are_those_of_the_sdk(reason: str, told: str) -> None:
    assert parts(STARTED, Finished(reason))[-1] == {"type": "finish", "finishReason": told}


def test_usage_is_metadata_of_the_message_in_the_sdk_s_own_shape() -> None:
    assert parts(STARTED, Usage(9, 12, 4, 3), Finished("stop"))[-1]["messageMetadata"] == {
        "usage": {
            "inputTokens": 9,
            "inputTokenDetails": {"cacheReadTokens": 4},
            "outputTokens": 12,
            "outputTokenDetails": {"reasoningTokens": 3},
            "totalTokens": 21,
        }
    }


def test_only_a_finished_answer_is_done() -> None:
    assert frames(UiMessageEncoder().encode([STARTED, Delta("a"), Finished("stop")]))[-1] == "[DONE]"


@cells("said", [[], [STARTED], [STARTED, Reasoning("r")], [STARTED, Delta("a"), Usage(1, 2)]])
def test_a_failed_answer_ends_with_its_error_and_leaves_its_text_open(said: list[AnswerEvent]) -> None:
    encoder = UiMessageEncoder()
    before = encoder.encode(said)
    assert frames(encoder.fail(ERROR)) == ['{"type":"error","errorText":"It broke off."}']
    assert b"-end" not in before
