"""The OpenAI API, `/v1/…` and Azure's paths: any OpenAI client works by changing its base URL and key. A relay."""

from collections.abc import Callable
from functools import partial

import msgspec
from starlette.responses import Response

from shared.config.model_names import resolve_model, served_models
from shared.config.settings import Settings
from shared.errors import AnswerError, MethodNotAllowed, ModelNotFound, NotFound, UpstreamErrorResponse
from shared.http.auth import authorise
from shared.http.context import RequestContext, debug_headers, own_error_page
from shared.http.json_body import check_content_headers
from shared.http.open_streams import OpenStreams
from shared.http.response import AnswerResponse, ErrorPage, Exchange
from shared.openai_api.inspector import ChunkInspector, FrameInspector, ResponseInspector
from shared.openai_api.paths import Address, find_address
from shared.openai_api.relay import BodyRelay, BufferedRelay, StreamRelay
from shared.openai_api.request import OpenAIRequest, parse_openai_request, upstream_body
from shared.receipt import Receipt
from shared.translation import Translation
from shared.upstream.attempts import Answer, Upstream
from shared.upstream.call import UpstreamCall

_HEADERS_UP = ("openai-beta", "x-client-request-id", "x-ms-client-request-id")
_HEADERS_DOWN = frozenset(
    {
        "apim-request-id",
        "content-type",
        "openai-processing-ms",
        "retry-after",
        "retry-after-ms",
        "x-ms-region",
        "x-request-id",
    }
)
_QUERY_KEPT_BACK = frozenset({"api-version", "code", "clientid"})
"""`code` is the host's function key."""


class OpenAIEndpoint:
    """Makes the response object of one request; the work is done when the response is called."""

    def __init__(self, settings: Settings, upstream: Upstream, open_streams: OpenStreams) -> None:
        self._settings = settings
        self._upstream = upstream
        self._open_streams = open_streams

    def respond(self, context: RequestContext) -> Response:
        """The response to any method on any path of this api."""
        request = context.request
        try:
            caller = authorise(self._settings, request.headers)
            address = find_address(request.url.path)
            if address is None:
                raise NotFound(f"There is nothing at {request.method} {request.url.path}.")
            if request.method not in address.methods:
                allowed = ", ".join(sorted(address.methods))
                raise MethodNotAllowed(
                    f"{request.method} is not possible at {request.url.path}; expected {allowed}.",
                    headers={"allow": allowed},
                )
            if address.kind in ("models", "model"):
                return self._models(context, address)
            if address.kind == "answer":
                check_content_headers(request.headers)
        except AnswerError as error:
            return context.refuse(error)
        receipt = context.receipt("openai", caller)
        prepare = self._prepare_answer if address.kind == "answer" else self._prepare_stored
        exchange = Exchange(
            prepare=partial(prepare, context, receipt, address),
            head=partial(self._head, context, receipt),
            error_page=partial(self._error_page, context, receipt),
            receipt=receipt,
            on_start=context.started,
        )
        return AnswerResponse(exchange, settings=self._settings, open_streams=self._open_streams)

    def _models(self, context: RequestContext, address: Address) -> Response:
        names = served_models(self._settings)
        if address.kind == "model" and address.id not in names:
            raise ModelNotFound(f"The model {address.id!r} does not exist here.", param="model")
        entries = [{"id": name, "object": "model", "created": 0, "owned_by": "azure-openai"} for name in names]
        whole = {"object": "list", "data": entries}
        body = entries[names.index(address.id)] if address.kind == "model" else whole
        return context.plain(msgspec.json.encode(body), media_type="application/json")

    def _prepare_answer(self, context: RequestContext, receipt: Receipt, address: Address, body: bytes) -> Answer:
        settings = self._settings
        request = parse_openai_request(body)
        name = address.deployment if address.deployment is not None else request.model
        receipt.model = model = self._resolve(name, address)
        receipt.format = "stream" if request.stream else "whole"
        cap = settings.max_output_tokens
        call = UpstreamCall(
            path=address.path,
            model=model,
            body=lambda _backend, deployment: upstream_body(request, address.path, deployment, max_output_tokens=cap),
            headers=_headers_up(context),
            streams=request.stream,
            previous_id=request.previous_id,
        )
        return Answer(call, self._translations(address, request), self._upstream, receipt)

    def _resolve(self, name: str | None, address: Address) -> str:
        try:
            return resolve_model(self._settings, name)
        except ModelNotFound as error:
            if address.is_azure:
                error.code = "DeploymentNotFound"
            raise

    def _translations(self, address: Address, request: OpenAIRequest) -> Callable[[], Translation]:
        if not request.stream:
            return BodyRelay
        new_inspector: Callable[[], FrameInspector] = ChunkInspector
        if address.path == "responses":
            new_inspector = partial(ResponseInspector, commits_at_once=request.background)
        kind = StreamRelay if self._settings.streaming_enabled else BufferedRelay
        limit, hides_usage = self._settings.max_event_bytes, not request.wants_usage
        return lambda: kind(new_inspector(), hides_usage=hides_usage, max_event_bytes=limit)

    def _prepare_stored(self, context: RequestContext, receipt: Receipt, address: Address, body: bytes) -> Answer:
        asked = context.request.query_params
        query = [(name, value) for name, value in asked.multi_items() if name.lower() not in _QUERY_KEPT_BACK]
        streams = context.request.method == "GET" and asked.get("stream", "").lower() == "true"
        receipt.format = "stream" if streams else "whole"
        call = UpstreamCall(
            method=context.request.method,
            path=address.path,
            body=lambda _backend, _deployment: body or None,
            query=query,
            headers=_headers_up(context),
            streams=streams,
            stored_id=address.id,
        )
        limit = self._settings.max_event_bytes
        new_relay: Callable[[], Translation] = partial(BodyRelay, may_be_empty=True)
        if streams:
            inspector = partial(ResponseInspector, commits_at_once=True)
            new_relay = lambda: StreamRelay(inspector(), hides_usage=False, max_event_bytes=limit)  # noqa: E731
        return Answer(call, new_relay, self._upstream, receipt)

    def _head(self, context: RequestContext, receipt: Receipt, answer: Answer) -> dict[str, str]:
        came = answer.upstream_headers
        down = {name.lower(): value for name, value in came.items() if _goes_down(name.lower())}
        if isinstance(answer.translation, BodyRelay):
            down |= {name: came[name] for name in ("content-length", "content-encoding") if name in came}
        receipt.id = down.setdefault("x-request-id", context.id)
        debug = debug_headers(receipt) if self._settings.debug_headers else {}
        return {**down, **context.cors, **debug}

    def _error_page(self, context: RequestContext, receipt: Receipt, error: AnswerError) -> ErrorPage:
        own = {"x-request-id": context.id, **context.cors}
        if not isinstance(error, UpstreamErrorResponse) or error.raw_body is None:
            return own_error_page(error, own)
        down = {name.lower(): value for name, value in error.headers.items() if _goes_down(name.lower())}
        receipt.id = down.setdefault("x-request-id", context.id)
        return ErrorPage(error.status, {"content-type": error.content_type, **down, **context.cors}, error.raw_body)


def _goes_down(name: str) -> bool:
    return name in _HEADERS_DOWN or name.startswith("x-ratelimit-")


def _headers_up(context: RequestContext) -> dict[str, str]:
    headers = context.request.headers
    found = {name: headers[name] for name in _HEADERS_UP if name in headers}
    # Only ASCII can go up; a value of anything else is worth less than the request that carries it.
    return {name: value for name, value in found.items() if value.isascii()}
