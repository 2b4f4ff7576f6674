"""One request of the chat API: from its body to the answer that it asks for, and the heads of its response."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.chat.dialects import Dialect
from shared.chat.encoders import FORMATS, Encoder, encoder_factory
from shared.chat.negotiation import Preferences, choose_format
from shared.chat.request import ChatRequest, Message, Schema, TextPart
from shared.chat.shapes import parse_chat_request
from shared.chat.translation import ChatTranslation
from shared.config.settings import Settings
from shared.demand import Demand
from shared.errors import AnswerError, BadRequest
from shared.http.context import RequestContext, debug_headers, own_error_page
from shared.http.outbound import ErrorPage
from shared.receipt import Receipt
from shared.upstream.affinity import texts_key
from shared.upstream.attempts import Answer, Upstream
from shared.upstream.call import UpstreamCall
from shared.upstream.stream import Stream

if TYPE_CHECKING:
    from shared.chat.grounding import Grounding, Prelude
    from shared.chat.resuming import Resuming


MESSAGE_BYTES = 14
"""What a message adds to its text for the model, which names its role: about four tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatExchange:
    """See `response.Exchange`. `schema`: the request schema that the address and the headers announce.

    `headers_up`: the headers of the request that go up.
    """

    settings: Settings
    upstream: Upstream
    dialect: Dialect
    context: RequestContext
    receipt: Receipt
    preferences: Preferences
    schema: Schema
    headers_up: Mapping[str, str]
    grounding: "Grounding | None" = None
    """None where RETRIEVAL is off."""
    resuming: "Resuming | None" = None
    """None where RESUME is off."""

    def started(self) -> None:
        """Note that the response has begun."""
        self.context.started()

    def prepare(self, body: bytes) -> "Answer | Prelude":
        """Return the answer that the body asks for, or what precedes it.

        Raise `BadRequest`, `NotAcceptable`, `ModelNotFound` or `Misconfigured`.
        """
        settings, dialect, receipt = self.settings, self.dialect, self.receipt
        schema, parsed = parse_chat_request(body, schema_of_call=self.schema)
        request = self._completed(parsed)
        receipt.format = choose_format(self.preferences, schema, stream=request.stream)
        target = settings.catalog.resolve(request.model)
        receipt.model = target.model
        call = UpstreamCall(
            path=dialect.path,
            target=target,
            body=lambda backend, deployment: dialect.request_body(request, deployment, backend=backend),
            headers=self.headers_up,
            addition=dialect.addition,
            conversation=lambda: texts_key(receipt.caller, _beginning(request)),
            demand=lambda: _demand(request),
        )
        if request.resume:
            return self._resumable(request, call)
        new_encoder = encoder_factory(receipt.format, request.echoed, streaming_enabled=settings.streaming_enabled)
        if self._wants_retrieval(request):
            prelude = self._prelude(request, call, new_encoder)
            if prelude is not None:
                return prelude
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

    def _resumable(self, request: ChatRequest, call: UpstreamCall) -> Answer:
        if self.resuming is None:
            raise BadRequest("'resume' is true, but RESUME is off in this deployment.", param="resume")
        if self._wants_retrieval(request):  # what was found is not kept, and so cannot be shown again
            raise BadRequest("'resume' is true, but so is 'retrieval': one of them has to be false.", param="resume")
        return self.resuming.begin(call, self.context, self.receipt, request.echoed)

    def _wants_retrieval(self, request: ChatRequest) -> bool:
        if self.grounding is None:
            if request.retrieval:
                raise BadRequest("'retrieval' is true, but this deployment searches nothing.", param="retrieval")
            return False
        return self.settings.retrieval == "on" if request.retrieval is None else request.retrieval

    def _prelude(
        self, request: ChatRequest, call: UpstreamCall, new_encoder: Callable[[], Encoder]
    ) -> "Prelude | None":
        from shared.chat.grounding import Asked

        assert self.grounding is not None
        names_sources = FORMATS[self.receipt.format].names_sources
        asked = Asked(
            request=request, call=call, receipt=self.receipt, new_encoder=new_encoder, names_sources=names_sources
        )
        return self.grounding.prelude(asked)

    def _completed(self, request: ChatRequest) -> ChatRequest:
        """Apply this deployment's own rules: its system prompt, its limit of output tokens, its tools."""
        settings = self.settings
        if settings.system_prompt:
            own = Message("system", (TextPart.of(settings.system_prompt),))
            request = replace(request, messages=(own, *request.messages))
        if settings.max_output_tokens is not None:
            asked = request.max_output_tokens or settings.max_output_tokens
            request = replace(request, max_output_tokens=min(asked, settings.max_output_tokens))
        return replace(request, tools=settings.chat_tools) if settings.chat_tools else request


def _demand(request: ChatRequest) -> Demand:
    parts = [part for message in request.messages for part in message.parts]
    texts = [part for part in parts if isinstance(part, TextPart)]
    return Demand(
        body_bytes=sum(len(part.text.literal) for part in texts) + MESSAGE_BYTES * len(request.messages),
        images=len(parts) - len(texts),
        max_output=request.max_output_tokens,
    )


def _beginning(request: ChatRequest) -> Iterator[memoryview]:
    """Yield the texts up to and including the user's first message, which stay the same while the conversation goes on."""
    for message in request.messages:
        yield memoryview(message.text.literal)[1:-1]
        if message.role == "user":
            return
