"""One search: asked, and asked once more where that helps, within its deadline; what it found, or why it failed.

The rules are those of a model's backend (`upstream.failover`): once more where the service said when to come back and that is
soon enough, or where the connection failed before anything was said.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shared.config.search import SearchTarget
from shared.config.settings import Settings
from shared.errors import UpstreamErrorResponse, UpstreamFailure, UpstreamTimeout
from shared.retrieval import knowledge_base, search_index
from shared.retrieval.passages import Passage
from shared.upstream.failover import retry_delay

_log = logging.getLogger(__name__)

_ROLE = "the role Search Index Data Reader on the search service, and the service has to allow role-based access"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What can be searched: how it is asked, and how its answer is read."""

    path: Callable[[SearchTarget], str]
    request_body: Callable[[SearchTarget, str], bytes]
    read: Callable[[SearchTarget, bytes], list[Passage]]


_INDEX = _Kind(search_index.path, search_index.request_body, search_index.read)
_KNOWLEDGE_BASE = _Kind(knowledge_base.path, knowledge_base.request_body, knowledge_base.read)


class SearchService(Protocol):
    """The connection to the service: what a search calls, and what a test replaces."""

    async def post(self, path: str, body: bytes) -> bytes:
        """Send one request and return the body of its answer. Raise `UpstreamFailure`, `OutOfResources` or `ServerStopping`."""


class Search:
    """The search of one index or knowledge base, for all answers of a process."""

    def __init__(self, service: SearchService, settings: Settings, target: SearchTarget) -> None:
        """Ask nothing yet."""
        self._service = service
        self._settings = settings
        self._target = target
        self._kind = _INDEX if target.index else _KNOWLEDGE_BASE

    async def find(self, query: str) -> list[Passage]:
        """Return the passages, the best first.

        Raise `UpstreamFailure`, which is in the log by then, or what else the service raises.
        """
        now, limit = asyncio.get_running_loop().time, self._settings.search_seconds
        body, began = self._kind.request_body(self._target, query), now()
        try:
            async with asyncio.timeout(limit):
                return await self._ask(body, elapsed=lambda: now() - began)
        except TimeoutError:
            failure: UpstreamFailure = UpstreamTimeout(
                "The search took too long.", cause=f"no answer within {limit:g} s"
            )
        except UpstreamFailure as found:
            failure = found
        self._log(failure)
        raise failure.without_frames()

    async def _ask(self, body: bytes, elapsed: Callable[[], float]) -> list[Passage]:
        path = self._kind.path(self._target)
        try:
            data = await self._service.post(path, body)
        except UpstreamFailure as failure:
            delay = retry_delay([failure], 1, elapsed(), self._settings)
            if delay is None or elapsed() + delay >= self._settings.search_seconds:
                raise
            await asyncio.sleep(delay)
            data = await self._service.post(path, body)
        return self._kind.read(self._target, data)

    def _log(self, failure: UpstreamFailure) -> None:
        if isinstance(failure, UpstreamErrorResponse) and failure.status in (401, 403):
            _log.error("The search answered %d: this app's identity needs %s.", failure.status, _ROLE)
            return
        _log.warning("The search failed: %r (%s)", failure.code or failure.status, failure.cause or "no cause known")
