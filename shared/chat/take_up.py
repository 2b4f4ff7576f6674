"""The addresses of an answer that exists: read it from a position on, or stop it. Imported where RESUME is on.

GET  /chat/answers/{id}         from `Last-Event-ID` or `?after=` on, in the format that the caller asks for
POST /chat/answers/{id}/stop    ends it at the model
GET  {address}/{id}/stream      as `useChat` asks: the whole message again, as a UI message stream
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from shared.chat.negotiation import Preferences, choose_format, parse_accept
from shared.chat.positions import MAX_POSITION
from shared.chat.request import Schema
from shared.chat.resuming import Resuming, TakenUpTranslation
from shared.errors import AnswerError, BadRequest, UpstreamFrameTooLarge
from shared.http.auth import authorise
from shared.http.context import RequestContext, debug_headers, own_error_page
from shared.http.forwarded import headers_up
from shared.http.open_streams import OpenStreams
from shared.http.outbound import ErrorPage
from shared.http.response import AnswerResponse
from shared.http.target import check_method
from shared.progress import Phase, Progress
from shared.receipt import Receipt
from shared.resume.resumption import Resumption
from shared.state.caller_ids import CallerIds
from shared.state.stored_ids import PREFIX
from shared.translation import MAX_BUFFERED_BYTES, ErrorEnding
from shared.upstream.attempts import Answer
from shared.upstream.call import UpstreamCall
from shared.upstream.stream import Stream

ANSWER = re.compile(r"/chat/answers/(?P<id>[^/]{1,2048})(?P<stop>/stop)?")
UI_STREAM = re.compile(r"/(?:chat|stream)/(?P<id>[^/]{1,2048})/stream")
_POSITION = re.compile(r"[0-9]{1,10}")
_READ, _POST = frozenset({"GET"}), frozenset({"POST"})
_STATUS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class TakeUpEndpoint:
    """Makes the response object of one request about an answer that exists, and was admitted when it began."""

    def __init__(self, resuming: Resuming, open_streams: OpenStreams) -> None:
        """Keep what every request of this process shares."""
        self.resuming = resuming
        self._open_streams = open_streams

    def serves(self, path: str) -> bool:
        """Return whether the path (`target.requested_path`) is one of these addresses."""
        return ANSWER.fullmatch(path) is not None or UI_STREAM.fullmatch(path) is not None

    def respond(self, context: RequestContext, path: str) -> Response:
        """Return the response to any method on such an address. Raise `AnswerError`."""
        settings, request = self.resuming.settings, context.request
        found = ANSWER.fullmatch(path) or UI_STREAM.fullmatch(path)
        assert found is not None
        stops, is_ui = found.groupdict().get("stop") is not None, found.re is UI_STREAM
        check_method(request, _POST if stops else _READ)
        caller = authorise(settings, request.headers)
        if is_ui and not found["id"].startswith(
            PREFIX
        ):  # a chat that has no answer yet: `useChat` asks with its own id
            return context.plain(b"", status=204)
        receipt = context.receipt("chat", caller)
        receipt.resume["taken_up"] = not stops
        exchange_type = StopExchange if stops else TakeUpExchange
        exchange = exchange_type(
            resuming=self.resuming,
            context=context,
            receipt=receipt,
            answer_id=found["id"],
            headers_up=headers_up(settings, request.headers),
            ids=self.resuming.ids(context, caller),
            format="json" if stops else "ui-message" if is_ui else _format(request, streams=settings.streaming_enabled),
            after=0 if stops or is_ui else _position(request),
        )
        return AnswerResponse(exchange, settings=settings, open_streams=self._open_streams)


@dataclass(frozen=True, slots=True, kw_only=True)
class _AnswerExchange:
    """See `response.Exchange`."""

    resuming: Resuming
    context: RequestContext
    receipt: Receipt
    answer_id: str
    """As the caller knows it."""
    headers_up: Mapping[str, str]
    ids: CallerIds
    format: str
    after: int

    def started(self) -> None:
        """Note that the response has begun."""
        self.context.started()

    def head(self, stream: Stream | None) -> Mapping[str, str]:  # noqa: ARG002 - nothing of the upstream's goes down
        """Return the answer's headers."""
        debug = debug_headers(self.receipt) if self.resuming.settings.debug_headers else {}
        return {"x-request-id": self.context.id, **self.context.cors, **debug}

    def error_page(self, error: AnswerError) -> ErrorPage:
        """Return the failure as an HTTP status and OpenAI's error object."""
        return own_error_page(error, {"x-request-id": self.context.id, **self.context.cors})


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeUpExchange(_AnswerExchange):
    """An answer is read from a position on. All of it comes from the model's service; what the reader has had is dropped."""

    def prepare(self, body: bytes) -> Answer:  # noqa: ARG002 - a GET has none
        """Return the answer."""
        receipt = self.receipt
        receipt.format = self.format
        resumption = self.resuming.resumption(receipt, self.headers_up)
        call = UpstreamCall(
            method="GET",
            path="responses",
            query=[("stream", "true")],
            headers=self.headers_up,
            resolve=lambda call: self._found(resumption, call),
            signing=self.ids,
            resumption=resumption,
        )
        return Answer(call, lambda: self._translation(resumption), self.resuming.upstream, receipt)

    def head(self, stream: Stream | None) -> Mapping[str, str]:
        """Return the answer's headers. One of which nothing is left has no content."""
        if stream is not None and isinstance(stream.translation, TakenUpTranslation):
            translation = stream.translation
            if translation.progress.phase is Phase.ENDED and not translation.has_said:
                stream.status = 204
        return _AnswerExchange.head(self, stream)

    def _translation(self, resumption: Resumption) -> TakenUpTranslation:
        made = self.resuming.translation(
            self.receipt, resumption, self.ids, {}, after=self.after, kind=TakenUpTranslation
        )
        assert isinstance(made, TakenUpTranslation)
        return made

    async def _found(self, resumption: Resumption, call: UpstreamCall) -> UpstreamCall:
        found = await self.ids.open(self.answer_id, param="id")
        resumption.continues(found.id)
        return replace(call, path=f"responses/{found.id}", owner=found.owner, owner_param="id")


@dataclass(frozen=True, slots=True, kw_only=True)
class StopExchange(_AnswerExchange):
    """An answer is ended at the model; one that has ended stays as it is."""

    def prepare(self, body: bytes) -> Answer:  # noqa: ARG002 - nothing is asked in it
        """Return what says the answer's status."""
        self.receipt.format = self.format
        call = UpstreamCall(path="responses", headers=self.headers_up, streams=False, resolve=self._found)
        return Answer(call, Status, self.resuming.upstream, self.receipt)

    async def _found(self, call: UpstreamCall) -> UpstreamCall:
        found = await self.ids.open(self.answer_id, param="id")
        self.resuming.grace.forget(found.id)
        return replace(call, path=f"responses/{found.id}/cancel", owner=found.owner, owner_param="id")


class Status:
    """A response object comes up, its status goes down; see `translation.Translation`."""

    media_type = "application/json"
    headers: Mapping[str, str] = {"cache-control": "no-store"}
    heartbeat = b""
    padding = b" "
    shows_life = False

    def __init__(self) -> None:
        """Begin with nothing read."""
        self.progress = Progress()
        self._seen = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Return nothing yet."""
        self._seen += data
        self.progress.content()
        self.progress.events += 1
        if len(self._seen) > MAX_BUFFERED_BYTES:
            self.progress.fail(UpstreamFrameTooLarge("The response is too large to be read in one piece."))
        return b""

    def end(self) -> bytes:
        """Return the status."""
        try:
            status = bytes(_STATUS.decode(bytes(self._seen))["status"])
        except (msgspec.DecodeError, KeyError, UnicodeDecodeError, RecursionError):
            status = b""
        if status:
            self.progress.end()
        self.progress.end_of_body()
        return b'{"status":%b}' % status if status else b""

    def fail(self, error: AnswerError) -> ErrorEnding:  # noqa: ARG002 - the interface has it
        """Return a mere cut: nothing has been sent but blanks."""
        return ErrorEnding(b"", is_cut=True)


def _format(request: Request, *, streams: bool) -> str:
    """Return the format that the caller asks for. Raise `BadRequest` or `NotAcceptable`."""
    preferences = Preferences(
        asked=request.query_params.get("format"),
        accept=parse_accept(request.headers.get("accept")),
        must_stream=False,
        streaming_enabled=streams,
    )
    return choose_format(preferences, Schema.NATIVE, stream=True)


def _position(request: Request) -> int:
    """Return the position of a reader: `Last-Event-ID`, which a browser renews, or `after`. Raise `BadRequest`."""
    given: Sequence[tuple[str, str | None]] = (
        ("Last-Event-ID", request.headers.get("last-event-id")),
        ("after", request.query_params.get("after")),
    )
    name, value = next(((name, value) for name, value in given if value), ("", "0"))
    number = int(value) if _POSITION.fullmatch(value) else -1
    if not 0 <= number <= MAX_POSITION:
        raise BadRequest(f"{name!r} is not valid; expected an integer from 0 to {MAX_POSITION}.", param=name)
    return number
