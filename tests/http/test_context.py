"""One request's id, its plain responses, its error page."""

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from shared.errors import ErrorObject, NotFound, UpstreamErrorResponse
from shared.http.context import RequestContext, debug_headers, own_error_page
from shared.receipt import AttemptRecord, Receipt
from shared.trace import Tracer
from tests.harness.app import request_scope
from tests.harness.caller import Caller, Connection, Received
from tests.harness.cells import cells

NO_CORS: Mapping[str, str] = {}
CORS = {"access-control-allow-origin": "https://app.example.com", "vary": "origin"}


def context(cors: Mapping[str, str] = NO_CORS) -> RequestContext:
    return RequestContext.of(Request(request_scope("/chat")), "invocation-1", cors)


def received(response: Response) -> Received:
    async def call() -> Received:
        connection = Connection(Caller(), b"")
        await response(request_scope("/chat"), connection.receive, connection.send)
        return connection.received

    return asyncio.run(call())


def test_every_request_has_an_id_of_its_own_and_its_receipt_has_it_too() -> None:
    first, second = context(), context()
    assert first.id != second.id
    receipt = first.receipt("chat", "alice")
    assert (receipt.id, receipt.invocation_id, receipt.api, receipt.caller) == (
        first.id,
        "invocation-1",
        "chat",
        "alice",
    )


def test_a_receipt_names_the_trace_of_the_host_or_the_caller_and_begins_none_by_itself() -> None:
    class Host:
        trace_parent = f"00-{'a' * 32}-{'1' * 16}-00"
        trace_state = ""

    headers = {"traceparent": f"00-{'b' * 32}-{'2' * 16}-01"}
    request = Request(request_scope("/chat", headers=headers))
    of_host = RequestContext.of(request, "i", NO_CORS, host_trace=Host()).receipt("chat", "")
    of_caller = RequestContext.of(request, "i", NO_CORS).receipt("chat", "")
    assert (of_host.trace_id, of_host.trace) == ("a" * 32, None)
    assert (of_caller.trace_id, of_caller.trace) == ("b" * 32, None)
    assert context().receipt("chat", "").trace_id == ""


def test_with_telemetry_on_every_receipt_has_a_trace() -> None:
    request = Request(request_scope("/chat"))
    receipt = RequestContext.of(request, "i", NO_CORS, tracer=Tracer()).receipt("chat", "")
    assert receipt.trace is not None
    assert receipt.trace_id == receipt.trace.trace_id


def test_a_plain_response_has_the_id_and_the_headers_of_cors() -> None:
    one = context(CORS)
    seen = received(one.plain(b"{}", status=201, media_type="application/json", headers={"cache-control": "no-store"}))
    assert (seen.status, seen.body, seen.is_completed) == (201, b"{}", True)
    assert seen.headers["x-request-id"] == one.id
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["cache-control"] == "no-store"
    assert seen.headers["access-control-allow-origin"] == "https://app.example.com"


@cells(
    ("cors", "own", "vary"),
    [
        ({}, {}, None),
        (CORS, {}, "origin"),
        ({}, {"vary": "accept"}, "accept"),
        (CORS, {"vary": "origin"}, "origin"),
        (CORS, {"vary": "accept"}, "origin, accept"),
    ],
)
def test_a_plain_response_varies_by_all_that_it_depends_on(
    cors: dict[str, str], own: dict[str, str], vary: str | None
) -> None:
    assert received(context(cors).plain(b"", headers=own)).headers.get("vary") == vary


def test_an_error_without_an_answer_has_the_openai_shape_and_the_id() -> None:
    one = context(CORS)
    seen = received(one.refuse(NotFound("There is nothing here.", param="path")))
    assert (seen.status, seen.headers["content-type"]) == (404, "application/json")
    assert seen.json["error"] == {
        "message": "There is nothing here.", "type": "invalid_request_error", "code": "not_found", "param": "path",
    }  # fmt: skip
    assert (seen.headers["x-request-id"], seen.headers["cache-control"]) == (one.id, "no-store")
    assert seen.headers["vary"] == "origin"


def test_an_error_of_our_own_keeps_its_headers() -> None:
    error = NotFound("No.", headers={"allow": "GET"})
    assert own_error_page(error, {}).headers["allow"] == "GET"


def test_of_an_upstreams_headers_only_those_that_say_when_to_come_back_are_kept() -> None:
    error = UpstreamErrorResponse(
        status=429,
        error=ErrorObject("Slow down.", "rate_limit_error", "rate_limit_exceeded"),
        headers={"retry-after": "7", "retry-after-ms": "6500", "x-internal": "secret", "set-cookie": "a=b"},
    )
    page = own_error_page(error, {"x-request-id": "req_1"})
    assert (page.status, page.headers["retry-after"], page.headers["retry-after-ms"]) == (429, "7", "6500")
    assert not {"x-internal", "set-cookie"} & set(page.headers)
    assert b"rate_limit_exceeded" in page.body


@cells(("attempts", "told"), [(0, "1"), (1, "1"), (3, "3")])
def test_debug_headers_name_the_backend_and_the_attempts(attempts: int, told: str) -> None:
    receipt = Receipt(id="r", invocation_id="i", api="chat", backend="second")
    receipt.attempts = [AttemptRecord("main", "429", 0.1)] * attempts
    assert debug_headers(receipt) == {"x-backend": "second", "x-attempts": told}
