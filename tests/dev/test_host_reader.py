"""How strictly and how leniently the development host reads HTTP, held against what Kestrel was measured to do."""

import pytest

from dev.functions_host.request import Headers
from dev.functions_host.request_reader import BadRequest, RequestReader

HOST = b"host: h\r\n"


class Received:
    def __init__(self) -> None:
        self.heads: list[tuple[str, bytes, str]] = []
        self.headers: list[Headers] = []
        self.body = b""
        self.ended = 0

    def on_head(self, method: str, target: bytes, version: str, headers: Headers) -> None:
        self.heads.append((method, target, version))
        self.headers.append(headers)

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_end(self) -> None:
        self.ended += 1


def read(data: bytes, *, step: int | None = None) -> Received:
    received = Received()
    reader = RequestReader(received)
    for start in range(0, len(data), step or len(data)):
        reader.feed(data[start : start + (step or len(data))])
    return received


def status(data: bytes) -> int:
    with pytest.raises(BadRequest) as found:
        read(data)
    return found.value.status


SIZED = b"POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nx-t: 1\r\n\r\n"
)


@pytest.mark.parametrize("step", [None, 1, 2, 7])
@pytest.mark.parametrize("data", [SIZED, CHUNKED, SIZED.replace(b"\r\n", b"\n")], ids=["sized", "chunked", "bare LF"])
def test_a_request_may_arrive_in_any_pieces(data: bytes, step: int | None) -> None:
    received = read(data, step=step)
    assert received.heads[0][0] == "POST"
    assert (received.body, received.ended) == (b"hello", 1)


def test_the_next_request_waits_until_it_is_asked_for() -> None:
    received = Received()
    reader = RequestReader(received)
    reader.feed(SIZED + CHUNKED)
    assert (len(received.heads), received.ended) == (1, 1)
    assert reader.waiting_bytes == len(CHUNKED)
    reader.next_request()
    assert (len(received.heads), received.ended, received.body) == (2, 2, b"hellohello")


@pytest.mark.parametrize(
    ("line", "header"),
    [
        (b"x-user: caf\xc3\xa9", (b"x-user", b"caf\xc3\xa9")),
        (b"x-user: a\x01b", (b"x-user", b"a\x01b")),
        (b"x-user: a\x7fb", (b"x-user", b"a\x7fb")),
        (b"x-user:\ta\tb ", (b"x-user", b"a\tb")),
        (b"X(a: 1", (b"x(a", b"1")),
        (b"Empty:", (b"empty", b"")),
    ],
)
def test_a_header_that_kestrel_takes(line: bytes, header: tuple[bytes, bytes]) -> None:
    assert header in read(b"GET / HTTP/1.1\r\n" + HOST + line + b"\r\n\r\n").headers[0]


@pytest.mark.parametrize(
    "line",
    [b"x: a\0b", b"x: a\rb", b"x: \xff", b"x: a\r\n folded", b"no colon", b": v", b"x y: 1", b"x : 1", b"\xc3: 1"],
)
def test_a_header_that_kestrel_does_not_take_is_a_400(line: bytes) -> None:
    assert status(b"GET / HTTP/1.1\r\n" + HOST + line + b"\r\n\r\n") == 400


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"G(T / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        (b"GET / FTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n", 414),
        (b"GET /" + b"x" * 9000, 414),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST * 2 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"x: 1\r\n" * 100 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"x: " + b"v" * 33_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 1\r\ncontent-length: 1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: gzip\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\nx\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n1\r\nab\r\n", 400),
    ],
)
def test_what_kestrel_refuses_is_refused(data: bytes, expected: int) -> None:
    assert status(data) == expected


def test_a_hundred_headers_and_a_length_with_a_sign_are_taken() -> None:
    assert len(read(b"GET / HTTP/1.1\r\n" + HOST + b"x: 1\r\n" * 99 + b"\r\n").headers[0]) == 100
    assert read(b"POST / HTTP/1.1\r\n" + HOST + b"content-length: +3\r\n\r\nabc").body == b"abc"


def test_empty_lines_before_a_request_and_a_missing_host_of_http_1_0_are_taken() -> None:
    assert read(b"\r\n\r\nget / HTTP/1.0\r\n\r\n").heads == [("get", b"/", "1.0")]
