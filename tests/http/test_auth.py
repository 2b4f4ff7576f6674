"""Who may call."""

import hashlib

import pytest
from starlette.datastructures import Headers

from shared.config.caller_keys import make_caller_key, parse_caller_keys
from shared.config.settings import Settings
from shared.errors import Unauthorized
from shared.http.auth import authorise, caller_identity
from tests.harness.cells import cells

ENV = {"AZURE_OPENAI_ENDPOINT": "https://acc.openai.azure.com"}


def settings(mode: str, **more: str) -> Settings:
    return Settings.from_env(ENV | {"AUTH_MODE": mode} | more)


KEYS = f"alice=sha256:{hashlib.sha256(b'k1').hexdigest()},bob=sha256:{hashlib.sha256(b'k2').hexdigest().upper()}"


@cells(
    ("header", "value"),
    [("Authorization", "Bearer k2"), ("api-key", "k2"), ("x-functions-key", "k2"), ("authorization", "bearer  k2")],
)
def test_a_key_is_accepted_in_each_of_three_headers(header: str, value: str) -> None:
    assert authorise(settings("keys", CALLER_KEYS=KEYS), Headers({header: value})) == "bob"


@cells(
    "headers",
    [
        {"authorization": "Bearer unused", "api-key": "k2"},
        {"authorization": "Bearer unused", "x-functions-key": "k2"},
        {"api-key": "unused", "authorization": "Bearer k2"},
        {"api-key": "unused", "x-functions-key": "k2"},
        {"authorization": "Basic abc", "api-key": " ", "x-functions-key": "k2"},
    ],
)
def test_a_placeholder_beside_a_known_key_shuts_nobody_out(headers: dict[str, str]) -> None:
    assert authorise(settings("keys", CALLER_KEYS=KEYS), Headers(headers)) == "bob"


def test_of_two_known_keys_the_first_header_names_the_caller() -> None:
    both = Headers({"api-key": "k2", "authorization": "Bearer k1"})
    assert authorise(settings("keys", CALLER_KEYS=KEYS), both) == "alice"


@cells(
    "headers",
    [
        {},
        {"api-key": "k3"},
        {"api-key": "k3", "authorization": "Bearer k4", "x-functions-key": "k5"},
        {"authorization": "Basic k1"},
        {"api-key": ""},
        {"api-key": "é"},
    ],
)
def test_no_key_or_a_wrong_one_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized) as caught:
        authorise(settings("keys", CALLER_KEYS=KEYS), Headers(headers))
    assert (caught.value.status, caught.value.code) == (401, "invalid_api_key")
    assert caught.value.headers["www-authenticate"] == "Bearer"


def test_a_made_key_opens_and_only_its_digest_is_stored() -> None:
    key, entry = make_caller_key("carol")
    assert key not in entry
    assert authorise(settings("keys", CALLER_KEYS=entry), Headers({"api-key": key})) == "carol"
    assert parse_caller_keys(entry)[0].name == "carol"


def test_a_principal_header_counts_only_behind_easy_auth() -> None:
    entra = settings("entra", WEBSITE_AUTH_ENABLED="True")
    assert authorise(entra, Headers({"x-ms-client-principal-id": "user-1"})) == "user-1"
    with pytest.raises(Unauthorized):
        authorise(entra, Headers({}))


@cells("mode", ["function", "anonymous"])
def test_where_the_app_checks_nothing_the_caller_is_named_after_the_mode(mode: str) -> None:
    assert authorise(settings(mode), Headers({"x-ms-client-principal-id": "forged"})) == mode


def test_the_identity_that_responses_are_bound_to_differs_by_mode_and_shows_no_key() -> None:
    found = {
        mode: caller_identity(settings(mode, CALLER_KEYS=KEYS, WEBSITE_AUTH_ENABLED="True"), "bob", Headers(), {})
        for mode in ("keys", "entra", "anonymous")
    }
    assert found == {"keys": "keys:bob", "entra": "entra:bob", "anonymous": ""}
    by_header = caller_identity(settings("function"), "function", Headers({"x-functions-key": "k1"}), {"code": "k2"})
    assert by_header == caller_identity(settings("function"), "function", Headers(), {"code": "k1"})
    assert by_header != caller_identity(settings("function"), "function", Headers(), {"code": "k2"})
    assert "k1" not in by_header
    assert caller_identity(settings("function"), "function", Headers(), {"code": "\ud800"})
