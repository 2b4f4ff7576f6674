"""One request of the OpenAI API: the call that it becomes, and the upstream's heads as far as they go down."""

import asyncio
import re
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from shared.config.backends import Backend
from shared.config.catalog import Target
from shared.config.settings import Settings
from shared.demand import Demand
from shared.errors import (
    AnswerError,
    BadRequest,
    DeploymentNotFound,
    Misconfigured,
    ModelNotFound,
    UpstreamErrorResponse,
)
from shared.http.context import RequestContext, debug_headers, own_error_page
from shared.http.forwarded import headers_down, query_up
from shared.http.json_body import parse_fields
from shared.http.outbound import ErrorPage
from shared.openai_api.inspector import ChunkInspector, FrameInspector, ResponseInspector
from shared.openai_api.paths import Inference, StoredResponse
from shared.openai_api.relay import BodyRelay, BufferedRelay, SignedBodyRelay, StreamRelay
from shared.openai_api.request import (
    PREVIOUS_ID,
    UNCOUNTED,
    OpenAIRequest,
    continuation_query,
    demand_of,
    parse_openai_request,
    upstream_body,
    usage_wish,
)
from shared.openai_api.response_ids import ResponseIds
from shared.receipt import Receipt
from shared.state.stored_ids import PREFIX
from shared.translation import Translation
from shared.upstream.affinity import affinity_key
from shared.upstream.attempts import Answer, Upstream
from shared.upstream.call import UpstreamCall
from shared.upstream.errors import is_json, media_type
from shared.upstream.stream import Stream

if TYPE_CHECKING:
    from shared.openai_api.object_ids import ObjectIds
    from shared.resume.resumption import Resumption

_BODY_HEADERS_DOWN = ("content-length", "content-encoding")
"""Only where the very bytes of the body go down too."""
_EVENT_STREAM = "text/event-stream"
_UNKNOWN_TYPE = "application/octet-stream"
_CURSORS = frozenset({"after", "before"})
"""The parameters that name where a page of items begins or ends."""
_STREAMED = frozenset({"stream", "starting_after"})
"""The parameters that make a stored response a stream."""
_READS_FAILED_ALONE = "codex"
"""How the names of clients begin that pass over `error`, say what `response.failed` says, and only after a clean end.

After a cut Codex (0.171) shows the network's error in place of any event's. Other clients get no `response.failed` of ours: on
seeing one, openai-agents for Python and JavaScript raises an error of its own, JavaScript's without the event's words.
"""
_NUMBER = re.compile(r"-1|[0-9]{1,10}")
_NOT_A_PAGE = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'; sandbox"}
"""The upstream's bytes go down under the upstream's own label, so that clients get what they would get without this app.

Where that is neither JSON nor an event stream, such as HTML of a gateway, no browser may run it as a page of this origin.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayExchange:
    """See `response.Exchange`; the two kinds of call differ in `prepare`."""

    settings: Settings
    upstream: Upstream
    context: RequestContext
    receipt: Receipt
    headers_up: Mapping[str, str]
    """The headers of the request that go up."""

    def started(self) -> None:
        """Note that the response has begun."""
        self.context.started()

    @abstractmethod
    def prepare(self, body: bytes) -> Answer:
        """Return the answer that the request asks for. Raise `AnswerError`."""

    def resolve(self, name: str | None, *, is_azure: bool) -> Target:
        """Return the model that the request names. `is_azure`: errors are Azure's. Raise `BadRequest` or `ModelNotFound`."""
        try:
            return self.settings.catalog.resolve(name)
        except Misconfigured as error:  # this API requires a model, so that it is the request that lacks one
            raise BadRequest("'model' is missing, and this service has no default model.", param="model") from error
        except ModelNotFound as error:
            if is_azure:
                raise DeploymentNotFound(error.message, param=error.param) from error
            raise

    def head(self, stream: Stream | None) -> Mapping[str, str]:
        """Return the upstream's headers that go down, and our own."""
        down: dict[str, str] = {}
        if stream is not None:
            down = _down(stream.headers)
            is_stream = stream.translation.media_type.startswith(_EVENT_STREAM)
            if is_stream and media_type(stream.headers) != _EVENT_STREAM:
                down.pop("content-type", None)  # what goes down is a stream, whatever came up is called
            if isinstance(stream.translation, BodyRelay):
                down |= {name: stream.headers[name] for name in _BODY_HEADERS_DOWN if name in stream.headers}
            if isinstance(stream.translation, SignedBodyRelay):
                down = {name: value for name, value in down.items() if name not in _BODY_HEADERS_DOWN}
            if isinstance(stream.translation, SignedBodyRelay) and stream.translation.size is not None:
                down |= {"content-length": str(stream.translation.size)}
        debug = debug_headers(self.receipt) if self.settings.debug_headers else {}
        # Ours first: where there are too many, the last ones are left out.
        return {"x-request-id": self.context.id, **self.context.cors, **debug, **down}

    def error_page(self, error: AnswerError) -> ErrorPage:
        """Return an upstream's own error response as it came, any other failure as OpenAI's error object."""
        own = {"x-request-id": self.context.id, **self.context.cors}
        if not isinstance(error, UpstreamErrorResponse) or error.raw_body is None:
            return own_error_page(error, own)
        headers = {"content-type": _UNKNOWN_TYPE, **own, **_down(error.headers)}
        return ErrorPage(error.status, headers, error.raw_body)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceExchange(RelayExchange):
    """A POST that a model answers."""

    ids: ResponseIds
    address: Inference
    objects: "ObjectIds | None" = None
    """The ids of files, vector stores and conversations; None where OPENAI_STATEFUL is off."""

    def prepare(self, body: bytes) -> Answer:
        """Return the answer that the body asks for. Raise `BadRequest` or `ModelNotFound`."""
        address, receipt = self.address, self.receipt
        request = parse_openai_request(body)
        name = address.deployment if address.deployment is not None else request.model
        target = self.resolve(name, is_azure=address.is_azure)
        receipt.model = target.model
        receipt.format = "stream" if request.stream else "whole"
        is_signed = address.path == "responses" and request.store
        call = UpstreamCall(
            path=address.path,
            target=target,
            body=self._body(request),
            query=query_up(self.settings, self.context.request.query_params),
            headers=self.headers_up,
            streams=request.stream,
            addition=usage_wish(request, address.path),
            conversation=self._conversation(request),
            resolve=self._opening(request, is_signed=is_signed),
            signing=self.ids if is_signed else None,
            resumption=self._resumption(request, is_signed=is_signed),
            demand=None if address.path in UNCOUNTED else self._demand(request),
        )
        return Answer(call, self._translations(request, self.ids if is_signed else None), self.upstream, receipt)

    def _body(self, request: OpenAIRequest) -> Callable[[Backend, str], bytes]:
        path, limit, is_checked = self.address.path, self.settings.max_output_tokens, self.settings.catalog.is_closed
        return lambda _backend, deployment: upstream_body(
            request, path, deployment, max_output_tokens=limit, is_checked=is_checked
        )

    def _demand(self, request: OpenAIRequest) -> Callable[[], Demand]:
        path, limit = self.address.path, self.settings.max_output_tokens
        return lambda: demand_of(request, path, max_output_tokens=limit)

    def _conversation(self, request: OpenAIRequest) -> Callable[[], bytes] | None:
        if self.address.path == "embeddings":
            return None
        return partial(affinity_key, request.fields, self.context.request.headers, self.ids.caller)

    def _opening(
        self, request: OpenAIRequest, *, is_signed: bool
    ) -> Callable[[UpstreamCall], Awaitable[UpstreamCall]] | None:
        """Return what has to be done before anybody is asked; None where nothing has."""
        goes_on = request.previous_id and self.address.path.startswith("responses")
        if self.objects is not None and self.objects.are_named_in(request.raw):
            return partial(self._with_objects, request, self.objects)
        if goes_on:
            return partial(self._going_on, request)
        # A background response is reachable by its id alone: without a key it would be paid for and lost.
        return self._load_key if is_signed and request.background else None

    def _resumption(self, request: OpenAIRequest, *, is_signed: bool) -> "Resumption | None":
        """Return what takes a background response's upstream up again; None for every other answer."""
        if not (is_signed and request.background and request.stream):
            return None
        version = query_up(self.settings, self.context.request.query_params)
        return _resumption(self, [*version, *continuation_query(request)])

    async def _with_objects(self, request: OpenAIRequest, objects: "ObjectIds", call: UpstreamCall) -> UpstreamCall:
        """Return the call with the ids that the account of these objects knows; that of the previous response has to be it."""
        await objects.load()
        raw = await asyncio.to_thread(objects.open_body, request.raw)
        opened = replace(request, raw=raw, fields=await asyncio.to_thread(parse_fields, raw))
        if request.previous_id and self.address.path.startswith("responses"):
            call = await self._going_on(opened, call)
            objects.belongs_to(call.owner, param=PREVIOUS_ID)
            return call
        if self.address.path == "responses" and request.background:
            await self.ids.load()
        return replace(call, body=self._body(opened), owner=objects.owner, owner_param=objects.param)

    async def _going_on(self, request: OpenAIRequest, call: UpstreamCall) -> UpstreamCall:
        found = await self.ids.open(request.previous_id, param=PREVIOUS_ID)
        body = self._body(request.going_on_from(found.id))
        return replace(call, body=body, owner=found.owner, owner_param=PREVIOUS_ID)

    async def _load_key(self, call: UpstreamCall) -> UpstreamCall:
        await self.ids.load()
        return call

    def _translations(self, request: OpenAIRequest, ids: ResponseIds | None) -> Callable[[], Translation]:
        if not request.stream:
            return partial(BodyRelay, is_json=True) if ids is None else partial(SignedBodyRelay, ids)
        new_inspector: Callable[[], FrameInspector] = ChunkInspector
        if self.address.path == "responses":
            agent = self.context.request.headers.get("user-agent", "").lower()
            ends_with_failed = agent.startswith(_READS_FAILED_ALONE)
            new_inspector = partial(
                ResponseInspector, commits_at_once=request.background, ends_with_failed=ends_with_failed
            )
        relay = StreamRelay if self.settings.streaming_enabled else BufferedRelay
        limit, hides_usage = self.settings.max_event_bytes, not request.wants_usage
        return lambda: relay(new_inspector(), hides_usage=hides_usage, max_event_bytes=limit, ids=ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExchange(RelayExchange):
    """A request about a stored response."""

    ids: ResponseIds
    address: StoredResponse

    def prepare(self, body: bytes) -> Answer:
        """Return the answer of the backend that has the stored response."""
        request = self.context.request
        asked = request.query_params
        # A probe is answered with the head of what it asks about, which is read in one piece for it.
        is_probe = request.method == "HEAD"
        query = query_up(self.settings, asked, is_complete=True)
        streams = request.method == "GET" and asked.get("stream", "").lower() == "true"
        self.receipt.format = "stream" if streams else "whole"
        resumption = _resumption(self, query) if streams else None
        call = UpstreamCall(
            method="GET" if is_probe else request.method,
            path="responses",
            body=lambda _backend, _deployment: body or None,
            query=[one for one in query if one[0] not in _STREAMED] if is_probe else query,
            headers=self.headers_up,
            streams=streams,
            resolve=partial(self._found, resumption),
            signing=self.ids,
            resumption=resumption,
        )
        return Answer(call, self._stream_relay if streams else self._body_relay, self.upstream, self.receipt)

    async def _found(self, resumption: "Resumption | None", call: UpstreamCall) -> UpstreamCall:
        """Return the call with the ids that the upstream knows: in the path, and where a page of items begins."""
        found = await self.ids.open(self.address.id, param="id")
        query = [(name, await self._cursor(name, value)) for name, value in call.query]
        if resumption is not None:
            resumption.continues(found.id, after=_number(dict(query).get("starting_after", "-1")))
        path = f"{call.path}/{found.id}{self.address.rest}"
        return replace(call, path=path, query=query, owner=found.owner, owner_param="id")

    async def _cursor(self, name: str, value: str) -> str:
        is_response = name in _CURSORS and value.startswith(PREFIX)
        return (await self.ids.open(value, param=name)).id if is_response else value

    def _stream_relay(self) -> Translation:
        inspector = ResponseInspector(commits_at_once=True)
        limit = self.settings.max_event_bytes
        return StreamRelay(inspector, hides_usage=False, max_event_bytes=limit, ids=self.ids)

    def _body_relay(self) -> Translation:
        return SignedBodyRelay(self.ids, may_be_empty=True)


def _resumption(exchange: RelayExchange, query: Sequence[tuple[str, str]]) -> "Resumption":
    from shared.resume.resumption import Resumption

    limit = exchange.settings.max_event_bytes
    return Resumption(exchange.receipt, headers=exchange.headers_up, query=query, max_event_bytes=limit)


def _number(text: str) -> int | None:
    """Return the number of an event, from -1 on; None for what the upstream has to read."""
    return int(text) if _NUMBER.fullmatch(text) else None


def _down(headers: Mapping[str, str]) -> dict[str, str]:
    kept = headers_down(headers)
    label = kept.get("content-type", "")
    is_harmless = is_json(label) or ("," not in label and media_type(kept) == _EVENT_STREAM)
    return kept if is_harmless else {**_NOT_A_PAGE, **kept}
