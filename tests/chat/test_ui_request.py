"""The requests of `useChat`, `useCompletion` and assistant-ui, around the messages."""

import json
from typing import Any

import pytest

from shared.chat.request import ChatRequest, Message, Schema, TextPart
from shared.chat.shapes import parse_chat_request
from shared.errors import BadRequest
from tests.harness.cells import cells

HI = Message("user", (TextPart.of("hi"),))
USE_CHAT = {
    "id": "1",
    "messages": [{"id": "m1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}],
    "trigger": "submit-message",
}
ASSISTANT_UI: dict[str, Any] = USE_CHAT | {
    "system": None,
    "tools": {},
    "callSettings": {},
    "config": {},
    "metadata": {},
}


def parse(body: Any) -> ChatRequest:
    schema, request = parse_chat_request(json.dumps(body).encode())
    assert schema is Schema.UI_MESSAGE
    return request


@cells(
    "body",
    [
        USE_CHAT,
        ASSISTANT_UI,
        ASSISTANT_UI | dict.fromkeys(("tools", "callSettings", "config", "metadata", "messageId")),
        ASSISTANT_UI | {"system": "", "tools": [], "metadata": {"custom": {"a": [1]}}},
        ASSISTANT_UI
        | {"callSettings": {"headers": {"a": "b"}, "seed": None}, "config": {"apiKey": "k", "baseUrl": "u"}},
    ],
)
def test_what_is_the_clients_own_bookkeeping_changes_nothing(body: Any) -> None:
    assert parse(body) == ChatRequest(messages=(HI,))


def test_assistant_uis_system_comes_before_the_conversation() -> None:
    assert parse(ASSISTANT_UI | {"system": "Be brief."}).messages == (
        Message("system", (TextPart.of("Be brief."),)),
        HI,
    )


def test_assistant_uis_settings_are_the_options_unless_those_are_given() -> None:
    settings = {"maxTokens": 10, "temperature": 0.5, "topP": 0.9, "seed": 7}
    body = ASSISTANT_UI | {"callSettings": settings, "config": {"modelName": "m"}}
    expected = ChatRequest(messages=(HI,), model="m", max_output_tokens=10, temperature=0.5, top_p=0.9, seed=7)
    assert parse(body) == expected
    request = parse(body | {"temperature": 0.1, "model": "n"})
    assert (request.temperature, request.model, request.seed) == (0.1, "n", 7)


@cells(
    ("change", "param"),
    [
        ({"tools": {"weather": {"parameters": {}}}}, "tools"),
        ({"system": 7}, "system"),
        ({"callSettings": []}, "callSettings"),
        ({"callSettings": {"temperature": 9}}, "callSettings.temperature"),
        ({"callSettings": {"presencePenalty": 1}}, "callSettings.presencePenalty"),
        ({"config": {"modelName": 1}}, "config.modelName"),
        ({"config": {"other": 1}}, "config.other"),
        ({"systemPrompt": "x"}, "systemPrompt"),
    ],
)
def test_what_would_change_the_answer_and_cannot_be_done_is_an_error(change: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(ASSISTANT_UI | change)
    assert caught.value.param == param


def test_use_completions_prompt_is_one_message_of_the_user() -> None:
    assert parse({"prompt": "hi"}) == ChatRequest(messages=(HI,))
    assert parse({"prompt": "hi", "temperature": 0.5}) == ChatRequest(messages=(HI,), temperature=0.5)


@cells("body", [{"prompt": ""}, {"prompt": None}, {"prompt": ["hi"]}])
def test_a_prompt_that_says_nothing_is_an_error(body: Any) -> None:
    with pytest.raises(BadRequest, match="'prompt' is not valid; expected text that is not empty"):
        parse_chat_request(json.dumps(body).encode())
