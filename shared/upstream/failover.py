"""Which error is reported when no backend answered, and whether the only one is asked again. Pure."""

from collections.abc import Sequence

from shared.config.settings import Settings
from shared.errors import UpstreamErrorResponse, UpstreamFailure, UpstreamUnreachable

RECONNECT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 2.0
"""The longest Retry-After of a lone backend that is waited for here; a longer one is the caller's to wait, and to know of."""


def choose_error(failures: Sequence[UpstreamFailure]) -> UpstreamFailure:
    """Return the failure that explains most, with the soonest Retry-After of all. `failures` must not be empty."""
    best = min(failures, key=_by_rank)
    waits = [wait for failure in failures if (wait := _retry_after(failure)) is not None]
    if isinstance(best, UpstreamErrorResponse) and waits and min(waits) != best.pause_seconds:
        return best.with_pause(min(waits))
    return best


def _by_rank(failure: UpstreamFailure) -> tuple[int, float]:
    wait = _retry_after(failure)
    return failure.rank, wait if wait is not None else float("inf")


def _retry_after(failure: UpstreamFailure) -> float | None:
    """Return what an upstream itself asked for, in seconds."""
    return failure.pause_seconds if isinstance(failure, UpstreamErrorResponse) else None


def retry_delay(
    failures: Sequence[UpstreamFailure], backends: int, elapsed_seconds: float, settings: Settings
) -> float | None:
    """Return how many seconds to wait before the only backend is asked once more; None for not at all.

    Once, where it said when to come back and that is soon, within the budget and before the commit deadline, or where
    the connection failed before anything was said.
    """
    if backends != 1 or len(failures) != 1:
        return None
    failure = failures[0]
    pause = RECONNECT_SECONDS if isinstance(failure, UpstreamUnreachable) else _retry_after(failure)
    if pause is None or pause > LONGEST_WAIT_SECONDS:
        return None
    if elapsed_seconds + pause >= min(settings.attempt_budget_seconds, settings.commit_seconds):
        return None
    return pause
