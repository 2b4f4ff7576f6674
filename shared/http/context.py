"""The HTTP edge that both APIs share: one request's identity, its plain responses, its error page."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.errors import RETRY_HEADERS, AnswerError, UpstreamErrorResponse
from shared.hosting.invocations import release_invocation
from shared.http.outbound import ErrorPage
from shared.receipt import Receipt
from shared.trace import HostTrace, Tracer, parent_of

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request as it arrived: its id (the caller gets it as x-request-id), and the headers that CORS adds to its answer.

    `host_trace`: the host's trace context; None where it has none. `tracer`: None where telemetry is off.
    """

    request: Request
    invocation_id: str
    id: str
    cors: Mapping[str, str]
    host_trace: HostTrace | None = None
    tracer: Tracer | None = None

    @classmethod
    def of(
        cls,
        request: Request,
        invocation_id: str,
        cors: Mapping[str, str],
        *,
        host_trace: HostTrace | None = None,
        tracer: Tracer | None = None,
    ) -> "RequestContext":
        """Return the context of a request, with a new id."""
        return cls(request, invocation_id, "req_" + secrets.token_hex(12), cors, host_trace, tracer)

    def receipt(self, api: str, caller: str) -> Receipt:
        """Return a receipt to be filled in."""
        receipt = Receipt(id=self.id, invocation_id=self.invocation_id, api=api, caller=caller)
        headers = self.request.headers
        if self.tracer is not None:
            receipt.trace = self.tracer.begin(self.host_trace, headers)
            receipt.trace_id = receipt.trace.trace_id
        elif (parent := parent_of(self.host_trace, headers)) is not None:
            receipt.trace_id = parent.trace_id
        return receipt

    def started(self) -> None:
        """Note that the response has begun: the worker library releases the invocation."""
        release_invocation(self.invocation_id)

    def plain(
        self, body: bytes, *, status: int = 200, media_type: str | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> Response:
        """Return a response whose body is known at once."""
        merged = {"x-request-id": self.id, **self.cors, **headers}
        if varies := [one["vary"] for one in (self.cors, headers) if "vary" in one]:
            merged["vary"] = ", ".join(dict.fromkeys(varies))
        return PlainResponse(self, body, status, media_type, merged)

    def refuse(self, error: AnswerError) -> Response:
        """Return a response that is nothing but an error, before any model was called."""
        page = own_error_page(error, {"x-request-id": self.id, **self.cors})
        return PlainResponse(self, page.body, page.status, None, page.headers)


class PlainResponse(Response):
    """A response without a stream."""

    def __init__(
        self, context: RequestContext, body: bytes, status: int, media_type: str | None, headers: Mapping[str, str]
    ) -> None:
        """Build the response; the context is needed once it begins."""
        super().__init__(body, status, dict(headers), media_type)
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        self._context.started()
        await super().__call__(scope, receive, send)


def own_error_page(error: AnswerError, headers: Mapping[str, str]) -> ErrorPage:
    """Return the error as OpenAI's error object; of an upstream's headers only those that say when to retry."""
    kept = error.headers
    if isinstance(error, UpstreamErrorResponse):
        kept = {name: kept[name] for name in RETRY_HEADERS if name in kept}
    own = {"content-type": "application/json", "cache-control": "no-store", **headers}
    return ErrorPage(error.status, {**own, **kept}, error.body())


def debug_headers(receipt: Receipt) -> dict[str, str]:
    """Where the answer came from, and at which attempt."""
    return {"x-backend": receipt.backend, "x-attempts": str(max(len(receipt.attempts), 1))}
