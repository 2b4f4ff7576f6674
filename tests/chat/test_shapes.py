"""The request schemas: how each is recognized, and what those of other clients become."""

import json
from typing import Any

import msgspec
import pytest

from shared.chat.fields import MAX_VALUE_BYTES
from shared.chat.json_text import JsonText
from shared.chat.negotiation import parse_accept
from shared.chat.request import ChatRequest, Message, Schema, TextPart
from shared.chat.shapes import MAX_VALUES, parse_chat_request, schema_of_call
from shared.errors import BadRequest
from tests.harness.cells import cells

NATIVE, UI_MESSAGE, CHAT_PROTOCOL = Schema.NATIVE, Schema.UI_MESSAGE, Schema.CHAT_PROTOCOL

TEXT = {"type": "text", "text": "hi"}
USE_CHAT = {"id": "c1", "messages": [{"id": "m1", "role": "user", "parts": [TEXT]}], "trigger": "submit-message"}
PROTOCOL = {"messages": [{"role": "user", "content": "hi"}], "context": {"a": 1}, "sessionState": {"b": [2]}}
HI = (Message("user", (TextPart.of("hi"),)),)


def parse(body: Any, call: Schema = NATIVE) -> tuple[Schema, ChatRequest]:
    return parse_chat_request(json.dumps(body).encode(), schema_of_call=call)


def echoed(body: Any) -> dict[str, Any]:
    return {name: msgspec.json.decode(value) for name, value in parse(body)[1].echoed.items()}


# Which schema it is.


@cells(
    ("body", "schema"),
    [
        ({"input": "hi"}, NATIVE),
        ({"messages": [{"role": "user", "content": "hi"}]}, NATIVE),
        (USE_CHAT, UI_MESSAGE),
        (PROTOCOL, CHAT_PROTOCOL),
        ({"messages": PROTOCOL["messages"], "context": {}}, CHAT_PROTOCOL),
        ({"messages": PROTOCOL["messages"], "sessionState": None}, CHAT_PROTOCOL),
        ({"messages": PROTOCOL["messages"], "session_state": None}, CHAT_PROTOCOL),
        ({"prompt": "hi"}, UI_MESSAGE),
    ],
)
def test_the_body_shows_its_schema_and_all_become_the_same_request(body: Any, schema: Schema) -> None:
    found, request = parse(body)
    assert (found, request.messages) == (schema, HI)


def test_a_plain_conversation_is_the_protocol_s_where_the_call_is() -> None:
    assert parse({"messages": PROTOCOL["messages"]}, CHAT_PROTOCOL)[0] == CHAT_PROTOCOL
    assert parse({"input": "hi"}, CHAT_PROTOCOL)[0] == NATIVE
    assert parse(USE_CHAT, CHAT_PROTOCOL)[0] == UI_MESSAGE


@cells(
    ("path", "headers", "schema"),
    [
        ("/chat", {"accept": "application/json"}, NATIVE),
        ("/stream", {"accept": "application/json"}, NATIVE),
        ("/chat/stream", {"accept": "application/json"}, CHAT_PROTOCOL),
        ("/chat/stream/", {"accept": "application/json"}, CHAT_PROTOCOL),
        ("/chat/stream", {"accept": "application/json, text/event-stream"}, NATIVE),
        ("/chat/stream", {"accept": "application/json, text/plain, */*"}, NATIVE),
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


def test_the_native_schema_takes_no_field_of_the_others() -> None:
    for body in (
        {"input": "hi", "context": {}},
        {"input": "hi", "trigger": "x"},
        {"messages": PROTOCOL["messages"], "id": "x"},
        {"messages": PROTOCOL["messages"], "prompt": "x"},
        {"input": "hi", "prompt": "x"},
    ):
        with pytest.raises(BadRequest, match="Unknown field"):
            parse(body)


# The native schema.


def test_a_large_body_holds_so_many_values_and_no_more() -> None:
    values = [0] * (MAX_VALUES - 2)
    body = {"messages": [{"role": "user", "content": "hi"}], "context": {}, "sessionState": values}
    with pytest.raises(BadRequest, match=f"too many values; expected at most {MAX_VALUES}"):
        parse(body)
    body["sessionState"] = values[:-10]
    assert parse(body)[0] is Schema.CHAT_PROTOCOL


def test_an_input_is_one_message_of_the_user() -> None:
    assert parse({"input": "hi"})[1].messages == HI
    assert parse({"input": "hi", "messages": None, "seed": 1})[1] == ChatRequest(messages=HI, seed=1)


@cells(
    ("body", "message"),
    [
        ({}, "Neither 'input' nor 'messages' is given; expected exactly one of them."),
        ({"input": None, "messages": None}, "Neither 'input' nor 'messages' is given; expected exactly one of them."),
        ({"input": "hi", "messages": []}, "Both 'input' and 'messages' are given; expected exactly one of them."),
        ({"input": ""}, "'input' is not valid; expected text that is not empty."),
        ({"input": " \n"}, "'input' is not valid; expected text that is not empty."),
        ({"input": ["hi"]}, "'input' is not valid; expected text that is not empty."),
    ],
)
def test_an_error_says_what_is_wrong_with_the_input(body: Any, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(body)
    assert (caught.value.message, caught.value.param) == (message, "input")


def test_lone_surrogates_become_the_replacement_character() -> None:
    for body in (b'{"input": "a\\ud800b"}', b'{"messages": [{"role": "user", "content": "a\\ud800b"}]}'):
        assert parse_chat_request(body)[1].messages[0].text == JsonText.of("a\ufffdb")


@cells("field", ["input", "messages"])
def test_a_value_that_is_nested_too_deeply_is_an_error(field: str) -> None:
    for depth in (2_000, 9_000, 100_000):
        with pytest.raises(BadRequest):
            parse_chat_request(f'{{"{field}": {"[" * depth}{"]" * depth}}}'.encode())


# The AI Chat Protocol.


def test_context_and_session_state_are_echoed_unread() -> None:
    assert echoed(PROTOCOL) == {"context": {"a": 1}, "sessionState": {"b": [2]}}
    assert echoed(PROTOCOL | {"context": None, "sessionState": None}) == {"sessionState": None}


def test_what_is_echoed_stands_on_one_line() -> None:
    body = b'{"messages":[{"role":"user","content":"hi"}],"context":{\r\n "a":\n1},"sessionState":[\n"b\\n"]}'
    found = parse_chat_request(body)[1].echoed
    assert all(b"\n" not in bytes(value) and b"\r" not in bytes(value) for value in found.values())
    assert {name: msgspec.json.decode(value) for name, value in found.items()} == {
        "context": {"a": 1},
        "sessionState": ["b\n"],
    }


@cells("name", ["model", "stop", "reasoning_effort", "seed"])
def test_an_option_that_is_too_large_is_an_error(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse({"input": "hi", name: "x" * MAX_VALUE_BYTES})
    assert caught.value.param == name


def test_the_state_of_the_session_comes_back_under_the_name_that_it_came_under() -> None:
    body = {
        "messages": PROTOCOL["messages"],
        "context": {"overrides": {"temperature": 0.3}},
        "session_state": {"turn": 2},
    }
    assert echoed(body) == {"context": body["context"], "session_state": {"turn": 2}}
    assert echoed(body | {"session_state": None}) == {"context": body["context"], "session_state": None}


def test_a_message_s_own_context_is_not_for_the_model() -> None:
    body = {"messages": [{"role": "user", "content": "hi", "context": {"x": 1}}], "sessionState": "s"}
    assert parse(body)[1].messages == HI


@cells(
    ("change", "param"),
    [
        ({"context": "x"}, "context"),
        ({"session-state": 1}, "session-state"),
        ({"messages": [{"role": "user", "content": "hi", "files": []}]}, "messages[0].files"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
    ],
)
def test_the_rest_of_the_protocol_s_schema_is_as_strict_as_the_native_one(change: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(PROTOCOL | change)
    assert caught.value.param == param
