"""Which of a request's headers go up to the model's service."""

from starlette.requests import Request

from shared.http.context import RequestContext
from shared.openai_api.exchange import _headers_up


def test_a_header_that_cannot_go_up_is_left_out() -> None:
    """The Functions host passes on none with a value outside ASCII; other hosts may."""
    headers = [(b"openai-beta", b"x=1"), (b"x-client-request-id", "é".encode()), (b"x-custom", b"1")]
    request = Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers})
    assert _headers_up(RequestContext.of(request, "1", {})) == {"openai-beta": "x=1"}
