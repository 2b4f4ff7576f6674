"""The path of a request after its way through the host and the worker's server."""

import pytest

from shared.http.target import requested_path


@pytest.mark.parametrize(
    ("path", "requested"),
    [
        ("/v1/models", "/v1/models"),
        ("/v1/models/azure%2Fgpt-x", "/v1/models/azure/gpt-x"),
        ("/v1/models/azure%2fgpt%2Fx", "/v1/models/azure/gpt/x"),
        ("/v1/models/azure/gpt-x", "/v1/models/azure/gpt-x"),
        ("/v1/models/a?b#c", "/v1/models/a?b#c"),
        ("/v1/models/100%25", "/v1/models/100%25"),
        ("/v1/models/%E9", "/v1/models/%E9"),
    ],
)
def test_an_encoded_slash_is_a_slash_and_nothing_else_is_changed(path: str, requested: str) -> None:
    assert requested_path({"type": "http", "path": path}) == requested
