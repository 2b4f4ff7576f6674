"""What an address of the OpenAI API means."""

import pytest

from shared.openai_api.paths import find_address

ANSWERS = ["chat/completions", "completions", "responses", "responses/compact", "responses/input_tokens", "embeddings"]


@pytest.mark.parametrize("prefix", ["/v1/", "/openai/v1/"])
@pytest.mark.parametrize("path", ANSWERS)
def test_answers_are_at_openais_own_addresses(prefix: str, path: str) -> None:
    address = find_address(prefix + path)
    assert address is not None
    assert (address.kind, address.path, set(address.methods), address.is_azure) == ("answer", path, {"POST"}, False)


@pytest.mark.parametrize("path", ["chat/completions", "completions", "embeddings"])
def test_azures_older_addresses_name_the_deployment(path: str) -> None:
    address = find_address(f"/openai/deployments/my-gpt/{path}")
    assert address is not None
    assert (address.kind, address.path, address.deployment, address.is_azure) == ("answer", path, "my-gpt", True)


@pytest.mark.parametrize(
    ("path", "kind", "methods", "upstream"),
    [
        ("/openai/responses", "answer", {"POST"}, "responses"),
        ("/openai/models", "models", {"GET"}, "models"),
        ("/v1/models", "models", {"GET"}, "models"),
        ("/v1/models/gpt-5", "model", {"GET"}, "models/gpt-5"),
        ("/v1/responses/resp_1", "stored", {"GET", "DELETE"}, "responses/resp_1"),
        ("/openai/responses/resp_1", "stored", {"GET", "DELETE"}, "responses/resp_1"),
        ("/v1/responses/resp_1/cancel", "stored", {"POST"}, "responses/resp_1/cancel"),
        ("/v1/responses/resp_1/input_items", "stored", {"GET"}, "responses/resp_1/input_items"),
    ],
)
def test_models_and_stored_responses_have_addresses(path: str, kind: str, methods: set[str], upstream: str) -> None:
    address = find_address(path)
    assert address is not None
    assert (address.kind, set(address.methods), address.path) == (kind, methods, upstream)


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v1/audio/speech", "/v1/chat", "/v1/responses/../secret",
     "/v1/responses/..", "/v1/responses/.", "/v1/responses/../cancel",
     "/v1/responses/../input_items", "/v1/responses/a/b", "/v1/models/a/b",
     "/v1/chat/completions/", "/openai/chat/completions", "/openai/deployments/d/responses", "/openai/deployments//completions",
     "/v2/completions", "/"],
)  # fmt: skip
def test_everything_else_means_nothing(path: str) -> None:
    assert find_address(path) is None
