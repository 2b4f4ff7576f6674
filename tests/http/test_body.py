"""The request's body off the wire: whole, bounded, or nobody's."""

import asyncio

import pytest
from starlette.types import Message

from shared.errors import RequestTooLarge
from shared.http.body import ClientLeft, read_body


def read(*messages: Message, max_bytes: int = 10) -> tuple[bytes, int]:
    """Return the body, and how many messages are left."""
    waiting = list(messages)

    async def receive() -> Message:
        return waiting.pop(0)

    return asyncio.run(read_body(receive, max_bytes)), len(waiting)


def piece(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


LEFT: Message = {"type": "http.disconnect"}


def test_the_pieces_are_one_body() -> None:
    assert read(piece(b"a", more=True), piece(b"", more=True), piece(b"bc"), LEFT) == (b"abc", 1)


def test_a_message_without_a_body_is_an_empty_one() -> None:
    assert read({"type": "http.request"}) == (b"", 0)


def test_the_limit_is_the_last_size_that_is_taken() -> None:
    assert read(piece(b"x" * 10))[0] == b"x" * 10
    with pytest.raises(RequestTooLarge) as caught:
        read(piece(b"x" * 11))
    assert (caught.value.status, caught.value.code) == (413, "request_too_large")


def test_a_body_that_is_too_large_is_refused_before_its_end() -> None:
    with pytest.raises(RequestTooLarge):
        read(piece(b"x" * 6, more=True), piece(b"x" * 6, more=True))


def test_who_leaves_while_sending_is_no_bad_request() -> None:
    with pytest.raises(ClientLeft):
        read(piece(b"a", more=True), LEFT)
