"""One answer before its first content: asks backends, one after the other, until one begins to answer.

Until then it may move to another backend, and what the abandoned one said is dropped. `begin` returns a `Stream`, which
knows no backend but its own.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from shared.config.backends import Backend
from shared.config.settings import Settings
from shared.demand import Demand
from shared.errors import (
    AnswerError,
    ModelNotFound,
    ResponseNotFound,
    UpstreamErrorResponse,
    UpstreamFailure,
    UpstreamFrameTooLarge,
    UpstreamIdentityRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from shared.header_values import clean_value
from shared.progress import Phase
from shared.receipt import AttemptRecord, Receipt
from shared.trace import new_span_id
from shared.translation import Translation
from shared.upstream.additions import RefusedAdditions
from shared.upstream.asked import Asked
from shared.upstream.attempt_log import is_explained, log_failure, log_rejection
from shared.upstream.call import IdSigning, UpstreamCall, UpstreamClients, UpstreamResponse
from shared.upstream.errors import retry_after_seconds
from shared.upstream.missing import Missing, MissingHere, missing_here
from shared.upstream.pool import BackendPool, Candidate
from shared.upstream.reading import Reader
from shared.upstream.sign_in import SignIn, rejection
from shared.upstream.stream import Stream

THINKING_SECONDS = 10.0
"""How long after its first event an upstream's next ones are passed on without content: most that fail do so sooner."""
MAX_ID_CHARACTERS = 256
"""Of an upstream's ids that are kept or logged; a longer one cannot be asked for either."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """What every answer shares: how to reach the backends, and what is known about them."""

    clients: UpstreamClients
    pool: BackendPool
    settings: Settings
    refused: RefusedAdditions = field(default_factory=RefusedAdditions)


class Answer:
    """One answer that has not begun yet. `translation` is that of the attempt under way."""

    def __init__(
        self, call: UpstreamCall, new_translation: Callable[[], Translation], upstream: Upstream, receipt: Receipt
    ) -> None:
        """Begin with no attempt made; the budget counts from here."""
        self._call = call
        self._new_translation = new_translation
        self._upstream = upstream
        self._receipt = receipt
        receipt.operation, receipt.streams = call.operation, call.streams
        self._began_at = 0.0
        """When `begin` was called, on the loop's clock."""
        self.is_committed = False
        """Whether the status has been sent while this was asked for, so that the client hears what else is."""
        self.translation = new_translation()

    @property
    def demand(self) -> Callable[[], Demand] | None:
        """What the answer asks for; None for one that no model gives."""
        return self._call.demand

    async def begin(self) -> Stream:
        """Return the answer of the first backend that begins one.

        Raise the failure that explains most when none does, and at once one that is the caller's own.
        """
        self._began_at = asyncio.get_running_loop().time()
        call = self._call
        if call.resolve is not None:
            self._call = call = await call.resolve(call)
        asked = Asked(self._candidates())
        await self._upstream.clients.load()  # a slow import is not a slow backend
        has_choice = len(asked.candidates) > 1
        conversation = call.conversation() if has_choice and call.conversation is not None else b""
        while True:
            candidate = await self._next(asked, conversation)
            try:
                stream = await self._try(candidate)
            except UpstreamFailure as failure:
                if not _may_move(failure) or (call.asks_once and isinstance(failure, UpstreamUnreachable)):
                    raise
                asked.note(candidate, failure)
            else:
                if conversation and asked.has_moved:
                    self._upstream.pool.remember(conversation, candidate)
                return stream

    def _candidates(self) -> Sequence[Candidate]:
        pool, call = self._upstream.pool, self._call
        if call.target is None:
            return pool.candidates_for_object(call.owner)
        candidates = pool.candidates_for_model(call.target, owner=call.owner)
        if not candidates:
            raise ModelNotFound(
                f"The model {call.target.model!r} does not exist where what the request names is stored.", param="model"
            )
        return candidates

    async def _next(self, asked: Asked, conversation: bytes) -> Candidate:
        """Return the candidate to ask next. Raise the failure to report when there is none, or no time for one."""
        settings = self._upstream.settings
        elapsed = asyncio.get_running_loop().time() - self._began_at
        tried = asked.keys
        if not tried or elapsed < settings.attempt_budget_seconds:
            candidate = self._upstream.pool.choose(asked.candidates, tried=tried, conversation=conversation)
            if candidate is not None:
                return candidate
        again = asked.again(elapsed, settings)
        if again is None:
            error = asked.error()
            if self._call.owner and isinstance(error, MissingHere) and error.missing is Missing.RESPONSE:
                raise ResponseNotFound.named_by(self._call.owner_param) from error
            raise error
        candidate, delay = again
        await asyncio.sleep(delay)
        return candidate

    async def _try(self, candidate: Candidate) -> Stream:
        """Make one attempt, report it to the pool and note it in the receipt."""
        pool, clock = self._upstream.pool, asyncio.get_running_loop().time
        began, outcome, receipt = clock(), "abandoned", self._receipt
        receipt.backend = candidate.backend.name
        record = AttemptRecord(candidate.backend.name, outcome, 0.0, receipt.elapsed())
        call = self._call
        if receipt.trace is not None:
            record.span_id = new_span_id()
            call = replace(call, headers={**call.headers, **receipt.trace.headers_up(record.span_id)})
        try:
            stream = await self._attempt(candidate, call)
            pool.succeeded(candidate)
            outcome = "content" if self.translation.progress.has_content else "alive"
            return stream
        except AnswerError as failure:
            outcome = failure.code or str(failure.status)
            self._report(candidate, failure)
            raise
        except BaseException:
            pool.abandoned(candidate)
            raise
        finally:
            record.outcome, record.seconds = outcome, clock() - began
            receipt.attempts.append(record)

    def _report(self, candidate: Candidate, failure: AnswerError) -> None:
        """Report to the pool: a backend that only lacks what is named, or refuses what is the caller's own, is well."""
        pool = self._upstream.pool
        if not failure.is_about_backend:
            pool.abandoned(candidate)
        elif isinstance(failure, UpstreamFailure) and failure.is_retryable:
            pool.failed(candidate, pause_seconds=failure.pause_seconds)
        else:
            pool.succeeded(candidate)

    async def _attempt(self, candidate: Candidate, call: UpstreamCall) -> Stream:
        settings = self._upstream.settings
        self.translation = self._new_translation()
        patience = settings.first_content_seconds
        response = None
        if call.signing is not None:
            call.signing.start()
        try:
            async with asyncio.timeout(patience) as deadline:
                response = await self._open(candidate, call)
                if call.signing is not None:
                    await _ready(call.signing, candidate.backend, deadline)
                reader = Reader(response.body, self.translation)
                held = await self._hold(reader, deadline)
        except TimeoutError:
            _close(response)
            timeout = UpstreamTimeout(
                "The model's service did not begin to answer in time.", cause=f"silent for {patience:g} s"
            )
            raise self._logged(timeout, candidate, response) from None
        except UpstreamFailure as failure:
            _close(response)
            raise self._logged(_with_head(failure, response), candidate, response) from None
        except BaseException:
            _close(response)
            raise
        self._receipt.upstream_request_id = clean_value(response.headers.get("x-request-id", ""))[:MAX_ID_CHARACTERS]
        return Stream(reader, held, status=response.status, headers=response.headers, renewal=response.renewal)

    async def _open(self, candidate: Candidate, call: UpstreamCall) -> UpstreamResponse:
        """Send the call. A background response's body comes back as one that goes on where its upstream breaks."""
        resumption = self._call.resumption
        if resumption is None:
            return await self._send(candidate, call)
        return await resumption.opened(lambda: self._send(candidate, call), self._upstream.clients, candidate.backend)

    async def _send(self, candidate: Candidate, call: UpstreamCall) -> UpstreamResponse:
        """Send the call; without this app's own addition to it where the deployment refuses that, or has refused it."""
        clients, refused = self._upstream.clients, self._upstream.refused
        name, deployment, addition = candidate.backend.name, candidate.deployment, call.addition
        if addition is None:
            return await clients.open(candidate.backend, call, deployment)
        if not refused.knows(name, deployment, addition):
            try:
                return await clients.open(candidate.backend, call, deployment)
            except UpstreamErrorResponse as failure:
                if not addition.is_refused_by(failure):
                    raise
        response = await clients.open(candidate.backend, call.without_addition(addition), deployment)
        refused.note(name, deployment, addition)
        return response

    async def _hold(self, reader: Reader, deadline: asyncio.Timeout) -> bytes:
        """Read up to the first content and return everything that can leave by then. Raise `AnswerError`.

        Each event, like the head before it, is a sign of life, and the deadline counts from it. Once the response has been
        committed and the upstream been thinking for a while, such a sign leaves too, with what came before it: from then on
        the client has something of this answer, and no other backend can take over.
        """
        settings, now = self._upstream.settings, asyncio.get_running_loop().time
        progress, held = reader.translation.progress, bytearray()
        deadline.reschedule(now() + settings.first_content_seconds)
        first_event: float | None = None
        while not progress.is_settled:
            if progress.failure is not None:
                raise progress.failure
            events = progress.events
            held += await reader.step()
            if len(held) > settings.max_event_bytes and not progress.has_content:
                raise UpstreamFrameTooLarge("The upstream sent more than MAX_EVENT_BYTES before the first content.")
            if progress.events == events:
                continue
            heard = now()
            deadline.reschedule(heard + settings.first_content_seconds)
            first_event = heard if first_event is None else first_event
            if self._leaves(reader.translation) and heard - first_event >= THINKING_SECONDS:
                progress.settle()
        return bytes(held)

    def _leaves(self, translation: Translation) -> bool:
        """Return whether a sign of life can leave: there is somebody to hear it, and it is no failure's announcement."""
        return self.is_committed and translation.shows_life and translation.progress.phase is Phase.PREAMBLE

    def _logged(
        self, failure: UpstreamFailure, candidate: Candidate, response: UpstreamResponse | None
    ) -> UpstreamFailure:
        """Return the failure to raise, once it is in the log. One of the caller's own is not, if it says so in JSON."""
        backend = candidate.backend
        failure = missing_here(failure, backend) or failure
        if isinstance(failure, UpstreamErrorResponse) and failure.is_about_identity:
            rejected = rejection(SignIn.of(self._upstream.settings, backend), self._call)
            log_rejection(backend, failure.status, rejected)
            return UpstreamIdentityRefused(rejected.message, cause=failure.cause)
        if _may_move(failure) or not (isinstance(failure, UpstreamErrorResponse) and is_explained(failure)):
            log_failure(backend, self._call, failure, response)
        return failure


def _with_head(failure: UpstreamFailure, response: UpstreamResponse | None) -> UpstreamFailure:
    """Return the failure with the Retry-After of the 200 in whose stream it was an event."""
    if response is None or not isinstance(failure, UpstreamErrorResponse) or not failure.is_retryable:
        return failure
    seconds = retry_after_seconds(response.headers)
    return failure if seconds is None else failure.with_pause(seconds)


def _may_move(failure: UpstreamFailure) -> bool:
    return failure.is_retryable or isinstance(failure, MissingHere)


async def _ready(signing: IdSigning, backend: Backend, deadline: asyncio.Timeout) -> None:
    """Wait for the key, in time of its own: a slow storage is not a slow backend."""
    now, ends_at = asyncio.get_running_loop().time, deadline.when()
    began = now()
    deadline.reschedule(None)
    await signing.ready(backend)
    deadline.reschedule(None if ends_at is None else ends_at + now() - began)


def _close(response: UpstreamResponse | None) -> None:
    if response is not None:
        response.body.close()
