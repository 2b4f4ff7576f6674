"""One answer: asks backends until one begins to speak, then passes on what it says.

Until the first content an answer may move to another backend; what the abandoned one said is dropped. After it, never.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass

from shared.config.settings import Settings
from shared.errors import (
    AnswerError,
    ModelNotFound,
    UpstreamCut,
    UpstreamErrorResponse,
    UpstreamFailure,
    UpstreamFrameTooLarge,
    UpstreamIdentityRefused,
    UpstreamTimeout,
)
from shared.receipt import AttemptRecord, Receipt
from shared.translation import Translation
from shared.upstream.call import Body, UpstreamCall, UpstreamClients, UpstreamResponse
from shared.upstream.errors import IDENTITY_STATUSES, moves_on
from shared.upstream.failover import choose_error, retry_delay
from shared.upstream.pool import IDENTITY_PAUSE_SECONDS, BackendPool, Candidate
from shared.upstream.reading import drain_trailer, read_failure_details

_log = logging.getLogger(__name__)

NON_STREAMING_TIMEOUT_SECONDS = 230.0
"""An answer in one piece says nothing until it is there; past this the platform has cut it anyway."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """What every answer shares: how to reach the backends, and what is known about them."""

    clients: UpstreamClients
    pool: BackendPool
    settings: Settings


@dataclass(slots=True)
class _Begun:
    """An attempt that has reached its first content."""

    candidate: Candidate
    body: Body
    held: bytes


class Answer:
    """One answer, from its first attempt to its end. `translation` is that of the attempt under way."""

    def __init__(
        self, call: UpstreamCall, new_translation: Callable[[], Translation], upstream: Upstream, receipt: Receipt
    ) -> None:
        self._call = call
        self._new_translation = new_translation
        self._upstream = upstream
        self._receipt = receipt
        self._began_at = asyncio.get_running_loop().time()
        self.translation = new_translation()
        self.upstream_status = 200
        self.upstream_headers: Mapping[str, str] = {}
        self.last_read = self._began_at
        """When the upstream last said anything, on the loop's clock."""

    async def blocks(self) -> AsyncGenerator[bytes]:
        """What goes to the client, block by block, each of whole frames; one block per read at most.

        Raises `AnswerError` where the answer fails, before content or after it; `translation.fail` knows its ending.
        """
        clock = asyncio.get_running_loop().time
        begun = await self._first_content()
        stored_id = self._call.stored_id
        del self._call  # no other backend is asked from here on, and what it was asked may be large
        body, translation = begun.body, self.translation
        try:
            self._remember_owner(begun.candidate, stored_id)  # now: it can be asked for while it is being told
            self.last_read = clock()
            if begun.held:
                yield begun.held
            while not translation.is_ended and translation.failure is None:
                data = await (read_failure_details(body) if translation.may_have_failed else body.read())
                self.last_read = clock()
                block = translation.feed(data) if data else translation.end()
                if block:
                    yield block
                if not data:
                    break
            if translation.failure is not None:
                raise translation.failure
            if not translation.is_ended:
                raise UpstreamCut("The model's service ended the answer before the model did.")
            if not body.at_end():
                await drain_trailer(body)
        finally:
            body.close()
            self._remember_owner(begun.candidate)

    def _remember_owner(self, candidate: Candidate, *more_ids: str) -> None:
        for stored_id in (self.translation.answer_id, *more_ids):
            if stored_id.startswith("resp_"):
                self._upstream.pool.record_owner(stored_id, candidate)

    async def _first_content(self) -> _Begun:
        """Raises the most useful refusal when nobody answers."""
        pool, settings = self._upstream.pool, self._upstream.settings
        call = self._call
        candidates = (
            pool.candidates_for_response(call.stored_id)
            if call.stored_id
            else pool.candidates_for_model(call.model, previous_id=call.previous_id)
        )
        if not candidates:
            raise ModelNotFound(f"The model {call.model!r} does not exist here.", param="model")
        await self._upstream.clients.load()  # a slow import is no slowness of a backend's
        failures: list[UpstreamFailure] = []
        tried: set[tuple[str, str]] = set()
        clock = asyncio.get_running_loop().time
        while True:
            elapsed = clock() - self._began_at
            may_begin = not tried or elapsed < settings.attempt_budget_seconds
            candidate = pool.choose(candidates, tried=tried) if may_begin else None
            if candidate is None:
                pause = retry_delay(failures, len(candidates), elapsed, settings)
                if pause is None:
                    raise choose_error(failures)
                await asyncio.sleep(pause)
                candidate = candidates[0]
            tried.add(candidate.key)
            try:
                return await self._try(candidate)
            except UpstreamFailure as failure:
                if not self._moves_on(failure):
                    raise
                failures.append(failure)

    async def _try(self, candidate: Candidate) -> _Begun:
        """One attempt, its report to the pool and its line in the receipt."""
        pool, clock = self._upstream.pool, asyncio.get_running_loop().time
        began, outcome = clock(), "abandoned"
        self._receipt.backend = candidate.backend.name
        try:
            begun = await self._attempt(candidate)
            pool.succeeded(candidate)
            outcome = "content"
            return begun
        except AnswerError as failure:
            outcome = failure.code or str(failure.status)
            if isinstance(failure, UpstreamFailure) and self._moves_on(failure):
                if failure.status in (400, 404):  # it is well, and only does not have the stored response
                    pool.succeeded(candidate)
                else:
                    pool.failed(candidate, pause_seconds=_pause_asked(failure))
                _log.warning("Backend %s failed before content: %s", candidate.backend.name, outcome)
            else:
                pool.succeeded(candidate)
            raise
        except BaseException:
            pool.abandoned(candidate)
            raise
        finally:
            self._receipt.attempts.append(AttemptRecord(candidate.backend.name, outcome, clock() - began))

    async def _attempt(self, candidate: Candidate) -> _Begun:
        settings, call = self._upstream.settings, self._call
        self.translation = self._new_translation()
        limit = settings.first_content_seconds if call.streams else NON_STREAMING_TIMEOUT_SECONDS
        response = None
        try:
            async with asyncio.timeout(limit):
                response = await self._upstream.clients.open(candidate.backend, call, candidate.deployment)
                held = await self._hold(response)
        except TimeoutError:
            _close(response)
            raise UpstreamTimeout("The model's service did not begin to answer in time.") from None
        except UpstreamErrorResponse as refusal:
            _close(response)
            if refusal.status in IDENTITY_STATUSES:
                raise _identity_refused(candidate, refusal.status) from refusal
            raise
        except BaseException:
            _close(response)
            raise
        self.upstream_status, self.upstream_headers = response.status, response.headers
        self._receipt.upstream_request_id = response.headers.get("x-request-id", "")
        return _Begun(candidate, response.body, held)

    async def _hold(self, response: UpstreamResponse) -> bytes:
        """Reads up to the first content and returns everything that is to go out by then. Raises `UpstreamFailure`."""
        translation, limit = self.translation, self._upstream.settings.max_event_bytes
        held = bytearray()
        data = b"-"
        while data and not translation.has_content:
            data = await (read_failure_details(response.body) if translation.may_have_failed else response.body.read())
            block = translation.feed(data) if data else translation.end()
            if not translation.has_content and translation.failure is not None:
                raise translation.failure
            held += block
            if len(held) > limit and not translation.has_content:
                raise UpstreamFrameTooLarge("The model's service sent too much before it began to answer.")
        if not translation.has_content:
            raise UpstreamCut("The model's service ended the answer before it began.")
        return bytes(held)

    def _moves_on(self, failure: UpstreamFailure) -> bool:
        if failure.status == 400:
            return bool(self._call.previous_id) and failure.code == "previous_response_not_found"
        return moves_on(failure.status) or (failure.status == 404 and bool(self._call.stored_id))


def _pause_asked(failure: UpstreamFailure) -> float | None:
    if isinstance(failure, UpstreamIdentityRefused):
        return IDENTITY_PAUSE_SECONDS
    return failure.retry_after if isinstance(failure, UpstreamErrorResponse) else None


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
