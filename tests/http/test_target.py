"""The path of a request after its way through the host and the worker's server."""

import pytest
from starlette.requests import Request

from shared.errors import MethodNotAllowed, UpgradeRequired
from shared.http.target import check_method, requested_path
from tests.harness.cells import cells


@cells(
    ("path", "requested"),
    [
        ("/v1/models", "/v1/models"),
        ("/v1/models/azure%2Fgpt-x", "/v1/models/azure/gpt-x"),
        ("/v1/models/azure%2fgpt%2Fx", "/v1/models/azure/gpt/x"),
        ("/v1/models/azure/gpt-x", "/v1/models/azure/gpt-x"),
        ("/v1/models/a?b#c", "/v1/models/a?b#c"),
        ("/v1/models/100%25", "/v1/models/100%25"),
        ("/v1/models/%E9", "/v1/models/%E9"),
        ("/v1/models/", "/v1/models"),
        ("/v1//models//", "/v1/models"),
        ("//v1///models", "/v1/models"),
        ("/v1/models/azure%2F", "/v1/models/azure"),
        ("/", "/"),
        ("//", "/"),
    ],
)
def test_an_encoded_slash_is_a_slash_and_several_are_one_and_none_closes_the_path(path: str, requested: str) -> None:
    assert requested_path({"type": "http", "path": path}) == requested


def request(method: str, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "path": "/v1/responses", "query_string": b"", "headers": raw})


def test_a_method_that_the_path_does_not_have_is_refused_with_those_that_it_has() -> None:
    check_method(request("GET"), {"GET", "HEAD"})
    with pytest.raises(
        MethodNotAllowed, match=r"Method PUT is not allowed for /v1/responses\. Allowed: GET, HEAD\."
    ) as caught:
        check_method(request("PUT"), {"HEAD", "GET"})
    assert caught.value.headers == {"allow": "GET, HEAD"}


@cells("headers", [{"upgrade": "WebSocket"}, {"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ=="}], ids=["upgrade", "key"])
@cells("methods", [{"POST"}, {"GET"}])
def test_the_opening_of_a_websocket_is_refused_with_426_whatever_the_path_has(
    headers: dict[str, str], methods: set[str]
) -> None:
    with pytest.raises(UpgradeRequired, match="over HTTP"):
        check_method(request("GET", **headers), methods)
    with pytest.raises(MethodNotAllowed):
        check_method(request("PUT", **headers), methods)
