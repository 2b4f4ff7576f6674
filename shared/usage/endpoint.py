"""`GET /usage`: what a caller has used by day and model, and what is left of its limits; to an operator, what all have used."""

import logging
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.config.settings import Settings
from shared.errors import AnswerError, InternalError, UsageUnavailable
from shared.http.context import RequestContext
from shared.limits.ledger import Ledger
from shared.limits.limiter import Limiter
from shared.limits.store import StoreError
from shared.usage.question import CSV, Question, read_question
from shared.usage.recorded import Recorded
from shared.usage.report import Report

_log = logging.getLogger(__name__)


class UsageEndpoint:
    """Makes the response object of one request; the ledger is read when the response is called."""

    def __init__(self, settings: Settings, ledger: Ledger, limiter: Limiter | None) -> None:
        """Keep what every request of this process shares. `limiter`: None where callers have no limits."""
        self.ledger = ledger
        self.admission = Recorded(ledger, limiter)
        """What admits answers, so that they are recorded."""
        self._settings = settings
        self._limiter = limiter

    def respond(self, context: RequestContext, caller: str) -> Response:
        """Return the response. `caller`: as `auth.authorise` returns it. Raise `BadRequest`."""
        request = context.request
        accept = request.headers.get("accept", "")
        question = read_question(request.query_params, accept, today=self.ledger.today)

        async def answer() -> Response:
            return _answer(context, question, await self._report(caller, question))

        return _Later(context, answer)

    async def _report(self, caller: str, question: Question) -> Report:
        """Raise `UsageUnavailable`."""
        is_operator = caller in self._settings.operators
        try:
            used = await self.ledger.sums(None if is_operator else caller, question.period)
        except (StoreError, TimeoutError) as error:
            _log.error("What callers have used cannot be read: %s", str(error) or "no answer in time")
            raise UsageUnavailable("What was used cannot be looked up right now. Try again later.") from None
        return Report(
            caller=caller,
            is_about_all=is_operator,
            period=question.period,
            used=used,
            limits=[] if self._limiter is None else await self._limiter.standings(caller),
            prices=self._settings.prices,
        )


def _answer(context: RequestContext, question: Question, report: Report) -> Response:
    headers = {"cache-control": "no-store", "vary": "accept", "x-content-type-options": "nosniff"}
    if question.format == CSV:
        return context.plain(report.csv(), media_type="text/csv; charset=utf-8", headers=headers)
    return context.plain(report.json(), media_type="application/json", headers=headers)


class _Later(Response):
    """A response that is known once it is called."""

    def __init__(self, context: RequestContext, answer: Callable[[], Awaitable[Response]]) -> None:
        """Do nothing yet."""
        super().__init__()
        self._context = context
        self._response = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what the answer is, or the error."""
        await (await self._found())(scope, receive, send)

    async def _found(self) -> Response:
        try:
            return await self._response()
        except AnswerError as error:
            return self._context.refuse(error)
        except Exception:  # noqa: BLE001 - logged under an id that the caller gets
            _log.exception("Unexpected failure of the answer %s", self._context.id)
            return self._context.refuse(InternalError.with_id(self._context.id))
