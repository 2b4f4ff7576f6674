"""The chat API's request: what is accepted, and the sentence for what is not."""

import json
from typing import Any

import pytest

from shared.chat.request import ChatRequest, ImagePart, Message, TextPart, parse_chat_request
from shared.errors import BadRequest

HI = {"input": "hi"}


def parse(body: Any) -> ChatRequest:
    return parse_chat_request(json.dumps(body).encode())


def test_an_input_is_one_message_of_the_user() -> None:
    assert parse(HI).messages == (Message("user", (TextPart("hi"),)),)


def test_messages_carry_text_parts_and_images() -> None:
    content = [
        {"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
    ]
    request = parse({"messages": [{"role": "developer", "content": "be brief"}, {"role": "user", "content": content}]})
    assert request.messages[0] == Message("developer", (TextPart("be brief"),))
    assert request.messages[1].parts == (TextPart("what?"), ImagePart("https://x/y.png", "low"))


def test_every_option_is_read() -> None:
    options = {
        "model": "m", "temperature": 0.5, "top_p": 1, "max_output_tokens": 5, "reasoning_effort": "low", "stop": "x",
        "seed": -1, "stream": False,
    }  # fmt: skip
    request = parse(HI | options)
    assert {name: getattr(request, name) for name in options} == options | {"stop": ("x",)}


def test_a_null_option_counts_as_not_given() -> None:
    assert parse(HI | {"temperature": None, "messages": None}) == parse(HI)


def test_lone_surrogates_become_the_replacement_character() -> None:
    assert parse_chat_request(b'{"input": "a\\ud800b", "stop": ["\\udfff"]}').messages[0].text == "a\ufffdb"
    assert parse_chat_request(b'{"input": "\\ud83d\\ude00"}').messages[0].text == "😀"
    mixed = rb'{"input": "\ud83d\uDE00\ud83d\\ud83d\ude00\uD83D\"\udc00\ud800\ud83d\ude00"}'
    assert parse_chat_request(mixed).messages[0].text == '😀\ufffd\\ud83d\ufffd\ufffd"\ufffd\ufffd😀'


WRONG: list[tuple[Any, str, str]] = [
    ({}, "input", "Neither 'input' nor 'messages'"),
    (HI | {"messages": []}, "input", "Both 'input' and 'messages'"),
    ({"input": ""}, "input", "not empty"),
    ({"input": " \n"}, "input", "not empty"),
    ({"input": 5}, "input", "text"),
    ({"input": ["hi"]}, "input", "text"),
    ({"messages": []}, "messages", "1 to 2048 messages"),
    ({"messages": "hi"}, "messages", "a list"),
    ({"messages": ["hi"]}, "messages[0]", "an object with content, role"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", "one of system, developer, user, assistant"),
    ({"messages": [{"role": {}, "content": "x"}]}, "messages[0].role", "one of"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "text, or a list"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content", "not empty"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content", "not empty"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": " "}]}]}, "messages[0].content", "not empty"),
    (
        {"messages": [{"role": "user", "content": [{"type": "audio"}]}]},
        "messages[0].content[0].type",
        "text or image_url",
    ),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}, "messages[0].content[0].text", "text"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "file:///etc/passwd"}]}]},
        "messages[0].content[0].image_url.url",
        "an https address",
    ),
    ({"messages": [{"role": "user", "content": "x", "name": "n"}]}, "messages[0].name", "Unknown field"),
    (HI | {"max_tokens": 5}, "max_tokens", "allowed are input, messages, model"),
    (HI | {"temperature": "hot"}, "temperature", "a number from 0 to 2"),
    (HI | {"temperature": True}, "temperature", "a number from 0 to 2"),
    (HI | {"temperature": 2.1}, "temperature", "a number from 0 to 2"),
    (HI | {"top_p": -1}, "top_p", "a number from 0 to 1"),
    (HI | {"max_output_tokens": 1.5}, "max_output_tokens", "a whole number"),
    (HI | {"max_output_tokens": 0}, "max_output_tokens", "a whole number"),
    (HI | {"reasoning_effort": "much"}, "reasoning_effort", "one of none, minimal, low"),
    (HI | {"stop": ["a", "b", "c", "d", "e"]}, "stop", "1 to 4"),
    (HI | {"stop": [""]}, "stop", "not empty"),
    (HI | {"seed": "x"}, "seed", "a whole number"),
    (HI | {"stream": "yes"}, "stream", "true or false"),
    (HI | {"model": ""}, "model", "not empty"),
    (HI | {"model": " "}, "model", "not empty"),
    (HI | {"x" * 1000: 1}, "x" * 128 + "…", "allowed are input"),
]


@pytest.mark.parametrize(
    ("body", "field", "allowed"), WRONG, ids=[f"{field}: {allowed}" for _, field, allowed in WRONG]
)
def test_a_refusal_names_the_field_and_what_is_allowed(body: Any, field: str, allowed: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(body)
    assert (caught.value.status, caught.value.param) == (400, field)
    assert field.split("[")[0] in caught.value.message
    assert allowed in caught.value.message


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1e999", "-1e999999999"])
@pytest.mark.parametrize("field", ["temperature", "seed", "max_output_tokens"])
def test_a_number_too_large_for_this_machine_is_still_json_and_its_field_is_named(field: str, number: str) -> None:
    with pytest.raises(BadRequest, match=r"expected a (whole )?number from") as caught:
        parse_chat_request(f'{{"input": "hi", "{field}": {number}}}'.encode())
    assert caught.value.param == field


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "empty"),
        (b"{", "not valid JSON"),
        (b'{"input": NaN}', "not valid JSON"),
        (b"[1]", "not a JSON object"),
        (b'"hi"', "not a JSON object"),
        (b'{"input": "\xff"}', "not valid UTF-8"),
        (b'{"input": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"input": "\\ud800", "x": ' + b'{"x":' * 100_000 + b"1" + b"}" * 100_001, "nested too deeply"),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message) as caught:
        parse_chat_request(body)
    assert caught.value.code == "invalid_json"
