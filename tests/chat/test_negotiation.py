"""Which format an answer gets."""

import pytest

from shared.chat.negotiation import choose_format
from shared.errors import BadRequest, NotAcceptable


def choose(
    accept: str | None = None,
    *,
    asked: str | None = None,
    stream: bool | None = None,
    must: bool = False,
    on: bool = True,
) -> str:
    return choose_format(asked=asked, accept=accept, stream=stream, must_stream=must, streaming_enabled=on)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "sse"),
        ("", "sse"),
        ("*/*", "sse"),
        ("text/event-stream", "sse"),
        ("application/x-ndjson", "ndjson"),
        ("application/jsonl", "jsonl"),
        ("text/plain", "text"),
        ("TEXT/Plain", "text"),
        ("application/json", "json"),
        ("text/*", "sse"),
        ("application/*", "ndjson"),
        ("application/json;q=0.5, text/plain;q=0.9", "text"),
        ("text/html, application/json", "json"),
        ("text/html, */*;q=0.1", "sse"),
        ("text/event-stream;q=0, */*", "ndjson"),
        ("text/*;q=0.3, text/plain;q=0.7, */*;q=0.5", "text"),
        ("application/json; charset=utf-8; q=1", "json"),
        ("text/plain;q=oops, application/json;q=0.1", "json"),
        ("text/plain;q=1.5, application/json;q=0.1", "json"),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "sse"),
        ("application/json;q=.5, text/plain;q=0.6666", "text"),
    ],
)
def test_the_accept_header_is_weighed_as_rfc_9110_says(accept: str | None, chosen: str) -> None:
    assert choose(accept) == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/*", "text/event-stream;q=0, text/html", "nonsense"])
def test_406_when_nothing_fits(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="text/event-stream") as caught:
        choose(accept)
    assert caught.value.status == 406


def test_the_query_wins_over_the_header() -> None:
    assert choose("text/plain", asked="ndjson") == "ndjson"
    with pytest.raises(BadRequest, match="'format' is not valid"):
        choose(asked="xml")


def test_stream_false_always_gives_json() -> None:
    assert choose("text/event-stream", stream=False) == "json"


def test_an_address_that_streams_never_answers_whole() -> None:
    assert choose(must=True) == "sse"
    with pytest.raises(NotAcceptable):
        choose("application/json", must=True)
    with pytest.raises(NotAcceptable):
        choose(asked="json", must=True)
    with pytest.raises(BadRequest, match="'stream' is false"):
        choose(stream=False, must=True)


@pytest.mark.parametrize("accept", [None, "text/plain", "text/event-stream"])
def test_where_streaming_is_off_every_request_is_answered_whole(accept: str | None) -> None:
    assert choose(accept, on=False) == choose(accept, on=False, must=True) == "json"
    assert choose(accept, on=False, must=True, stream=False) == "json"
