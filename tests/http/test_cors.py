"""Cross-origin requests: off unless the origin is named."""

import pytest
from starlette.datastructures import Headers

from shared.config.settings import Settings
from shared.http.cors import MAX_LOGGED_ORIGINS, RefusedOrigins, cors_headers, preflight_headers
from tests.harness.app import environment
from tests.harness.cells import cells

ALLOWED = {"ALLOWED_ORIGINS": "https://app.example.com, http://localhost:3000"}
ALLOW, VARY = "access-control-allow-origin", "vary"


def settings(**more: str) -> Settings:
    return Settings.from_env(environment(1, **more))


@cells("origin", ["https://app.example.com", "http://localhost:3000", "HTTPS://APP.example.com"])
def test_a_named_origin_may_read_the_answer_and_the_headers_that_clients_need(origin: str) -> None:
    found = cors_headers(settings(**ALLOWED), Headers({"Origin": origin}))
    assert (found[ALLOW], found[VARY]) == (origin, "origin")
    assert {"x-request-id", "retry-after"} <= set(found["access-control-expose-headers"].split(", "))


@cells("origin", ["https://evil.example", "null", "", "https://app.example.com.evil.example"])
def test_another_origin_gets_nothing_but_a_cache_learns_what_it_depends_on(origin: str) -> None:
    assert cors_headers(settings(**ALLOWED), Headers({"origin": origin})) == {VARY: "origin"}
    assert preflight_headers(settings(**ALLOWED), Headers({"origin": origin})) == {VARY: "origin"}


def test_without_a_named_origin_there_is_not_a_header_of_cors() -> None:
    headers = Headers({"origin": "https://app.example.com"})
    assert cors_headers(settings(), headers) == preflight_headers(settings(), headers) == {}


@cells(("asked", "allowed"), [("authorization,content-type", "authorization,content-type"), (None, "content-type")])
def test_a_preflight_allows_the_methods_and_the_headers_that_are_asked_for(asked: str | None, allowed: str) -> None:
    more = {"access-control-request-headers": asked} if asked else {}
    found = preflight_headers(settings(**ALLOWED), Headers({"origin": "http://localhost:3000", **more}))
    assert found["access-control-allow-headers"] == allowed
    assert set(found["access-control-allow-methods"].split(", ")) == {"GET", "POST", "DELETE"}
    assert int(found["access-control-max-age"]) > 0


@cells("origin", ["app://obsidian.md", "chrome-extension://abcdefghijklmnop", "tauri://localhost"])
def test_an_application_that_is_named_may_call_like_a_page(origin: str) -> None:
    named = settings(ALLOWED_ORIGINS=f"https://app.example.com,{origin}")
    assert preflight_headers(named, Headers({"origin": origin}))[ALLOW] == origin
    assert ALLOW not in preflight_headers(named, Headers({"origin": origin + "x"}))


@cells("asked", ["x\xe9", "x\x01", "", ",", "a b", "a;b", "a," * 9000, "\u0661"])
def test_what_is_no_list_of_names_does_not_go_back_into_a_header(asked: str) -> None:
    headers = {"origin": "http://localhost:3000", "access-control-request-headers": asked}
    assert preflight_headers(settings(**ALLOWED), headers)["access-control-allow-headers"] == "content-type"


def test_a_refused_origin_is_logged_once_with_what_allows_it(caplog: pytest.LogCaptureFixture) -> None:
    refused = RefusedOrigins()
    for origin in ("http://localhost:5173", "http://LOCALHOST:5173", "http://localhost:3000", ""):
        refused.note(settings(**ALLOWED), Headers({"origin": origin}))
    assert [record.getMessage() for record in caplog.records] == [
        "Origin http://localhost:5173 was refused: add it to ALLOWED_ORIGINS and restart the app to allow its pages."
    ]


def test_strangers_can_neither_fill_the_log_nor_write_into_it(caplog: pytest.LogCaptureFixture) -> None:
    refused = RefusedOrigins()
    for number in range(MAX_LOGGED_ORIGINS * 2):
        refused.note(settings(), Headers({"origin": f"https://evil{number}.example/\nERROR an invented line"}))
    assert len(caplog.records) == MAX_LOGGED_ORIGINS
    assert "invented" not in caplog.text
