"""Whose fault a failed attempt is: what the pool learns, what the log says, what the caller does not get to know."""

import asyncio
import logging
from dataclasses import dataclass, field

import pytest

from shared.config.backends import Backend
from shared.config.catalog import Target
from shared.config.settings import Settings
from shared.errors import (
    AnswerError,
    IdentityUnavailable,
    OutOfResources,
    UpstreamErrorResponse,
    UpstreamUnreachable,
)
from shared.openai_api.inspector import ChunkInspector
from shared.openai_api.relay import StreamRelay
from shared.receipt import Receipt
from shared.upstream import attempt_log
from shared.upstream.attempts import MAX_ID_CHARACTERS, Answer, Upstream
from shared.upstream.call import UpstreamCall, UpstreamResponse
from shared.upstream.circuit import Open
from shared.upstream.errors import error_from_status
from shared.upstream.pool import BackendPool
from tests.harness.cells import cells
from tests.upstream.bodies import Body

BASE = "http://localhost:11434/"
WORD = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
MODEL = Target("m", {str(number): "m" for number in range(3)})
CALL = UpstreamCall(path="chat/completions", target=MODEL, query=[("code", "SECRET")])


@dataclass
class Clients:
    """Each backend fails as the test says, or answers with one word."""

    failures: list[AnswerError | None]
    headers: dict[str, str] = field(default_factory=dict)
    pieces: tuple[bytes, ...] = (WORD,)
    asked: list[str] = field(default_factory=list)

    async def load(self) -> None:
        """Nothing is slow."""

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        self.asked.append(backend.name)
        failure = self.failures[int(backend.name)]
        if failure is not None:
            raise failure
        return UpstreamResponse(200, self.headers, Body(list(self.pieces), "eof"))

    async def aclose(self) -> None:
        """Nothing is open."""


def pool_of(clients: Clients, *, scopes: str = "ss", is_azure: bool = True, base_url: str = BASE) -> BackendPool:
    backends = [
        Backend(name=str(number), base_url=base_url, priority=number, scope=scopes[number], is_azure=is_azure)
        for number in range(len(clients.failures))
    ]
    return BackendPool(backends)


def begin(
    clients: Clients, pool: BackendPool | None = None, call: UpstreamCall = CALL, **env: str
) -> tuple[AnswerError | None, Receipt]:
    async def case() -> AnswerError | None:
        settings = Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", **env})
        upstream = Upstream(clients, pool or pool_of(clients), settings)

        def new_translation() -> StreamRelay:
            return StreamRelay(ChunkInspector(), hides_usage=True, max_event_bytes=10_000)

        try:
            (await Answer(call, new_translation, upstream, receipt).begin()).close()
        except AnswerError as failure:
            return failure
        return None

    receipt = Receipt(id="r", invocation_id="i", api="openai")
    return asyncio.run(case()), receipt


def log_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == attempt_log.__name__]


@cells("failure", [IdentityUnavailable("x"), OutOfResources("x")])
def test_what_is_no_backends_fault_cools_none(failure: AnswerError) -> None:
    clients = Clients([failure, None])
    pool = pool_of(clients)
    assert begin(clients, pool)[0] is failure
    assert (pool._circuits, clients.asked) == ({}, ["0"])


def test_a_backend_of_another_scope_may_have_a_token() -> None:
    clients = Clients([IdentityUnavailable("x"), IdentityUnavailable("x"), None])
    assert begin(clients, pool_of(clients, scopes="aab"))[0] is None
    assert clients.asked == ["0", "2"]


def test_running_out_of_resources_does_not_close_the_circuit_of_a_backend_that_is_being_probed() -> None:
    clients = Clients([OutOfResources("x")])
    pool = pool_of(clients)
    (candidate,) = pool.candidates_for_model(MODEL)
    pool._circuits[candidate.key] = Open(0.0, 3)
    begin(clients, pool)
    assert isinstance(pool._circuits[candidate.key], Open)


def test_a_failed_attempt_is_logged_with_its_address_and_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    failure, _ = begin(Clients([UpstreamUnreachable("x", cause="connection refused"), None]))
    assert failure is None
    (line,) = log_of(caplog)
    assert line == (
        "Backend 0 failed before content: 'upstream_unreachable' (connection refused) "
        "at http://localhost:11434/chat/completions"
    )


def test_a_path_that_a_server_does_not_know_is_a_guess_at_the_base_url(caplog: pytest.LogCaptureFixture) -> None:
    unknown = error_from_status(404, {"content-type": "text/plain"}, b"404 page not found")
    clients = Clients([unknown])
    failure, _ = begin(clients, pool_of(clients, is_azure=False))
    assert failure is unknown
    (line,) = log_of(caplog)
    assert line == (
        "Backend 0 failed before content: 404 (404 text/plain) at http://localhost:11434/chat/completions: "
        "does OPENAI_BASE_URL end in /v1?"
    )


def test_an_error_that_is_the_callers_own_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    own = error_from_status(400, {"content-type": "application/json"}, b'{"error":{"message":"no","code":"bad"}}')
    assert begin(Clients([own]))[0] is own
    assert log_of(caplog) == []


@pytest.mark.parametrize("body", [b"<html></html>", b'{"id":"x"}'])
def test_an_answer_that_is_no_stream_is_logged_as_such(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    failure, _ = begin(Clients([None], {"content-type": "text/html; charset=utf-8"}, (body,)))
    assert failure is not None
    assert "(200 text/html is no stream) at http" in log_of(caplog)[0]
    assert "html" not in failure.message


def test_no_line_can_be_forged_and_no_query_nor_stored_id_is_in_it(caplog: pytest.LogCaptureFixture) -> None:
    forged = error_from_status(503, {}, b'{"error":{"code":"\\u001b[31m\\nFORGED LINE","message":"SECRET"}}')
    begin(Clients([forged]))
    call = UpstreamCall(method="GET", path="responses/resp_SECRET/input_items", owner="0")
    begin(Clients([UpstreamUnreachable("x")]), call=call)
    lines = log_of(caplog)
    assert len(lines) == 3, "the second is asked again at once"
    assert all(line.isprintable() for line in lines)
    assert "SECRET" not in "".join(lines)
    assert lines[1].endswith("at http://localhost:11434/responses/…")


SIGN_INS: dict[str, tuple[dict[str, str], bool, str, str]] = {
    "managed identity": (
        {"IDENTITY_ENDPOINT": "x"},
        True,
        "managed identity the role",
        "managed identity needs the role",
    ),
    "az login": ({}, True, "signed in to the Azure CLI the role", "Owner and Contributor do not include it"),
    "a key": (
        {"AZURE_OPENAI_API_KEY": "k" * 32},
        False,
        "AZURE_OPENAI_API_KEY",
        "does not accept AZURE_OPENAI_API_KEY",
    ),
    "nothing": ({}, False, "requires a key", "requires a key"),
    "nothing, since it is simulated": ({}, True, "requires a key", "requires a key"),
}


@pytest.mark.parametrize("name", SIGN_INS)
@pytest.mark.parametrize("status", [401, 403])
def test_a_rejection_says_what_this_apps_sign_in_lacks(
    name: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    env, is_azure, message, logged = SIGN_INS[name]
    caplog.set_level(logging.WARNING, attempt_log.__name__)
    clients = Clients([error_from_status(status, {}, b'{"error":{"message":"SECRET"}}')])
    base_url = "https://a.openai.azure.com/openai/v1/" if name in ("az login", "managed identity") else BASE
    failure, _ = begin(clients, pool_of(clients, is_azure=is_azure, base_url=base_url), CALL, **env)
    assert failure is not None
    assert (failure.status, failure.code) == (502, "upstream_identity_refused")
    assert message in failure.message
    assert failure.__suppress_context__, "a traceback would show the upstream's words"
    (line,) = log_of(caplog)
    assert f"Backend 0 answered {status}: " in line
    assert logged in line


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "files/file-1", "User"),
        ("POST", "files", "Contributor"),
        ("DELETE", "files/file-1", "Contributor"),
        ("POST", "batches", "Contributor"),
        ("DELETE", "responses/resp_1", "User"),
    ],
)
def test_where_a_file_is_refused_the_role_is_named_that_may_change_it(
    method: str, path: str, role: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, attempt_log.__name__)
    clients = Clients([error_from_status(401, {}, b"{}")])
    pool = pool_of(clients, is_azure=True, base_url="https://a.openai.azure.com/openai/v1/")
    failure, _ = begin(clients, pool, UpstreamCall(method=method, path=path), IDENTITY_ENDPOINT="x")
    assert failure is not None
    (line,) = log_of(caplog)
    for said in (failure.message, line):
        assert f"the role Cognitive Services OpenAI {role} on" in said


def test_no_id_of_the_upstreams_is_kept_or_logged_at_any_length() -> None:
    long = "resp_" + "x" * 1_000_000
    word = b'data: {"id":"resp_1","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
    clients = Clients([None], {"x-request-id": "\x1b" + long}, (word,))
    _, receipt = begin(clients, pool_of(clients))
    assert receipt.upstream_request_id == long[:MAX_ID_CHARACTERS]


def test_an_error_of_one_backend_is_never_in_the_words_of_another() -> None:
    first = UpstreamErrorResponse(status=503, error=error_from_status(503, {}, b"").error_object())
    clients = Clients([first, UpstreamUnreachable("x")])
    assert begin(clients)[0] is first
    assert clients.asked == ["0", "1"]
