"""What becomes of a request's headers between the client and the worker, and of a response's on their way back."""

import pytest

from dev.functions_host import heads
from dev.functions_host.request import Body, Headers, Request


def request(*headers: tuple[bytes, bytes], method: str = "GET", version: str = "1.1") -> Request:
    body = Body(lambda: None, lambda: None)
    return Request(
        body=body,
        client="1.2.3.4",
        method=method,
        path="/a%2Fb",
        query=b"q=%41",
        version=version,
        headers=[(b"host", b"shop.example"), *headers],
    )


def forwarded(one: Request, body: bytes = b"") -> list[bytes]:
    return heads.worker_request(one, "id", "127.0.0.1:1", body).partition(b"\r\n\r\n")[0].split(b"\r\n")


def test_the_path_is_encoded_again_and_the_query_is_not() -> None:
    assert forwarded(request())[0] == b"GET /a%252Fb?q=%41 HTTP/1.1"


def test_headers_of_one_name_are_joined_by_a_comma_and_cookies_by_a_semicolon() -> None:
    lines = forwarded(request((b"x-a", b"1"), (b"cookie", b"a=1"), (b"x-b", b"2"), (b"x-a", b"3"), (b"cookie", b"b=2")))
    assert [line for line in lines if line.startswith((b"x-a", b"x-b", b"cookie"))] == [
        b"x-a: 1, 3",
        b"cookie: a=1; b=2",
        b"x-b: 2",
    ]


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("POST", b"", b"content-length: 0"),
        ("PUT", b"", b"content-length: 0"),
        ("POST", b"hi", b"content-length: 2"),
        ("GET", b"hi", b"content-length: 2"),
        ("GET", b"", None),
        ("DELETE", b"", None),
        ("OPTIONS", b"", None),
    ],
)
def test_a_post_without_a_body_gets_a_length(method: str, body: bytes, length: bytes | None) -> None:
    lines = [line for line in forwarded(request(method=method), body) if line.startswith(b"content-length")]
    assert lines == ([length] if length else [])


def test_a_wish_for_another_protocol_is_passed_on_and_nothing_else_of_the_connection() -> None:
    wish = request(
        (b"connection", b"keep-alive, Upgrade"), (b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")
    )
    lines = forwarded(wish)
    assert {b"connection: Upgrade", b"upgrade: websocket", b"sec-websocket-version: 13"} <= set(lines)
    assert b"keep-alive" not in b"".join(lines)
    assert not [line for line in forwarded(request((b"connection", b"upgrade"))) if line.startswith(b"connection")]


def test_the_names_that_the_host_drops_and_those_that_it_passes_on() -> None:
    names = (b"forwarded", b"upgrade-insecure-requests", b"x(a", b"te", b"upgrade", b"expect", b"x-functions-key")
    lines = forwarded(request(*((name, b"value") for name in names)))
    assert [line for line in lines if line.endswith(b": value")] == [b"expect: value", b"x-functions-key: value"]


def test_a_value_that_is_not_forwarded_does_not_make_a_request_unsendable() -> None:
    assert heads.forwardable(request((b"forwarded", "é".encode()), (b"x-a", b"\x01")))
    assert not heads.forwardable(request((b"x-a", "é".encode())))


@pytest.mark.parametrize(
    ("value", "delivered"), [(b"a\tb ~", True), ("é".encode(), False), (b"\xe9", False), (b"a\x7f", False)]
)
def test_a_response_with_a_value_outside_printable_ascii_is_not_deliverable(value: bytes, delivered: bool) -> None:
    headers: Headers = [(b"content-type", b"text/plain"), (b"x-a", value)]
    assert heads.deliverable(headers) is delivered


def test_no_connection_header_is_added() -> None:
    closing = request((b"connection", b"close"))
    assert b"connection" not in heads.client_response(closing, 200, b"OK", [])
    assert b"connection" not in heads.own_response(404, b"", b"text/plain")


def test_two_values_of_one_header_are_read_as_one() -> None:
    """So that a key header that is sent twice fits no key."""
    assert request((b"x-functions-key", b"k"), (b"x-functions-key", b"k")).header(b"x-functions-key") == b"k, k"
