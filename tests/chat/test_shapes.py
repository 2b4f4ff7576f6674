"""The request shapes beside our own: `useChat`'s and the AI Chat Protocol's."""

import json
from typing import Any

import pytest

from shared.chat.negotiation import parse_accept
from shared.chat.request import ChatRequest, ImagePart, Message, Schema, TextPart
from shared.chat.shapes import parse_chat_request, schema_of_call
from shared.errors import BadRequest

NATIVE, UI_MESSAGE, CHAT_PROTOCOL = Schema.NATIVE, Schema.UI_MESSAGE, Schema.CHAT_PROTOCOL

TEXT = {"type": "text", "text": "hi"}
PNG = {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AAAA", "filename": "a.png"}
USE_CHAT = {"id": "c1", "messages": [{"id": "m1", "role": "user", "parts": [TEXT]}], "trigger": "submit-message"}
PROTOCOL = {"messages": [{"role": "user", "content": "hi"}], "context": {"a": 1}, "sessionState": {"b": [2]}}
HI = (Message("user", (TextPart("hi"),)),)


def parse(body: Any, call: Schema = NATIVE) -> tuple[Schema, ChatRequest]:
    return parse_chat_request(json.dumps(body).encode(), schema_of_call=call)


def ui(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return USE_CHAT | {"messages": list(messages)} | more


def user(*parts: Any) -> dict[str, Any]:
    return {"id": "m", "role": "user", "parts": list(parts)}


# What shape it is.


@pytest.mark.parametrize(
    ("body", "schema"),
    [
        ({"input": "hi"}, NATIVE),
        ({"messages": [{"role": "user", "content": "hi"}]}, NATIVE),
        (USE_CHAT, UI_MESSAGE),
        (PROTOCOL, CHAT_PROTOCOL),
        ({"messages": PROTOCOL["messages"], "context": {}}, CHAT_PROTOCOL),
        ({"messages": PROTOCOL["messages"], "sessionState": None}, CHAT_PROTOCOL),
    ],
)
def test_the_body_tells_its_shape_and_all_say_the_same(body: Any, schema: Schema) -> None:
    found, request = parse(body)
    assert (found, request.messages) == (schema, HI)


def test_a_plain_conversation_is_the_protocol_s_where_the_call_is() -> None:
    assert parse({"messages": PROTOCOL["messages"]}, CHAT_PROTOCOL)[0] == CHAT_PROTOCOL
    assert parse({"input": "hi"}, CHAT_PROTOCOL)[0] == NATIVE
    assert parse(USE_CHAT, CHAT_PROTOCOL)[0] == UI_MESSAGE


@pytest.mark.parametrize(
    ("path", "headers", "schema"),
    [
        ("/chat", {"accept": "application/json"}, NATIVE),
        ("/stream", {"accept": "application/json"}, NATIVE),
        ("/chat/stream", {"accept": "application/json"}, CHAT_PROTOCOL),
        ("/chat/stream/", {"accept": "application/json"}, CHAT_PROTOCOL),
        ("/chat/stream", {"accept": "application/json, text/event-stream"}, NATIVE),
        ("/chat/stream", {"accept": "*/*"}, NATIVE),
        ("/chat/stream", {}, NATIVE),
        ("/chat", {"user-agent": "app ts-http-runtime/1.0.0-beta.1 Node/24.1.0"}, CHAT_PROTOCOL),
        (
            "/chat",
            {"user-agent": "Mozilla/5.0", "x-ms-useragent": "ts-http-runtime/1.0.0-beta.1 OS/Linux"},
            CHAT_PROTOCOL,
        ),
    ],
)
def test_the_protocol_s_client_is_known_by_its_name_or_by_asking_for_json_where_there_is_none(
    path: str, headers: dict[str, str], schema: Schema
) -> None:
    assert schema_of_call(path, headers, parse_accept(headers.get("accept"))) is schema


def test_our_own_shape_is_as_strict_as_ever() -> None:
    for body in (
        {"input": "hi", "context": {}},
        {"input": "hi", "trigger": "x"},
        {"messages": PROTOCOL["messages"], "id": "x"},
    ):
        with pytest.raises(BadRequest, match="Unknown field"):
            parse(body)


# `useChat`.


def test_options_are_taken_beside_the_client_s_own_fields() -> None:
    request = parse(USE_CHAT | {"messageId": "m1", "model": "m", "temperature": 0.5})[1]
    assert (request.model, request.temperature) == ("m", 0.5)
    with pytest.raises(BadRequest, match="Unknown field 'temprature'"):
        parse(USE_CHAT | {"temprature": 0.5})


def test_texts_and_images_are_taken() -> None:
    messages = parse(ui({"id": "s", "role": "system", "parts": [TEXT]}, user(TEXT, PNG)))[1].messages
    assert messages == (Message("system", (TextPart("hi"),)), Message("user", (TextPart("hi"), ImagePart(PNG["url"]))))


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
    assert parse(ui(user(TEXT), answer, user(TEXT)))[1].messages[1] == Message("assistant", (TextPart("Hello"),))


def test_an_answer_that_failed_before_it_said_anything_is_left_out() -> None:
    failed = {"id": "a", "role": "assistant", "parts": [{"type": "step-start"}, {"type": "text", "text": ""}]}
    assert parse(ui(user(TEXT), failed))[1].messages == HI


@pytest.mark.parametrize(
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


def test_a_mixture_of_shapes_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"messages\[1\].parts"):
        parse(ui(user(TEXT), {"role": "user", "content": "hi"}))
    with pytest.raises(BadRequest, match=r"messages\[1\]"):
        parse(ui(user(TEXT), "hi"))  # type: ignore[arg-type]


# The AI Chat Protocol.


def test_context_and_session_state_are_carried_unread() -> None:
    assert parse(PROTOCOL)[1].echoed == {"context": {"a": 1}, "sessionState": {"b": [2]}}
    assert parse(PROTOCOL | {"context": None, "sessionState": None})[1].echoed == {"sessionState": None}


def test_a_message_s_own_context_is_not_for_the_model() -> None:
    body = {"messages": [{"role": "user", "content": "hi", "context": {"x": 1}}], "sessionState": "s"}
    assert parse(body)[1].messages == HI


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"context": "x"}, "context"),
        ({"session_state": 1}, "session_state"),
        ({"messages": [{"role": "user", "content": "hi", "files": []}]}, "messages[0].files"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
    ],
)
def test_the_rest_of_the_protocol_s_shape_is_as_strict_as_our_own(change: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(PROTOCOL | change)
    assert caught.value.param == param
