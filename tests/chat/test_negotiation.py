"""Which format an answer gets."""

from collections.abc import Callable
from functools import partial

import pytest

from shared.chat.negotiation import MAX_RANGES, Preferences, check_acceptable, choose_format, parse_accept
from shared.chat.request import Schema
from shared.errors import BadRequest, NotAcceptable
from tests.harness.cells import cells

NATIVE, UI_MESSAGE, CHAT_PROTOCOL = Schema.NATIVE, Schema.UI_MESSAGE, Schema.CHAT_PROTOCOL


def preferences(
    accept: str | None = None, *, asked: str | None = None, must: bool = False, on: bool = True
) -> Preferences:
    return Preferences(asked=asked, accept=parse_accept(accept), must_stream=must, streaming_enabled=on)


def choose(
    accept: str | None = None,
    *,
    schema: Schema = NATIVE,
    asked: str | None = None,
    stream: bool | None = None,
    must: bool = False,
    on: bool = True,
) -> str:
    return choose_format(preferences(accept, asked=asked, must=must, on=on), schema, stream=stream)


@cells(
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
        ("application/json, text/plain, */*", "json"),
        ("*/*, application/json", "json"),
        ("text/*, application/json", "json"),
        ("text/plain, application/json", "text"),
        ("text/event-stream, application/json", "sse"),
        ("application/json, text/event-stream", "json"),
        ("application/json;q=0.5, */*", "sse"),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "sse"),
    ],
)
def test_the_accept_header_is_weighed_as_rfc_9110_says(accept: str | None, chosen: str) -> None:
    assert choose(accept) == chosen


@cells("accept", ["text/html", "image/*", "text/event-stream;q=0, text/html", "nonsense"])
def test_406_when_nothing_fits(accept: str) -> None:
    with pytest.raises(NotAcceptable, match=r"No acceptable format\. Available: text/event-stream, ") as caught:
        choose(accept)
    assert caught.value.status == 406


def test_the_query_wins_over_the_header() -> None:
    assert choose("text/plain", asked="ndjson") == "ndjson"
    with pytest.raises(BadRequest, match="'format' is not valid"):
        choose(asked="xml")


def test_stream_false_always_gives_json() -> None:
    assert choose("text/event-stream", stream=False) == "json"


def test_an_address_that_streams_never_gives_a_non_streaming_answer() -> None:
    assert choose(must=True) == "sse"
    with pytest.raises(NotAcceptable):
        choose("application/json", must=True)
    with pytest.raises(NotAcceptable):
        choose(asked="json", must=True)
    with pytest.raises(BadRequest, match="'stream' is false"):
        choose(stream=False, must=True)


@cells("accept", [None, "text/plain", "text/event-stream"])
def test_where_streaming_is_off_no_answer_streams(accept: str | None) -> None:
    assert choose(accept, on=False) == choose(accept, on=False, must=True) == "json"
    assert choose(accept, on=False, must=True, stream=False) == "json"


# The schemas of other clients.


def ui(
    accept: str | None = "*/*",
    *,
    stream: bool | None = None,
    asked: str | None = None,
    must: bool = False,
    on: bool = True,
) -> str:
    return choose(accept, schema=UI_MESSAGE, stream=stream, asked=asked, must=must, on=on)


def protocol(
    accept: str | None = "*/*",
    *,
    stream: bool | None = None,
    asked: str | None = None,
    must: bool = False,
    on: bool = True,
) -> str:
    return choose(accept, schema=CHAT_PROTOCOL, stream=stream, asked=asked, must=must, on=on)


def test_a_client_with_a_schema_of_its_own_gets_the_format_of_its_own() -> None:
    assert ui() == ui(None) == ui("text/event-stream") == "ui-message"
    assert protocol() == protocol("application/json") == "chat-protocol-json"
    assert protocol(must=True) == protocol("application/json", must=True) == "chat-protocol"


def test_another_format_can_be_asked_for_all_the_same() -> None:
    assert ui("text/plain") == ui(asked="text") == "text"
    assert ui(stream=False) == "json"
    assert protocol(asked="sse") == "sse"
    assert choose(asked="ui-message") == "ui-message"


def test_the_protocol_streams_where_its_address_or_the_body_says_so() -> None:
    assert choose(asked="chat-protocol") == protocol(stream=False) == "chat-protocol-json"
    assert choose(asked="chat-protocol", stream=True) == "chat-protocol"
    assert choose(asked="chat-protocol", must=True) == "chat-protocol"
    with pytest.raises(NotAcceptable, match="application/jsonl"):
        protocol("text/event-stream")


def test_where_streaming_is_off_these_clients_still_get_their_own_format() -> None:
    assert ui(on=False, must=True) == "ui-message"
    assert protocol(on=False, must=True) == "chat-protocol"
    assert protocol(on=False) == "chat-protocol-json"
    assert ui("text/plain", on=False) == "json"


# Before the body is read.


def error_of(choice: Callable[[], object]) -> str | None:
    try:
        choice()
    except BadRequest as error:
        return error.message
    return None


@cells("schema", [NATIVE, CHAT_PROTOCOL])
@cells("asked", [None, "sse", "json", "chat-protocol", "xml"])
@cells("accept", [None, "text/html", "application/json", "text/event-stream"])
@cells("must", [False, True])
@cells("on", [False, True])
def test_what_is_refused_before_the_body_is_read_is_what_no_body_could_change(
    schema: Schema, asked: str | None, accept: str | None, must: bool, on: bool
) -> None:
    wanted = preferences(accept, asked=asked, must=must, on=on)
    errors = [error_of(partial(choose_format, wanted, schema, stream=stream)) for stream in (None, True, False)]
    assert error_of(partial(check_acceptable, wanted, schema)) == (errors[0] if all(errors) else None)


def test_only_the_first_ranges_of_an_accept_header_are_read() -> None:
    others = ",".join(f"x/{number}" for number in range(MAX_RANGES - 1))
    assert choose(f"{others},text/plain") == "text"
    with pytest.raises(NotAcceptable):
        choose(f"{others},x/y,text/plain")


def test_the_first_of_two_equal_ranges_counts() -> None:
    assert choose("text/plain;q=0.1, application/json;q=0.5, text/plain") == "json"
