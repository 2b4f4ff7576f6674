"""One request of the chat API: from its body to the answer that it asks for, and the heads of its response."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.chat.dialects import Dialect
from shared.chat.encoders import encoder_factory
from shared.chat.negotiation import choose_format
from shared.chat.request import ChatRequest, Message, TextPart
from shared.chat.shapes import parse_shaped_request, shape_of_call
from shared.chat.translation import ChatTranslation
from shared.config.model_names import resolve_model
from shared.config.settings import Settings
from shared.errors import AnswerError
from shared.http.context import RequestContext, debug_headers, own_error_page
from shared.http.outbound import ErrorPage
from shared.receipt import Receipt
from shared.upstream.attempts import Answer, Upstream
from shared.upstream.call import UpstreamCall
from shared.upstream.stream import Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatExchange:
    """See `response.Exchange`. `must_stream`: the address has no non-streaming answers."""

    settings: Settings
    upstream: Upstream
    dialect: Dialect
    context: RequestContext
    receipt: Receipt
    must_stream: bool

    def started(self) -> None:
        """Note that the response has begun."""
        self.context.started()

    def prepare(self, body: bytes) -> Answer:
        """Return the answer that the body asks for. Raise `BadRequest`, `NotAcceptable` or `ModelNotFound`."""
        settings, dialect, receipt = self.settings, self.dialect, self.receipt
        shape, parsed = parse_shaped_request(body, shape_of_call=request_shape(self.context))
        request = self._completed(parsed)
        receipt.format = self._format(shape, stream=request.stream)
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
            self.upstream,
            receipt,
        )

    def head(self, stream: Stream | None) -> Mapping[str, str]:  # noqa: ARG002 - nothing of the upstream's goes down
        """Return the answer's headers."""
        debug = debug_headers(self.receipt) if self.settings.debug_headers else {}
        return {"x-request-id": self.context.id, **self.context.cors, **debug}

    def error_page(self, error: AnswerError) -> ErrorPage:
        """Return the failure as an HTTP status and OpenAI's error object."""
        return own_error_page(error, {"x-request-id": self.context.id, **self.context.cors})

    def _format(self, shape: str, *, stream: bool | None) -> str:
        return choose_format(
            asked=self.context.request.query_params.get("format"),
            accept=self.context.request.headers.get("accept"),
            stream=stream,
            must_stream=self.must_stream,
            streaming_enabled=self.settings.streaming_enabled,
            shape=shape,
        )

    def _completed(self, request: ChatRequest) -> ChatRequest:
        """Apply this deployment's own rules: its system prompt, its limit of output tokens."""
        settings = self.settings
        if settings.system_prompt:
            own = Message("system", (TextPart(settings.system_prompt),))
            request = replace(request, messages=(own, *request.messages))
        if settings.max_output_tokens is not None:
            asked = request.max_output_tokens or settings.max_output_tokens
            request = replace(request, max_output_tokens=min(asked, settings.max_output_tokens))
        return request


def request_shape(context: RequestContext) -> str:
    """Return the request schema that the address and the headers announce."""
    return shape_of_call(context.request.url.path, context.request.headers)
