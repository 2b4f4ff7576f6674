"""The chat API, `/chat` and `/stream`: a small request in, the answer's deltas out in the format that the caller asks for."""

from dataclasses import replace
from functools import partial

from starlette.responses import Response

from shared.chat.dialects import DIALECTS
from shared.chat.encoders import encoder_factory
from shared.chat.negotiation import choose_format
from shared.chat.request import ChatRequest, Message, TextPart
from shared.chat.shapes import parse_shaped_request, shape_of_call
from shared.chat.translation import ChatTranslation
from shared.config.model_names import resolve_model
from shared.config.settings import Settings
from shared.errors import AnswerError
from shared.http.auth import authorise
from shared.http.context import RequestContext, debug_headers, own_error_page
from shared.http.json_body import check_content_headers
from shared.http.open_streams import OpenStreams
from shared.http.response import AnswerResponse, ErrorPage, Exchange
from shared.receipt import Receipt
from shared.upstream.attempts import Answer, Upstream
from shared.upstream.call import UpstreamCall


class ChatEndpoint:
    """Makes the response object of one request; the work is done when the response is called."""

    def __init__(self, settings: Settings, upstream: Upstream, open_streams: OpenStreams) -> None:
        self._settings = settings
        self._upstream = upstream
        self._open_streams = open_streams
        self._dialect = DIALECTS[settings.api]

    def respond(self, context: RequestContext, *, must_stream: bool) -> Response:
        """The response to a POST. `must_stream`: this address has no whole answers."""
        headers = context.request.headers
        try:
            caller = authorise(self._settings, headers)
            check_content_headers(headers)
            # What can be refused is refused before the body is read; it may say `stream: false`, and then any Accept will do.
            self._format(context, _shape(context), stream=None if must_stream else False, must_stream=must_stream)
        except AnswerError as error:
            return context.refuse(error)
        receipt = context.receipt("chat", caller)
        exchange = Exchange(
            prepare=partial(self._prepare, context, receipt, must_stream),
            head=partial(self._head, context, receipt),
            error_page=partial(self._error_page, context),
            receipt=receipt,
            on_start=context.started,
        )
        return AnswerResponse(exchange, settings=self._settings, open_streams=self._open_streams)

    def _format(self, context: RequestContext, shape: str, *, stream: bool | None, must_stream: bool) -> str:
        return choose_format(
            asked=context.request.query_params.get("format"),
            accept=context.request.headers.get("accept"),
            stream=stream,
            must_stream=must_stream,
            streaming_enabled=self._settings.streaming_enabled,
            shape=shape,
        )

    def _prepare(self, context: RequestContext, receipt: Receipt, must_stream: bool, body: bytes) -> Answer:  # noqa: FBT001
        settings, dialect = self._settings, self._dialect
        shape, parsed = parse_shaped_request(body, shape_of_call=_shape(context))
        request = self._complete(parsed)
        receipt.format = self._format(context, shape, stream=request.stream, must_stream=must_stream)
        receipt.model = model = resolve_model(settings, request.model)
        call = UpstreamCall(
            path=dialect.path,
            model=model,
            body=lambda backend, deployment: dialect.request_body(request, deployment, backend=backend),
        )
        new_encoder = encoder_factory(receipt.format, request.carried, streaming_enabled=settings.streaming_enabled)
        return Answer(
            call,
            lambda: ChatTranslation(dialect.new_decoder(), new_encoder(), max_event_bytes=settings.max_event_bytes),
            self._upstream,
            receipt,
        )

    def _complete(self, request: ChatRequest) -> ChatRequest:
        """The request under this deployment's own rules: its system prompt, its cap."""
        settings = self._settings
        if settings.system_prompt:
            own = Message("system", (TextPart(settings.system_prompt),))
            request = replace(request, messages=(own, *request.messages))
        if settings.max_output_tokens is not None:
            asked = request.max_output_tokens or settings.max_output_tokens
            request = replace(request, max_output_tokens=min(asked, settings.max_output_tokens))
        return request

    def _head(self, context: RequestContext, receipt: Receipt, _answer: Answer) -> dict[str, str]:
        debug = debug_headers(receipt) if self._settings.debug_headers else {}
        return {"x-request-id": context.id, **context.cors, **debug}

    def _error_page(self, context: RequestContext, error: AnswerError) -> ErrorPage:
        return own_error_page(error, {"x-request-id": context.id, **context.cors})


def _shape(context: RequestContext) -> str:
    return shape_of_call(context.request.url.path, context.request.headers)
