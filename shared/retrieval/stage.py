"""The stage before the model is asked: the query, the search, its sources, each told as an event when it happens."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

from shared.errors import RETRY_HEADERS, AnswerError, SearchUnavailable, UpstreamErrorResponse, UpstreamFailure
from shared.events import AnswerEvent, Source, Step
from shared.retrieval.passages import Passage, source_of
from shared.retrieval.plan import Plan
from shared.retrieval.search import Search

_log = logging.getLogger(__name__)

QUERY, SEARCH = "search-query", "search"
"""The names of the steps."""

type Rewriter = Callable[[Plan], Awaitable[str]]
"""Asks a model for the query of a question that needs its conversation. Raises `AnswerError`."""


@dataclass(slots=True)
class Findings:
    """What became of one search; `outcome` is "found", "empty" or the code of a failure. Times are in seconds."""

    passages: list[Passage] = field(default_factory=list)
    outcome: str = "abandoned"
    rewriting_seconds: float | None = None
    search_seconds: float | None = None

    def record(self) -> dict[str, object]:
        """Return what the receipt says of it: nothing of the question or the passages."""
        seconds = {"rewriting_seconds": self.rewriting_seconds, "search_seconds": self.search_seconds}
        known = {name: round(value, 3) for name, value in seconds.items() if value is not None}
        return {"outcome": self.outcome, "passages": len(self.passages), **known}


class Retrieval:
    """The stage of one answer. `required`: the answer fails where the search does."""

    def __init__(self, search: Search, rewrite: Rewriter, *, required: bool) -> None:
        """Begin with nothing found."""
        self._search = search
        self._rewrite = rewrite
        self._required = required
        self._now = asyncio.get_running_loop().time
        self.findings = Findings()

    async def events(self, plan: Plan) -> AsyncGenerator[AnswerEvent]:
        """Yield the steps and the sources. Raise `SearchUnavailable` where the search failed and is required."""
        yield Step(QUERY, "started")
        query = plan.query
        if plan.history:
            status, query = await self._rewritten(plan)
            yield Step(QUERY, status, {"query": query})
        else:
            yield Step(QUERY, "finished", {"query": query})
        yield Step(SEARCH, "started")
        failure = await self._find(query)
        if failure is not None:
            if self._required:
                raise failure
            yield Step(SEARCH, "failed")
            return
        for source in self.sources():
            yield source
        milliseconds = round((self.findings.search_seconds or 0.0) * 1000)
        yield Step(SEARCH, "finished", {"count": len(self.findings.passages), "milliseconds": milliseconds})

    def sources(self) -> list[Source]:
        """Return the sources that were found, in the order of their numbers."""
        return [source_of(number, passage) for number, passage in enumerate(self.findings.passages, start=1)]

    async def _rewritten(self, plan: Plan) -> tuple[str, str]:
        """Return the step's status and the query: the question as it is, where no model rewrites it."""
        began = self._now()
        try:
            return "finished", await self._rewrite(plan)
        except UpstreamFailure as failure:
            _log.info("The question is searched for as it is: %r", failure.code or failure.status)
            return "failed", plan.query
        finally:
            self.findings.rewriting_seconds = self._now() - began

    async def _find(self, query: str) -> AnswerError | None:
        findings, began = self.findings, self._now()
        try:
            findings.passages = await self._search.find(query)
            findings.outcome = "found" if findings.passages else "empty"
        except UpstreamFailure as failure:
            findings.outcome = failure.code or str(failure.status)
            return _unavailable(failure)
        finally:
            findings.search_seconds = self._now() - began
        return None


def _unavailable(failure: UpstreamFailure) -> SearchUnavailable:
    """Return what the caller gets: nothing of what the service said, but when it asked to be called again."""
    headers = failure.headers if isinstance(failure, UpstreamErrorResponse) else {}
    waits = {name: headers[name] for name in RETRY_HEADERS if name in headers}
    return SearchUnavailable("The search that this service bases its answers on is unavailable.", headers=waits)
