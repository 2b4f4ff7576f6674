"""The native conversation: what is accepted, and the sentence for what is not."""

from typing import Any

import msgspec
import pytest

from shared.chat.json_text import JsonText
from shared.chat.messages import MAX_MESSAGES, MAX_PARTS
from shared.chat.messages import read_messages as read_messages_of
from shared.chat.request import ImagePart, Message, TextPart
from shared.errors import BadRequest
from tests.harness.cells import cells

HI = {"role": "user", "content": "hi"}


def read_messages(listed: Any) -> tuple[Message, ...]:
    return read_messages_of(msgspec.Raw(msgspec.json.encode(listed)))


def parts(*content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(content)}]


def test_messages_carry_text_parts_and_images() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}
    listed = [{"role": "developer", "content": "be brief"}, *parts({"type": "text", "text": "what?"}, image)]
    assert read_messages(listed) == (
        Message("developer", (TextPart.of("be brief"),)),
        Message("user", (TextPart.of("what?"), ImagePart("https://x/y.png", "low"))),
    )


def test_an_image_may_be_its_address_alone() -> None:
    for url in ("https://x/y.png", "data:image/png;base64,AAAA"):
        assert read_messages(parts({"type": "image_url", "image_url": url}))[0].parts == (ImagePart(url),)


def test_the_text_of_a_message_is_that_of_its_parts() -> None:
    assert Message("user", (TextPart.of("a"), ImagePart("https://x"), TextPart.of("b"))).text == JsonText.of("ab")
    assert Message("user", (ImagePart("https://x"),)).text == JsonText.of("")


def test_a_conversation_may_have_as_many_messages_as_are_said_and_no_more() -> None:
    assert len(read_messages([HI] * MAX_MESSAGES)) == MAX_MESSAGES
    with pytest.raises(BadRequest, match=f"1 to {MAX_MESSAGES} messages"):
        read_messages([HI] * (MAX_MESSAGES + 1))


def test_a_message_may_have_as_many_parts_as_are_said_and_no_more() -> None:
    part = {"type": "text", "text": "x"}
    assert len(read_messages(parts(*[part] * MAX_PARTS))[0].parts) == MAX_PARTS
    with pytest.raises(BadRequest, match=f"1 to {MAX_PARTS} parts"):
        read_messages(parts(*[part] * (MAX_PARTS + 1)))


@cells(
    ("listed", "field", "allowed"),
    [
        ([], "messages", "a list of 1 to 2048 messages"),
        ("hi", "messages", "a list of 1 to 2048 messages"),
        (["hi"], "messages[0]", "an object with role, content"),
        ([HI, HI | {"role": "tool"}], "messages[1].role", "one of system, developer, user, assistant"),
        ([HI | {"role": {}}], "messages[0].role", "one of system, developer, user, assistant"),
        ([{"role": "user"}], "messages[0].content", "text, or a list of 1 to 2048 parts"),
        ([HI | {"content": ""}], "messages[0].content", "text that is not empty"),
        ([HI | {"content": []}], "messages[0].content", "text, or a list of 1 to 2048 parts"),
        (parts({"type": "text", "text": " "}), "messages[0].content", "text that is not empty"),
        (parts({"type": "audio"}), "messages[0].content[0].type", "text or image_url"),
        (parts("hi"), "messages[0].content[0].type", "text or image_url"),
        (parts({"type": "text", "text": 1}), "messages[0].content[0].text", "text"),
        (
            parts({"type": "image_url", "image_url": "file:///etc/passwd"}),
            "messages[0].content[0].image_url.url",
            "an https address or a data:image/ URL",
        ),
        (
            parts({"type": "image_url", "image_url": {"url": "https://x", "detail": 1}}),
            "messages[0].content[0].image_url.detail",
            "auto, low or high",
        ),
        (parts({"type": "image_url"}), "messages[0].content[0].image_url", "an object with url, detail"),
    ],
)
def test_an_error_names_the_field_and_what_is_allowed_there(listed: Any, field: str, allowed: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_messages(listed)
    assert (caught.value.status, caught.value.param) == (400, field)
    assert caught.value.message == f"'{field}' is not valid; expected {allowed}."


@cells(
    ("listed", "field"),
    [
        ([HI | {"name": "n", "x": 1}], "messages[0].name"),
        (parts({"type": "text", "text": "x", "cache": 1}), "messages[0].content[0].cache"),
    ],
)
def test_an_unknown_field_is_named_with_its_place(listed: Any, field: str) -> None:
    with pytest.raises(BadRequest, match=r"Unknown field '.*'; allowed are ") as caught:
        read_messages(listed)
    assert caught.value.param == field
