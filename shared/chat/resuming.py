"""Answers of the chat API that go on where their connection broke: what is asked of the model's service, and how it is written.

The service keeps the answer as a background response; this app keeps nothing but its readers. Imported where RESUME is on.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from shared.chat.dialects import DIALECTS, Decoder
from shared.chat.encoders.buffered import Buffered
from shared.chat.positions import PositionedEncoder, positioned
from shared.chat.translation import ChatTranslation
from shared.config.backends import Backend
from shared.config.settings import Settings
from shared.errors import AnswerError, FunctionTimeout, ResumeWindowClosed, ServerStopping
from shared.events import AnswerEvent, Started
from shared.http.auth import caller_identity
from shared.http.context import RequestContext
from shared.http.open_streams import OpenStreams
from shared.receipt import Receipt
from shared.resume.grace import Grace
from shared.resume.resumption import Resumption
from shared.state.caller_ids import CallerIds
from shared.state.signing_key import KeyRing
from shared.translation import ErrorEnding
from shared.upstream.attempts import Answer, Upstream
from shared.upstream.call import UpstreamCall

ANSWER_ID = "x-answer-id"
"""The header with the id under which the answer can be taken up again, where it is known by then."""


class Resuming:
    """What the resumable answers of this process share."""

    def __init__(self, settings: Settings, upstream: Upstream, key_ring: KeyRing, open_streams: OpenStreams) -> None:
        """Begin with no answer."""
        self.settings = settings
        self.upstream = upstream
        self.dialect = DIALECTS["responses"]
        self.grace = Grace(settings.resume_grace_seconds, lambda: open_streams.is_stopping)
        self._key_ring = key_ring

    def close(self) -> None:
        """Cancel nothing any more."""
        self.grace.close()

    def ids(self, context: RequestContext, caller: str) -> CallerIds:
        """Return the ids of one request's caller."""
        request = context.request
        identity = caller_identity(self.settings, caller, request.headers, request.query_params)
        return CallerIds(self._key_ring, self.settings.backends, identity)

    def resumption(self, receipt: Receipt, headers: Mapping[str, str]) -> Resumption:
        """Return what takes up the upstream of one answer, and notes its reader."""
        limit = self.settings.max_event_bytes
        return Resumption(receipt, headers=headers, max_event_bytes=limit, readers=self.grace)

    def begin(
        self, call: UpstreamCall, context: RequestContext, receipt: Receipt, echoed: Mapping[str, msgspec.Raw]
    ) -> Answer:
        """Return a new answer, which the call asks for. `echoed`: see `Format.encoder`."""
        ids, resumption = self.ids(context, receipt.caller), self.resumption(receipt, call.headers)
        make = call.body

        async def load_key(loaded: UpstreamCall) -> UpstreamCall:
            await ids.load()  # without a usable id the answer would be paid for and lost
            return loaded

        call = replace(
            call,
            body=lambda backend, deployment: _in_background(make, backend, deployment),
            resolve=load_key,
            signing=ids,
            resumption=resumption,
        )
        return Answer(call, lambda: self.translation(receipt, resumption, ids, echoed), self.upstream, receipt)

    def translation(  # noqa: PLR0913 - of the answer, and of its reader
        self,
        receipt: Receipt,
        resumption: Resumption,
        ids: CallerIds,
        echoed: Mapping[str, msgspec.Raw],
        *,
        after: int = 0,
        kind: "type[ResumableTranslation] | None" = None,
    ) -> "ResumableTranslation":
        """Return the translation of one attempt, in the receipt's format. `after`: where its reader is."""
        encoder = positioned(receipt.format, echoed, after=after, is_rebuilt=lambda: resumption.is_rebuilt)
        return (kind or ResumableTranslation)(
            receipt,
            self.dialect.new_decoder(),
            encoder,
            max_event_bytes=self.settings.max_event_bytes,
            sign=ids.sign,
            on_moved=self.grace.forget,
            is_rebuilt=lambda: resumption.is_rebuilt,
            streams=self.settings.streaming_enabled,
        )


class ResumableTranslation(ChatTranslation):
    """An answer that its caller can take up again: it is the caller's once it has an id, and no other backend's then."""

    def __init__(  # noqa: PLR0913 - what it translates with, and what it asks
        self,
        receipt: Receipt,
        decoder: Decoder,
        encoder: PositionedEncoder,
        *,
        max_event_bytes: int,
        sign: Callable[[str], str],
        on_moved: Callable[[str], None],
        is_rebuilt: Callable[[], bool],
        streams: bool,
    ) -> None:
        """Begin an answer. `streams`: it leaves as it comes, and not in one piece."""
        whole = encoder if streams or encoder.is_buffered else Buffered(encoder)
        super().__init__(decoder, whole, max_event_bytes=max_event_bytes)
        self._receipt = receipt
        self._positions = encoder
        self._sign = sign
        self._on_moved = on_moved
        self._is_rebuilt = is_rebuilt
        self.has_said = False
        """Whether there was anything that the reader had not had."""

    def fail(self, error: AnswerError) -> ErrorEnding:
        """Return the error ending; where only this process gives up, what sends the reader to another one."""
        moved = self._positions.moved
        if isinstance(error, ServerStopping | FunctionTimeout) and moved and self.progress.answer_id:
            self._on_moved(self.progress.answer_id)  # its reader goes where nobody here hears of it
            return ErrorEnding(moved, self._positions.cuts_after_error)
        return super().fail(error)

    def _block(self, pieces: list[AnswerEvent]) -> bytes:
        if pieces and self._is_rebuilt() and self._positions.needs_pieces:
            raise ResumeWindowClosed(
                "The answer can only be had as a whole by now: ask for it with Accept: application/json."
            )
        block = super()._block([self._named(event) for event in pieces])
        self.has_said = self.has_said or bool(block)
        return block

    def _named(self, event: AnswerEvent) -> AnswerEvent:
        if not isinstance(event, Started):
            return event
        self.progress.settle()
        signed = self._sign(event.id)
        self._receipt.resume["answer"] = event.id
        self.headers = {**self.headers, ANSWER_ID: signed}
        return Started(event.id, event.model, signed)


class TakenUpTranslation(ResumableTranslation):
    """An answer that is read again. Its tokens belong to the receipt of the request that asked for it."""

    def _block(self, pieces: list[AnswerEvent]) -> bytes:
        block = super()._block(pieces)
        usage, self.progress.usage = self.progress.usage, None
        if usage is not None:
            self._receipt.resume["answer_tokens"] = {"input": usage.input_tokens, "output": usage.output_tokens}
        return block


def _in_background(make: Callable[[Backend, str], bytes | None], backend: Backend, deployment: str) -> bytes:
    fields: dict[str, Any] = msgspec.json.decode(make(backend, deployment) or b"{}", type=dict[str, msgspec.Raw])
    return msgspec.json.encode({**fields, "background": True, "store": True})
