"""What the caller is told when no backend answered, and whether the only one is asked again. Pure."""

from collections.abc import Sequence

from shared.config.settings import Settings
from shared.errors import (
    IdentityUnavailable,
    UpstreamErrorResponse,
    UpstreamFailure,
    UpstreamIdentityRefused,
    UpstreamUnreachable,
)

RECONNECT_SECONDS = 0.1


def choose_error(failures: Sequence[UpstreamFailure]) -> UpstreamFailure:
    """The refusal that tells the caller most, with the soonest Retry-After of all. `failures` is not empty."""
    best = min(failures, key=_rank)
    waits = [wait for failure in failures if (wait := _wait(failure)) is not None]
    if isinstance(best, UpstreamErrorResponse) and waits and (soonest := min(waits)) != best.retry_after:
        headers = {k: v for k, v in best.headers.items() if k.lower() not in ("retry-after", "retry-after-ms")}
        best.retry_after = soonest
        best.headers = {
            **headers,
            "retry-after": str(int(-(-soonest // 1))),
            "retry-after-ms": str(int(soonest * 1000)),
        }
    return best


def _wait(failure: UpstreamFailure) -> float | None:
    return failure.retry_after if isinstance(failure, UpstreamErrorResponse) else None


def _rank(failure: UpstreamFailure) -> tuple[int, float]:
    wait = _wait(failure)
    soonest = wait if wait is not None else float("inf")
    if failure.status == 429:
        return 0, soonest
    if failure.status in (400, 404):
        return 5, soonest  # "I don't have it" is true of all only where all have said it
    if isinstance(failure, UpstreamErrorResponse):
        return 1, soonest
    if isinstance(failure, UpstreamIdentityRefused | IdentityUnavailable):
        return 4, soonest
    return (3 if isinstance(failure, UpstreamUnreachable) else 2), soonest


def retry_delay(
    failures: Sequence[UpstreamFailure], backends: int, elapsed_seconds: float, settings: Settings
) -> float | None:
    """How long to wait before the only backend is asked once more; None: not at all.

    Once, where it said when to come back and that is within the budget and before the commit deadline, or where the
    connection failed before anything was said.
    """
    if backends != 1 or len(failures) != 1:
        return None
    failure = failures[0]
    pause = RECONNECT_SECONDS if isinstance(failure, UpstreamUnreachable) else _wait(failure)
    if pause is None or elapsed_seconds + pause >= min(settings.attempt_budget_seconds, settings.commit_seconds):
        return None
    return pause
