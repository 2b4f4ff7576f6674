"""`useChat`'s request: its messages, and the options next to the client's own fields."""

import json
from typing import Any

import pytest

from shared.chat.messages import MAX_PARTS
from shared.chat.request import ChatRequest, ImagePart, Message, TextPart
from shared.chat.shapes import parse_chat_request
from shared.errors import BadRequest
from tests.harness.cells import cells

TEXT = {"type": "text", "text": "hi"}
PNG = {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AAAA", "filename": "a.png"}
USE_CHAT = {"id": "c1", "messages": [{"id": "m1", "role": "user", "parts": [TEXT]}], "trigger": "submit-message"}
HI = (Message("user", (TextPart.of("hi"),)),)


def parse(body: Any) -> ChatRequest:
    return parse_chat_request(json.dumps(body).encode())[1]


def ui(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return USE_CHAT | {"messages": list(messages)} | more


def user(*parts: Any) -> dict[str, Any]:
    return {"id": "m", "role": "user", "parts": list(parts)}


def test_options_are_taken_next_to_the_client_s_own_fields() -> None:
    request = parse(USE_CHAT | {"messageId": "m1", "model": "m", "temperature": 0.5})
    assert (request.model, request.temperature) == ("m", 0.5)
    with pytest.raises(BadRequest, match="Unknown field 'temprature'"):
        parse(USE_CHAT | {"temprature": 0.5})


def test_texts_and_images_are_taken() -> None:
    messages = parse(ui({"id": "s", "role": "system", "parts": [TEXT]}, user(TEXT, PNG))).messages
    assert messages == (
        Message("system", (TextPart.of("hi"),)),
        Message("user", (TextPart.of("hi"), ImagePart(PNG["url"]))),
    )


def test_what_earlier_answers_left_behind_is_passed_over() -> None:
    answer = {
        "id": "a",
        "role": "assistant",
        "metadata": {"usage": {}},
        "parts": [
            {"type": "step-start"},
            {"type": "data-step", "id": "web_search", "data": {}},
            {"type": "reasoning", "id": "r", "text": "hm", "state": "streaming"},
            {"type": "text", "text": "Hello", "state": "done", "providerMetadata": {}},
            {"type": "source-url", "sourceId": "1", "url": "https://x"},
            {"type": "tool-search", "toolCallId": "1", "state": "output-available"},
            {"type": "file", "mediaType": "application/pdf", "url": "https://x"},
        ],
    }
    assert parse(ui(user(TEXT), answer, user(TEXT))).messages[1] == Message("assistant", (TextPart.of("Hello"),))


def test_an_answer_that_failed_before_it_said_anything_is_left_out() -> None:
    failed = {"id": "a", "role": "assistant", "parts": [{"type": "step-start"}, {"type": "text", "text": ""}]}
    assert parse(ui(user(TEXT), failed)).messages == HI


@cells(
    ("message", "param"),
    [
        (user(), "messages[0].parts"),
        (user({"type": "text", "text": " "}), "messages[0].parts"),
        (user({"type": "text"}), "messages[0].parts[0].text"),
        (user(TEXT, {"type": "image_url"}), "messages[0].parts[1].type"),
        (user("hi"), "messages[0].parts[0].type"),
        (user(PNG | {"mediaType": "application/pdf"}), "messages[0].parts[0].mediaType"),
        (user(PNG | {"url": "http://x/y.png"}), "messages[0].parts[0].url"),
        (user(PNG | {"url": None}), "messages[0].parts[0].url"),
        ({"role": "tool", "parts": [TEXT]}, "messages[0].role"),
        ({"role": "user", "parts": "hi"}, "messages[0].parts"),
        ({"role": "assistant", "parts": []}, "messages"),
    ],
)
def test_a_refusal_names_the_part(message: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(ui(message))
    assert caught.value.param == param


def test_a_message_may_have_as_many_parts_as_are_said_and_no_more() -> None:
    part = {"type": "text", "text": "x"}
    assert len(parse(ui(user(*[part] * MAX_PARTS))).messages[0].parts) == MAX_PARTS
    with pytest.raises(BadRequest, match=f"at most {MAX_PARTS} parts"):
        parse(ui(user(*[part] * (MAX_PARTS + 1))))


def test_a_mixture_of_schemas_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"messages\[1\].parts"):
        parse(ui(user(TEXT), {"role": "user", "content": "hi"}))
    with pytest.raises(BadRequest, match=r"messages\[1\]"):
        parse(ui(user(TEXT), "hi"))  # type: ignore[arg-type]
