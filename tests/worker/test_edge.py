"""The HTTP edge on the real worker: odd verbs, foreign paths, keys, origins, wrong settings."""

from typing import Any

import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import ask
from tests.app_process import App
from tests.worker.sim import sim

ROUTES = [
    "/",
    "/chat",
    "/stream",
    "/chat/stream",
    "/health",
    "/v1/chat/completions",
    "/openai/models",
    "/page/app.js",
    "/nothing",
]
SHORT: dict[str, Any] = {"tokens": 2, "interval": 0}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", ["PROPFIND", "TRACE", "FOO"])
def test_a_method_that_no_function_has_never_reaches_the_worker(app: App, path: str, method: str) -> None:
    assert ask(app.url + path, method=method).status in (404, 204)  # the host answers 204 at the root
    assert ask(app.url + "/health").status == 200


PAGES = [
    "/docs",
    "/docs/",
    "/redoc",
    "/openapi.json",
    "/docs/oauth2-redirect",
    "/admin",
    "/admin/x",
    "/runtime/x",
    "/nothing",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_address_that_means_nothing_is_a_404_of_ours_and_the_frameworks_own_pages_too(
    app: App, path: str
) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        seen = ask(app.url + path, method=method)
        assert (seen.status, seen.json["error"]["code"]) == (404, "not_found")
        assert seen.headers["x-request-id"]
    assert (ask(app.url + path, method="HEAD").status, ask(app.url + path, method="OPTIONS").status) == (404, 204)
    assert "closed pages on" in ask(app.url + "/health").headers["x-patches"]


@pytest.mark.parametrize(("path", "allowed"), [("/chat", "POST"), ("/health", "GET, HEAD"), ("/v1/responses", "POST")])
def test_a_method_that_an_address_does_not_have_is_a_405_that_names_the_right_ones(
    app: App, path: str, allowed: str
) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        seen = ask(app.url + path, method=method)
        assert (seen.status, seen.headers["allow"], seen.json["error"]["code"]) == (405, allowed, "method_not_allowed")


@pytest.mark.parametrize("path", ["/", "/health", "/v1/models", "/openai/models", "/page/app.js"])
def test_where_there_is_get_there_is_head(app: App, path: str) -> None:
    read, probed = ask(app.url + path), ask(app.url + path, method="HEAD")
    assert (probed.status, probed.body) == (200, b"")
    assert probed.headers["content-length"] == read.headers["content-length"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1//chat/completions",
        "/v1/chat//completions/",
        "/openai/deployments/gpt/chat/completions/?api-version=2024-02-01",
        "/openai/chat/completions?api-version=2024-02-01",
        "/chat/completions",
    ],
)
def test_a_slash_too_many_or_a_base_that_is_missing_changes_nothing(app: App, path: str) -> None:
    body = {"model": "gpt", "messages": [{"role": "user", "content": sim(**SHORT)}]}
    seen = app.chat(body, path)
    assert (seen.status, seen.json["object"]) == (200, "chat.completion")


def test_opening_a_websocket_is_a_426_at_once_and_the_next_requests_are_served(app: App) -> None:
    opening = {"connection": "close, Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    opening["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    for path, status in (("/v1/responses", 426), ("/v1/models", 426), ("/nothing", 404), ("/chat", 426)):
        seen = ask(app.url + path, method="GET", headers=opening)
        assert (seen.status, seen.headers["content-type"]) == (status, "application/json")
        for _ in range(2):  # over the connection to the worker that carried the wish, too
            assert ask(app.url + "/health").status == 200
    assert ask(app.url + "/v1/responses").status == 405


@pytest.mark.parametrize("path", ["/page/a%0Ab", "/v1/a%0ab", "/v1/%0A", "/openai/deployments/a%0A/nothing"])
def test_a_line_feed_in_the_path_reaches_the_app_and_not_the_frameworks_own_404(app: App, path: str) -> None:
    # What the framework answers by itself leaves an invocation behind that hangs until its timeout kills the worker.
    seen = ask(app.url + path)
    assert (seen.status, seen.json["error"]["code"]) == (404, "not_found")
    assert seen.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/chat", "/openai/deployments/d/nothing"])
def test_an_unknown_path_of_the_openai_face_is_a_404_in_its_shape(app: App, path: str) -> None:
    seen = app.chat({}, path)
    assert (seen.status, seen.json["error"]["type"]) == (404, "invalid_request_error")


def test_a_wrong_method_of_the_openai_face_names_the_right_one(app: App) -> None:
    seen = ask(app.url + "/v1/chat/completions")
    assert (seen.status, seen.headers["allow"], seen.json["error"]["code"]) == (405, "POST", "method_not_allowed")


def test_the_hosts_function_key_guards_by_default(simulator: Simulator) -> None:
    with App.start(simulator, arguments=("--keys", "host-key"), AUTH_MODE="function") as app:
        refused = app.chat("hi")
        assert (refused.status, refused.body) == (401, b"")
        assert app.chat(sim(**SHORT), **{"x-functions-key": "host-key"}).status == 200
        assert app.chat(sim(**SHORT), "/chat?code=host-key").status == 200
        assert app.chat({}, "/v1/chat/completions").status == 401
        assert ask(app.url + "/health").status == ask(app.url + "/").status == 200
        assert "host-key" not in app.log.replace("Function key: host-key", "")


def test_behind_easy_auth_the_principal_is_the_caller(simulator: Simulator) -> None:
    with App.start(simulator, AUTH_MODE="entra", WEBSITE_AUTH_ENABLED="True") as app:
        assert app.chat("hi").status == 401
        assert app.chat(sim(**SHORT), **{"x-ms-client-principal-id": "user-7"}).status == 200
        assert app.receipts(caller="user-7")


def test_an_open_deployment_says_so_at_its_start(app: App) -> None:
    assert app.has_logged("AUTH_MODE is 'anonymous'")


def test_with_a_wrong_setting_the_host_asks_for_its_key_and_every_request_is_answered_with_the_one_sentence(
    simulator: Simulator,
) -> None:
    sentence = "AUTH_MODE is not valid; expected one of function, keys, entra, anonymous."
    with App.start(simulator, arguments=("--keys", "host-key"), AUTH_MODE="open") as app:
        # Nobody knows who may call, so the host asks for its key.
        assert app.chat("hi").status == 401
        for path in ("/chat", "/stream", "/v1/chat/completions", "/openai/deployments/d/completions"):
            seen = app.chat("hi", path, **{"x-functions-key": "host-key"})
            assert (seen.status, seen.json["error"]["code"]) == (503, "misconfigured")
            assert sentence in seen.json["error"]["message"]
        assert sentence in ask(app.url + "/").json["error"]["message"]
        assert ask(app.url + "/health").status == 503
        assert app.has_logged("AUTH_MODE is not valid: found a value of 4 characters; expected one of function")


def test_cors_is_off_by_default(app: App) -> None:
    seen = ask(app.url + "/chat", method="OPTIONS", headers={"origin": "https://app.example.com"})
    assert not [name for name in seen.headers if name.startswith("access-control")]


def test_keys_in_the_query_are_not_in_the_log(app: App) -> None:
    app.chat(sim(**SHORT), "/chat?code=top-secret-key")
    assert app.receipts()
    assert "top-secret-key" not in app.log
