"""One answer before its first content: asks backends, one after the other, until one begins to answer.

Until then it may move to another backend, and what the abandoned one said is dropped. `begin` returns a `Stream`, which
knows no backend but its own.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from shared.config.settings import Settings
from shared.errors import (
    AnswerError,
    UpstreamErrorResponse,
    UpstreamFailure,
    UpstreamFrameTooLarge,
    UpstreamIdentityRefused,
    UpstreamTimeout,
)
from shared.receipt import AttemptRecord, Receipt
from shared.translation import Translation
from shared.upstream.call import UpstreamCall, UpstreamClients, UpstreamResponse
from shared.upstream.failover import choose_error, retry_delay
from shared.upstream.pool import BackendPool, Candidate
from shared.upstream.reading import Reader
from shared.upstream.stream import Stream

_log = logging.getLogger(__name__)

NON_STREAMING_TIMEOUT_SECONDS = 230.0
"""A non-streaming answer sends nothing until it is complete; past this the platform has cut the connection anyway."""


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
        """Tell the pool: a backend that only lacks the stored response, or refuses what is the caller's own, is well."""
        if isinstance(failure, UpstreamFailure) and failure.is_retryable:
            self._upstream.pool.failed(candidate, pause_seconds=failure.pause_seconds)
        else:
            self._upstream.pool.succeeded(candidate)
        if isinstance(failure, UpstreamFailure) and self._may_move(failure):
            reason = failure.code or failure.status
            _log.warning("Backend %s failed before content: %s", candidate.backend.name, reason)

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
            raise UpstreamTimeout("The model's service did not begin to answer in time.") from None
        except UpstreamErrorResponse as error:
            _close(response)
            if error.is_about_identity:
                raise _identity_refused(candidate, error.status) from error
            raise
        except BaseException:
            _close(response)
            raise
        self._receipt.upstream_request_id = response.headers.get("x-request-id", "")
        record_id = partial(_record_owner, self._upstream.pool, candidate)
        record_id(call.stored_id)
        return Stream(reader, held, status=response.status, headers=response.headers, record_id=record_id)


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
    if stored_id.startswith("resp_"):
        pool.record_owner(stored_id, candidate)


def _identity_refused(candidate: Candidate, status: int) -> UpstreamIdentityRefused:
    _log.error(
        "Backend %s answered %d: this app's identity needs the role Cognitive Services OpenAI User on that account.",
        candidate.backend.name,
        status,
    )
    return UpstreamIdentityRefused(
        "The model's service refused this service's own identity. This is not about your key: the operator must give "
        "the app's managed identity the role Cognitive Services OpenAI User on the Azure OpenAI account."
    )


def _close(response: UpstreamResponse | None) -> None:
    if response is not None:
        response.body.close()
