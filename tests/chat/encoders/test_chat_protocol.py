"""The AI Chat Protocol: its lines, its one object, and what is echoed. Its own client's view is in tests/node."""

import json
from typing import Any

import msgspec

from shared.chat.encoders import encoder_factory
from shared.chat.encoders.chat_protocol import BufferedChatProtocolEncoder, ChatProtocolEncoder
from shared.errors import ErrorObject
from shared.events import AnswerEvent, Delta, Finished, Reasoning, Source, Started, Step, Usage
from tests.harness.cells import cells

ERROR = ErrorObject("It broke off.", "upstream_error", "upstream_cut")
STARTED = Started("a1", "m")
ECHOED = {"context": {"overrides": {"top": 3}}, "sessionState": None}
RAW_ECHOED = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in ECHOED.items()}
ANSWER: list[AnswerEvent] = [
    STARTED,
    Step("web_search", "searching"),
    Reasoning("Let me "),
    Reasoning("think."),
    Delta("Grüße,"),
    Delta(" Welt"),
    Usage(9, 12, 4, 3),
    Finished("stop"),
]


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.split(b"\n") if line]


def test_the_first_line_tells_the_role_and_echoes_what_was_sent() -> None:
    answer: list[AnswerEvent] = [event for event in ANSWER if not isinstance(event, Step)]
    first, *others = lines(ChatProtocolEncoder(RAW_ECHOED).encode(answer))
    assert first == {"delta": {"role": "assistant"}, **ECHOED}
    assert all(set(line) == {"delta"} and "role" not in line["delta"] for line in others)


def test_nothing_is_brought_back_that_was_not_sent() -> None:
    assert lines(ChatProtocolEncoder().encode([STARTED])) == [{"delta": {"role": "assistant"}}]


def test_an_answer_that_was_never_announced_has_its_first_line_all_the_same() -> None:
    assert lines(ChatProtocolEncoder().encode([Delta("a"), Delta("b")])) == [
        {"delta": {"role": "assistant"}}, {"delta": {"content": "a"}}, {"delta": {"content": "b"}},
    ]  # fmt: skip


def test_what_the_protocol_has_no_field_for_is_in_the_delta_s_own_context() -> None:
    contexts = [
        line["delta"]["context"] for line in lines(ChatProtocolEncoder().encode(ANSWER)) if "context" in line["delta"]
    ]
    assert contexts == [
        {"reasoning": "Let me "},
        {"reasoning": "think."},
        {"usage": {"input_tokens": 9, "output_tokens": 12, "cached_tokens": 4, "reasoning_tokens": 3}},
        {"finish_reason": "stop"},
    ]


@cells(("code", "told"), [("upstream_cut", "upstream_cut"), (None, "upstream_error")])
@cells("said", [[], ANSWER[:5]])
def test_a_failed_answer_ends_with_an_error_that_has_a_code(
    said: list[AnswerEvent], code: str | None, told: str
) -> None:
    encoder = ChatProtocolEncoder(RAW_ECHOED)
    encoder.encode(said)
    ending = encoder.fail(ErrorObject("It broke off.", "upstream_error", code))
    assert lines(ending) == [{"error": {"code": told, "message": "It broke off."}}]


def test_the_heartbeat_is_a_line_that_says_nothing() -> None:
    assert ChatProtocolEncoder.heartbeat == b"\n"


def test_the_whole_answer_is_one_object() -> None:
    encoder = BufferedChatProtocolEncoder(RAW_ECHOED)
    out = b"".join([encoder.encode([event]) for event in ANSWER])
    context = {
        "reasoning": "Let me think.",
        "usage": {"input_tokens": 9, "output_tokens": 12, "cached_tokens": 4, "reasoning_tokens": 3},
        "finish_reason": "stop",
    }
    message = {"role": "assistant", "content": "Grüße, Welt", "context": context}
    process: dict[str, Any] = {
        "overrides": {"top": 3},
        "thoughts": [{"title": "web_search", "description": "searching", "props": {"status": "searching"}}],
        "data_points": {"text": [], "images": [], "citations": []},
        "followup_questions": None,
    }
    assert json.loads(out) == {"message": message, "sessionState": None, "context": process}


SEARCHED: list[AnswerEvent] = [
    Step("search-query", "started"),
    Step("search-query", "finished", {"query": "greetings"}),
    Step("search", "started"),
    Source("1", "Greetings", "https://x/greetings", "Say hello."),
    Source("2", "Greetings", "https://x/other", "Say hi."),
    Step("search", "finished", {"count": 2}),
]


def test_steps_and_sources_are_a_context_that_grows_and_is_complete_in_each_line() -> None:
    found = [line for line in lines(ChatProtocolEncoder().encode(SEARCHED)) if "context" in line]
    assert [line["delta"] for line in found] == [{"role": "assistant"}] * 4
    contexts = [line["context"] for line in found]
    assert [len(context["thoughts"]) for context in contexts] == [1, 1, 2, 2]
    assert contexts[0]["data_points"] == {"text": [], "images": [], "citations": []}
    assert contexts[-1] == {
        "thoughts": [
            {
                "title": "search-query",
                "description": "greetings",
                "props": {"status": "finished", "query": "greetings"},
            },
            {"title": "search", "description": "finished", "props": {"status": "finished", "count": 2}},
        ],
        "data_points": {
            "text": ["Greetings: Say hello.", "Greetings (2): Say hi."],
            "images": [],
            "citations": ["Greetings", "Greetings (2)"],
        },
        "followup_questions": None,
    }


def test_sources_that_no_step_follows_are_told_with_the_next_words() -> None:
    said = lines(ChatProtocolEncoder().encode([Delta("a"), Source("tool-1", "t", "https://x"), Delta("b")]))
    assert [line.get("context", {}).get("data_points", {}).get("citations") for line in said] == [
        None,
        None,
        ["t"],
        None,
    ]


def test_a_whole_answer_that_fails_has_said_nothing() -> None:
    encoder = BufferedChatProtocolEncoder()
    assert encoder.encode(ANSWER[:-1]) == b""
    encoder.fail(ERROR)  # None: the HTTP status tells it


@cells("name", ["ui-message", "chat-protocol"])
def test_where_streaming_is_off_the_same_bytes_leave_in_one_piece(name: str) -> None:
    streamed = encoder_factory(name, RAW_ECHOED, streaming_enabled=True)()
    collected = encoder_factory(name, RAW_ECHOED, streaming_enabled=False)()
    assert (streamed.is_buffered, collected.is_buffered) == (False, True)
    assert (collected.media_type, collected.headers) == (streamed.media_type, streamed.headers)
    assert [collected.encode([event]) for event in ANSWER] == [b""] * 7 + [streamed.encode(ANSWER)]
    assert collected.heartbeat == b""
    assert collected.fail(ERROR) is None
