"""One answer before its first content: asks backends, one after the other, until one begins to answer.

Until then it may move to another backend, and what the abandoned one said is dropped. `begin` returns a `Stream`, which
knows no backend but its own.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from shared.config.settings import Settings
from shared.errors import (
    AnswerError,
    IdentityUnavailable,
    UpstreamErrorResponse,
    UpstreamFailure,
    UpstreamFrameTooLarge,
    UpstreamIdentityRefused,
    UpstreamTimeout,
)
from shared.header_values import clean_value
from shared.receipt import AttemptRecord, Receipt
from shared.translation import Translation
from shared.upstream.attempt_log import is_explained, log_failure, log_rejection
from shared.upstream.call import UpstreamCall, UpstreamClients, UpstreamResponse
from shared.upstream.failover import choose_error, retry_delay
from shared.upstream.pool import BackendPool, Candidate
from shared.upstream.reading import Reader
from shared.upstream.sign_in import REJECTIONS, SignIn
from shared.upstream.stream import Stream

NON_STREAMING_TIMEOUT_SECONDS = 230.0
"""A non-streaming answer sends nothing until it is complete; past this the platform has cut the connection anyway."""
MAX_ID_CHARACTERS = 256
"""Of an upstream's ids that are kept or logged; a longer one cannot be asked for either."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """What every answer shares: how to reach the backends, and what is known about them."""

    clients: UpstreamClients
    pool: BackendPool
    settings: Settings


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
        self._began_at = 0.0
        """When `begin` was called, on the loop's clock."""
        self.translation = new_translation()

    async def begin(self) -> Stream:
        """Return the answer of the first backend that begins one.

        Raise the failure that explains most when none does, and at once one that is the caller's own.
        """
        self._began_at = asyncio.get_running_loop().time()
        candidates = self._candidates()
        await self._upstream.clients.load()  # a slow import is not a slow backend
        failures: list[UpstreamFailure] = []
        tried: set[tuple[str, str]] = set()
        while True:
            candidate = await self._next(candidates, tried, failures)
            tried.add(candidate.key)
            try:
                return await self._try(candidate)
            except UpstreamFailure as failure:
                if not self._may_move(failure):
                    raise
                failures.append(failure)
                if isinstance(failure, IdentityUnavailable):  # no other backend gets a token for that scope either
                    scope = candidate.backend.scope
                    tried.update(other.key for other in candidates if other.backend.scope == scope)

    def _candidates(self) -> Sequence[Candidate]:
        pool, call = self._upstream.pool, self._call
        if call.target is None:
            return pool.candidates_for_response(call.stored_id)
        return pool.candidates_for_model(call.target, previous_id=call.previous_id)

    async def _next(
        self, candidates: Sequence[Candidate], tried: set[tuple[str, str]], failures: list[UpstreamFailure]
    ) -> Candidate:
        """Return the candidate to ask next. Raise the failure to report when there is none, or no time for one."""
        settings = self._upstream.settings
        elapsed = asyncio.get_running_loop().time() - self._began_at
        is_within_budget = not tried or elapsed < settings.attempt_budget_seconds
        candidate = self._upstream.pool.choose(candidates, tried=tried) if is_within_budget else None
        if candidate is not None:
            return candidate
        delay = retry_delay(failures, len(candidates), elapsed, settings)
        if delay is None:
            raise choose_error(failures)
        await asyncio.sleep(delay)
        return candidates[0]

    async def _try(self, candidate: Candidate) -> Stream:
        """Make one attempt, report it to the pool and note it in the receipt."""
        pool, clock = self._upstream.pool, asyncio.get_running_loop().time
        began, outcome = clock(), "abandoned"
        self._receipt.backend = candidate.backend.name
        try:
            stream = await self._attempt(candidate)
            pool.succeeded(candidate)
            outcome = "content"
            return stream
        except AnswerError as failure:
            outcome = failure.code or str(failure.status)
            self._report(candidate, failure)
            raise
        except BaseException:
            pool.abandoned(candidate)
            raise
        finally:
            self._receipt.attempts.append(AttemptRecord(candidate.backend.name, outcome, clock() - began))

    def _report(self, candidate: Candidate, failure: AnswerError) -> None:
        """Report to the pool: a backend that only lacks the stored response, or refuses what is the caller's own, is well."""
        pool = self._upstream.pool
        if not failure.is_about_backend:
            pool.abandoned(candidate)
        elif isinstance(failure, UpstreamFailure) and failure.is_retryable:
            pool.failed(candidate, pause_seconds=failure.pause_seconds)
        else:
            pool.succeeded(candidate)

    def _may_move(self, failure: UpstreamFailure) -> bool:
        return failure.is_retryable or self._call.may_be_elsewhere(failure)

    async def _attempt(self, candidate: Candidate) -> Stream:
        settings, call = self._upstream.settings, self._call
        self.translation = self._new_translation()
        limit = settings.first_content_seconds if call.streams else NON_STREAMING_TIMEOUT_SECONDS
        response = None
        try:
            async with asyncio.timeout(limit):
                response = await self._upstream.clients.open(candidate.backend, call, candidate.deployment)
                reader = Reader(response.body, self.translation)
                held = await _hold(reader, settings.max_event_bytes)
        except TimeoutError:
            _close(response)
            timeout = UpstreamTimeout(
                "The model's service did not begin to answer in time.", cause=f"no content within {limit:g} s"
            )
            raise self._logged(timeout, candidate, response) from None
        except UpstreamFailure as failure:
            _close(response)
            raise self._logged(failure, candidate, response) from None
        except BaseException:
            _close(response)
            raise
        self._receipt.upstream_request_id = clean_value(response.headers.get("x-request-id", ""))[:MAX_ID_CHARACTERS]
        record_id = partial(_record_owner, self._upstream.pool, candidate)
        record_id(call.stored_id)
        return Stream(reader, held, status=response.status, headers=response.headers, record_id=record_id)

    def _logged(
        self, failure: UpstreamFailure, candidate: Candidate, response: UpstreamResponse | None
    ) -> UpstreamFailure:
        """Return the failure to raise, once it is in the log. One of the caller's own is not, if it says so in JSON."""
        backend = candidate.backend
        if isinstance(failure, UpstreamErrorResponse) and failure.is_about_identity:
            sign_in = SignIn.of(self._upstream.settings, backend)
            log_rejection(backend, failure.status, sign_in)
            return UpstreamIdentityRefused(REJECTIONS[sign_in].message, cause=failure.cause)
        if self._may_move(failure) or not (isinstance(failure, UpstreamErrorResponse) and is_explained(failure)):
            log_failure(backend, self._call, failure, response)
        return failure


async def _hold(reader: Reader, max_bytes: int) -> bytes:
    """Read up to the first content and return everything that can leave by then. Raise `AnswerError`."""
    progress, held = reader.translation.progress, bytearray()
    while not progress.has_content:
        if progress.failure is not None:
            raise progress.failure
        held += await reader.step()
        if len(held) > max_bytes and not progress.has_content:
            raise UpstreamFrameTooLarge("The upstream sent more than MAX_EVENT_BYTES before the first content.")
    return bytes(held)


def _record_owner(pool: BackendPool, candidate: Candidate, stored_id: str) -> None:
    if stored_id.startswith("resp_") and len(stored_id) <= MAX_ID_CHARACTERS:
        pool.record_owner(stored_id, candidate)


def _close(response: UpstreamResponse | None) -> None:
    if response is not None:
        response.body.close()
