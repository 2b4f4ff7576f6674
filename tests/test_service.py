"""Every method of the service, with valid settings and with an invalid one, without a worker."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from dev.simulator.control import Simulator
from shared.service import ConfiguredService, MisconfiguredService, Service, service_from_env
from shared.version import VERSION
from tests.harness.cells import cells

ORIGIN = "https://app.example.com"
SETTINGS = {
    "AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com",
    "AZURE_OPENAI_DEPLOYMENT": "gpt",
    "AUTH_MODE": "anonymous",
    "ALLOWED_ORIGINS": ORIGIN,
}
INVALID = SETTINGS | {"COMMIT_SECONDS": "soon"}


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The error's."""
        return str(json.loads(self.body)["error"]["code"])


def request(method: str, path: str, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "a", **headers}.items()]
    return Request(
        {"type": "http", "method": method, "path": path, "query_string": b"", "headers": raw, "scheme": "https"}
    )


async def send(response: Response, body: bytes = b"") -> Answer:
    sent: list[Message] = []
    received = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        if (message := next(received, None)) is None:
            await asyncio.Event().wait()
        assert message is not None
        return message

    async def note(message: Message) -> None:
        sent.append(message)

    await response({"type": "http"}, receive, note)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


def ask(env: Mapping[str, str], call: Callable[[Service], Response], body: bytes = b"") -> Answer:
    return asyncio.run(send(call(service_from_env(env)), body))


JSON = {"content_type": "application/json"}
CHAT = json.dumps({"input": "hi"}).encode()


@pytest.fixture
def served(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings with the simulated Azure OpenAI behind them."""
    for name, value in simulator.identity_environment.items():
        monkeypatch.setenv(name, value)  # azure.identity reads them there
    return SETTINGS | simulator.identity_environment | {"AZURE_OPENAI_ENDPOINT": simulator.backends["main"]}


@pytest.mark.parametrize(
    ("call", "body", "beginning"),
    [
        (lambda s: s.chat(request("POST", "/chat", **JSON), "1"), CHAT, b"event: started"),
        (lambda s: s.chat(request("POST", "/stream", **JSON), "1", must_stream=True), CHAT, b"event: started"),
        (
            lambda s: s.openai(request("POST", "/v1/chat/completions", **JSON), "1"),
            json.dumps({"model": "gpt", "messages": [{"role": "user", "content": "hi"}], "stream": True}).encode(),
            b"data: {",
        ),
    ],
    ids=["chat", "stream", "openai"],
)
def test_an_answer_streams_and_the_connections_are_closed_at_the_end(
    served: dict[str, str], call: Callable[[Service], Response], body: bytes, beginning: bytes
) -> None:
    async def run() -> Answer:
        service = service_from_env(served)
        assert isinstance(service, ConfiguredService)
        await service.load()
        answer = await send(call(service), body)
        assert service._clients._transport is not None
        session = service._clients._transport._session
        assert session is not None
        closed = [session.closed]
        await service.aclose()
        assert [*closed, session.closed] == [False, True]
        return answer

    answer = asyncio.run(run())
    assert answer.status == 200
    assert answer.body.startswith(beginning)


def test_a_service_that_never_asked_a_model_closes_too() -> None:
    asyncio.run(service_from_env(SETTINGS).aclose())


def test_health_has_the_version_and_nothing_of_the_inside() -> None:
    def call(service: Service) -> Response:
        service.patched("own server on")
        return service.health(request("GET", "/health"), "1")

    answer = ask(SETTINGS, call)
    assert (answer.status, answer.body, answer.headers["x-version"]) == (200, b'{"status":"ok"}', VERSION)
    assert "x-patches" not in answer.headers


def test_health_shows_the_patches_under_debug_headers_once_they_are_known() -> None:
    service = service_from_env(SETTINGS | {"DEBUG_HEADERS": "true"})
    before = asyncio.run(send(service.health(request("GET", "/health"), "1")))
    service.patched("own server on; bounded waits off")
    after = asyncio.run(send(service.health(request("GET", "/health"), "1")))
    assert "x-patches" not in before.headers
    assert after.headers["x-patches"] == "own server on; bounded waits off"


@cells("env", [SETTINGS, INVALID], ids=["valid", "invalid"])
def test_the_page_is_served_to_a_browser_whatever_the_settings_are(env: dict[str, str]) -> None:
    home = ask(env, lambda service: service.home(request("GET", "/", accept="text/html"), "1"))
    script = ask(env, lambda service: service.page(request("GET", "/page/app.js"), "1"))
    missing = ask(env, lambda service: service.page(request("GET", "/page/nothing"), "1"))
    assert home.body.lower().startswith(b"<!doctype html>")
    assert (script.status, "javascript" in script.headers["content-type"]) == (200, True)
    assert (missing.status, missing.code) == (404, "not_found")
    assert json.loads(missing.body)["error"]["message"] == (
        "No route matches GET /page/nothing. The chat API is at /chat, the OpenAI API under /v1."
    )


def test_the_root_is_a_curl_line_to_everybody_else() -> None:
    answer = ask(SETTINGS, lambda service: service.home(request("GET", "/"), "1"))
    assert answer.status == 200
    assert b"curl" in answer.body
    assert answer.headers["vary"] == "origin, accept"


@cells(("env", "allowed"), [(SETTINGS, ORIGIN), (INVALID, None)], ids=["valid", "invalid"])
def test_a_preflight_is_answered_and_only_valid_settings_allow_an_origin(
    env: dict[str, str], allowed: str | None
) -> None:
    asked = request("OPTIONS", "/chat", origin=ORIGIN, access_control_request_method="POST")
    answer = ask(env, lambda service: service.preflight(asked, "1"))
    assert answer.status == 204
    assert answer.headers.get("access-control-allow-origin") == allowed


@cells(
    "call",
    [
        lambda s: s.chat(request("POST", "/chat", **JSON), "1"),
        lambda s: s.chat(request("POST", "/stream", **JSON), "1", must_stream=True),
        lambda s: s.openai(request("GET", "/v1/models"), "1"),
        lambda s: s.home(request("GET", "/"), "1"),
        lambda s: s.unmatched(request("GET", "/docs"), "1"),
    ],
    ids=["chat", "stream", "openai", "home", "unmatched"],
)
def test_with_an_invalid_setting_each_request_is_answered_with_its_name(call: Callable[[Any], Response]) -> None:
    answer = ask(INVALID, call, CHAT)
    assert (answer.status, answer.code) == (503, "misconfigured")
    assert json.loads(answer.body)["error"]["message"].startswith("COMMIT_SECONDS is not valid; expected")


def test_with_an_invalid_setting_health_is_unavailable_and_still_has_the_version() -> None:
    def call(service: Service) -> Response:
        service.patched("own server on")
        return service.health(request("GET", "/health"), "1")

    answer = ask(INVALID | {"DEBUG_HEADERS": "true"}, call)
    assert (answer.status, answer.body) == (503, b'{"status":"unavailable"}')
    assert answer.headers["x-version"] == VERSION
    assert "x-patches" not in answer.headers


def test_an_invalid_setting_loads_drains_and_closes_nothing() -> None:
    async def run() -> None:
        service = service_from_env(INVALID)
        assert isinstance(service, MisconfiguredService)
        await service.load()
        await service.drain()
        await service.aclose()

    asyncio.run(run())


def test_a_stopping_service_takes_no_more_answers(served: dict[str, str]) -> None:
    async def run() -> Answer:
        service = service_from_env(served | {"DRAIN_SECONDS": "0"})
        await service.drain()
        return await send(service.chat(request("POST", "/chat", **JSON), "1"), CHAT)

    answer = asyncio.run(run())
    assert (answer.status, answer.code) == (503, "server_stopping")


@pytest.mark.parametrize(
    ("mode", "operators", "warns"),
    [
        ("function", "boss, function", True),
        ("anonymous", "anonymous", True),
        ("function", "anonymous", False),
        ("function", "boss", False),
    ],
)
def test_it_warns_where_every_caller_is_an_operator(
    mode: str, operators: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        service_from_env(SETTINGS | {"AUTH_MODE": mode, "OPERATORS": operators}).announce()

    asyncio.run(main())
    said = f"OPERATORS names '{mode}', which is every caller under AUTH_MODE={mode}: each of them is told what all use."
    assert (said in caplog.text) is warns


@pytest.mark.parametrize(
    ("env", "said"),
    [
        (SETTINGS, "AUTH_MODE is 'anonymous': anyone who finds this address can spend tokens."),
        (SETTINGS | {"AUTH_MODE": "function"}, ""),
        (INVALID, "COMMIT_SECONDS is not valid: found"),
    ],
    ids=["anonymous", "function", "invalid"],
)
def test_only_when_asked_it_logs_what_its_operator_has_to_know(
    env: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = service_from_env(env)
    assert not caplog.records
    service.announce()
    assert [record.getMessage()[: len(said)] for record in caplog.records if record.levelno >= logging.WARNING] == (
        [said] if said else []
    )


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "Asking https://a.openai.azure.com/openai/v1/ (sign-in: az login or azd auth login); default model: gpt"),
        ({"IDENTITY_ENDPOINT": "http://127.0.0.1:1"}, "/openai/v1/ (sign-in: managed identity); default"),
        ({"AZURE_OPENAI_ENDPOINT": "http://127.0.0.1:7072"}, "Asking http://127.0.0.1:7072/openai/v1/ (sign-in: nothing); "),
        ({"OPENAI_BASE_URL": "http://ollama:11434/v1"}, "Asking http://ollama:11434/v1/ (sign-in: nothing); default"),
        ({"OPENAI_BASE_URL": "https://api.openai.com/v1", "AZURE_OPENAI_API_KEY": "k"}, "(sign-in: AZURE_OPENAI_API_KEY); "),
        ({"OPENAI_BASE_URL": "https://a.example/secret/v1"}, "Asking https://a.example/…/ (sign-in: nothing)"),
        ({"OPENAI_BASE_URL": "http://hunter2hunter2hunter2:80"}, "Asking a value of 3"),
    ],
)  # fmt: skip
def test_it_logs_whom_it_asks_and_how_it_signs_in(
    env: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service_from_env(SETTINGS | env).announce()
    assert said in caplog.records[0].getMessage()


@pytest.mark.parametrize("env", [SETTINGS, INVALID], ids=["valid", "invalid"])
def test_it_warns_of_a_misspelled_name_with_any_settings(env: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    service_from_env(env | {"AZURE_OPENAI_BACKEND": "[]"}).announce()
    assert (
        "AZURE_OPENAI_BACKEND is ignored: this app has no such setting (is AZURE_OPENAI_BACKENDS meant?)."
        in caplog.text
    )


def test_a_missing_default_model_is_the_operators_for_a_chat_and_the_callers_in_openais_api(
    caplog: pytest.LogCaptureFixture,
) -> None:
    env = SETTINGS | {"AZURE_OPENAI_DEPLOYMENT": ""}
    service_from_env(env).announce()
    assert "AZURE_OPENAI_DEPLOYMENT is not set" in caplog.text
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()

    async def both() -> tuple[Answer, Answer]:
        service = service_from_env(env)
        chat = await send(service.chat(request("POST", "/chat", **JSON), "1"), body)
        return chat, await send(service.openai(request("POST", "/v1/chat/completions", **JSON), "1"), body)

    chat, openai = asyncio.run(both())
    assert (chat.status, chat.code) == (503, "misconfigured")
    assert (openai.status, json.loads(openai.body)["error"]["param"]) == (400, "model")


@cells(("mode", "by_host"), [("function", True), ("", True), ("keys", False), ("anonymous", False), ("open", True)])
def test_the_host_asks_for_its_key_where_nothing_else_is_known_to_ask(mode: str, by_host: bool) -> None:
    assert service_from_env(SETTINGS | {"AUTH_MODE": mode}).host_checks_keys is by_host


@cells("path", ["/docs", "/redoc", "/openapi.json", "/favicon.ico", "/admin/x", "/runtime/x", "/chat/nothing"])
@cells("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_an_address_that_means_nothing_is_a_404_of_ours(method: str, path: str) -> None:
    answer = ask(SETTINGS, lambda service: service.unmatched(request(method, path, origin=ORIGIN), "1"))
    assert (answer.status, answer.code) == (404, "not_found")
    message = json.loads(answer.body)["error"]["message"]
    assert message == f"No route matches {method} {path}. The chat API is at /chat, the OpenAI API under /v1."
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["x-request-id"]


@cells(
    ("method", "path", "allowed"),
    [
        ("GET", "/chat", "POST"),
        ("HEAD", "/chat/stream", "POST"),
        ("PUT", "/stream", "POST"),
        ("POST", "/", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
        ("DELETE", "/page/app.js", "GET, HEAD"),
        ("PATCH", "/v1/chat/completions", "POST"),
        ("PUT", "/models", "GET, HEAD"),
    ],
)
def test_a_method_that_an_address_does_not_have_is_a_405_that_names_those_that_it_has(
    method: str, path: str, allowed: str
) -> None:
    answer = ask(SETTINGS, lambda service: service.unmatched(request(method, path), "1"))
    assert (answer.status, answer.code, answer.headers["allow"]) == (405, "method_not_allowed", allowed)


@cells("path", ["/chat", "/chat/stream", "/stream"])
def test_a_chat_address_that_is_opened_in_a_browser_says_how_to_ask(path: str) -> None:
    answer = ask(SETTINGS, lambda service: service.unmatched(request("GET", path, accept="text/html"), "1"))
    assert json.loads(answer.body)["error"]["message"] == (
        f"Method GET is not allowed for {path}. Allowed: POST. Send a question as JSON, with content-type: application/json, "
        'for example {"input": "hi"}; the chat page is at /.'
    )


@cells(
    ("path", "beginning"),
    [
        ("/health//", b'{"status":"ok"}'),
        ("/page//app.js", b"/"),
        ("/v1//models", b'{"object":"list"'),
        ("/openai//v1//models/", b'{"object":"list"'),
        ("/models", b'{"object":"list"'),
    ],
)
def test_an_address_with_slashes_too_many_or_without_its_base_is_served(path: str, beginning: bytes) -> None:
    answer = ask(SETTINGS, lambda service: service.unmatched(request("GET", path), "1"))
    assert (answer.status, answer.body[: len(beginning)]) == (200, beginning)


@pytest.mark.parametrize(
    ("path", "body", "beginning"),
    [
        ("/chat//", {"input": "hi"}, b"event: started"),
        ("/chat//stream", {"input": "hi"}, b"event: started"),
        ("/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}, b'{"'),
        ("/responses", {"input": "hi", "stream": True}, b"event: response.created"),
    ],
)
def test_a_question_at_such_an_address_is_answered(
    served: dict[str, str], path: str, body: dict[str, Any], beginning: bytes
) -> None:
    async def run() -> Answer:
        service = service_from_env(served)
        await service.load()
        answer = await send(service.unmatched(request("POST", path, **JSON), "1"), json.dumps(body).encode())
        await service.aclose()
        return answer

    answer = asyncio.run(run())
    assert (answer.status, answer.body[: len(beginning)]) == (200, beginning)


def test_where_keys_are_asked_for_an_address_without_its_base_asks_for_one_too() -> None:
    entry = "alice=sha256:" + "0" * 64
    keyed = SETTINGS | {"AUTH_MODE": "keys", "CALLER_KEYS": entry}
    for path in ("/chat//", "/v1//models", "/chat/completions"):
        answer = ask(keyed, lambda service: service.unmatched(request("POST", path, **JSON), "1"))  # noqa: B023
        assert (answer.status, answer.code) == (401, "invalid_api_key")
    assert ask(keyed, lambda service: service.unmatched(request("GET", "/docs"), "1")).status == 404


def test_what_is_measured_is_known_only_where_telemetry_has_somewhere_to_go() -> None:
    settings = SETTINGS | {"HTTPS_PROXY": "http://proxy.example:3128", "TELEMETRY_SEMCONV": "latest"}
    assert service_from_env(settings).measured() is None
    assert service_from_env(INVALID | {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c.example"}).measured() is None
    for here, proxy in (("https://c.example:4318", "http://proxy.example:3128"), ("http://127.0.0.1:4318", "")):
        measured = service_from_env(settings | {"OTEL_EXPORTER_OTLP_ENDPOINT": here}).measured()
        assert measured is not None
        assert (measured.otlp_endpoint, measured.otlp_proxy, measured.semconv) == (here, proxy, "latest")
        (backend,) = measured.backends.values()
        assert backend == ("azure.ai.openai", "a.openai.azure.com", 443)
        assert (measured.open_streams(), list(measured.ready().values())) == (0, [True])


def test_it_warns_of_settings_of_the_worker_that_work_against_its_telemetry(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "shared.service"):
        service_from_env(SETTINGS | {"PYTHON_ENABLE_OPENTELEMETRY": "true"}).announce()
    assert "PYTHON_ENABLE_OPENTELEMETRY is set: the Functions host then leaves" in caplog.text


def test_without_telemetry_nothing_of_it_is_imported() -> None:
    code = (
        "import os, sys; from shared.service import service_from_env; from shared.hosting.installation import install; "
        "install(service_from_env(os.environ), os.environ); "
        "print([name for name in sys.modules if name.startswith(('shared.telemetry', 'opentelemetry'))])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env=SETTINGS, capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_usage_is_recorded_only_where_somebody_is_to_know_and_nothing_of_it_is_imported_otherwise() -> None:
    code = (
        "import sys; from shared.service import service_from_env\n"
        "settings = {'AZURE_OPENAI_ENDPOINT': 'https://a.openai.azure.com'}\n"
        "for more in ({}, {'OPERATORS': 'alice'}):\n"
        "    service_from_env(settings | more)\n"
        "    print([name for name in sys.modules if name.startswith(('shared.limits', 'shared.usage'))] != [])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\nTrue\n"
    answer = ask(SETTINGS, lambda service: service.usage(request("GET", "/usage"), "1"))
    assert (answer.status, answer.code) == (404, "usage_not_recorded")


def test_answers_are_resumed_only_where_that_is_on_and_nothing_of_it_is_imported_otherwise() -> None:
    code = (
        "import sys; from shared.service import service_from_env\n"
        "settings = {'AZURE_OPENAI_ENDPOINT': 'https://a.openai.azure.com', 'AZURE_OPENAI_API': 'responses'}\n"
        "for more in ({}, {'RESUME': 'on'}):\n"
        "    service_from_env(settings | more)\n"
        "    print([one for one in sys.modules if 'resume' in one or one.endswith(('resuming', 'take_up'))] != [])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\nTrue\n"
    for method, path in (
        ("GET", "/chat/answers/resp_x"),
        ("POST", "/chat/answers/resp_x/stop"),
        ("GET", "/chat/x/stream"),
    ):
        answer = ask(SETTINGS, lambda service: service.unmatched(request(method, path), "1"))  # noqa: B023
        assert (answer.status, answer.code) == (404, "not_found")


def test_health_says_whether_answers_are_resumed() -> None:
    on = SETTINGS | {"RESUME": "on", "AZURE_OPENAI_API": "responses"}
    search = {"RETRIEVAL": "on", "SEARCH_ENDPOINT": "https://s.search.windows.net", "SEARCH_INDEX": "docs"}
    for settings, said in ((SETTINGS, None), (on, True), (on | search, None)):
        answer = ask(settings, lambda service: service.health(request("GET", "/health"), "1"))
        assert json.loads(answer.body).get("resume") is said


def test_an_answers_address_is_served_in_every_spelling_and_with_its_own_methods() -> None:
    on = SETTINGS | {"RESUME": "on", "AZURE_OPENAI_API": "responses"}
    for method, path, status in (
        ("GET", "/chat/a/stream", 204),
        ("GET", "//chat/a/stream/", 204),
        ("POST", "/chat/answers/resp_x", 405),
        ("GET", "/chat/answers/resp_x/stop", 405),
        ("GET", "/chat/answers/resp_x", 404),
        ("GET", "/chat/answers", 404),
    ):
        assert asyncio.run(status_of(on, method, path)) == status, (method, path)


async def status_of(settings: Mapping[str, str], method: str, path: str) -> int:
    """Return the status, from a response that is made in the loop that sends it."""
    return (await send(service_from_env(settings).unmatched(request(method, path), "1"))).status


@pytest.mark.parametrize("path", ["/usage", "/usage/", "//usage"])
def test_usage_is_told_at_every_spelling_of_its_address(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AzureWebJobsStorage", "AzureWebJobsStorage__accountName", "AzureWebJobsStorage__blobServiceUri"):
        monkeypatch.delenv(name, raising=False)
    env = SETTINGS | {"CALLER_LIMITS": '{"*": {"streams": 2}}', "OPERATORS": "anonymous"}

    async def run() -> list[Answer]:
        service = service_from_env(env)
        found = [await send(service.unmatched(request(method, path), "1")) for method in ("GET", "POST")]
        await service.aclose()
        return found

    told, refused = asyncio.run(run())
    assert (told.status, json.loads(told.body)["callers"]) == (200, "all")
    assert json.loads(told.body)["limits"] == [
        {"unit": "streams", "span": "now", "maximum": 2, "left": 2, "resets_at": None}
    ]
    assert (refused.status, refused.code) == (405, "method_not_allowed")


def test_usage_is_for_callers_with_a_key_whether_it_is_recorded_or_not() -> None:
    keys = {"AUTH_MODE": "keys", "CALLER_KEYS": "alice=sha256:" + "0" * 64}
    for more in ({}, {"OPERATORS": "alice"}):
        answer = ask(SETTINGS | keys | more, lambda service: service.usage(request("GET", "/usage"), "1"))
        assert (answer.status, answer.code) == (401, "invalid_api_key")
