"""A circuit breaker as three frozen states and one transition function. Pure.

    state      a failure                            success   abandoned    asked again after `until`
    Closed     Open(first pause)                    Closed    Closed       -
    Open       before `until`: the same failure,    Closed    Open         HalfOpen
               seen by calls already under way;
               after it: Open(twice the pause)
    HalfOpen   Open(twice the pause)                Closed    Open         -

Times are readings of one monotonic clock, in seconds.
"""

from dataclasses import dataclass

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Closed:
    """The backend answers, as far as is known."""


@dataclass(frozen=True, slots=True)
class Open:
    """The backend failed `failures` times in a row and is left alone until `until`."""

    until: float
    failures: int


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """The pause is over and one call probes the backend; no other is sent there meanwhile."""

    until: float
    failures: int


type Circuit = Closed | Open | HalfOpen


@dataclass(frozen=True, slots=True)
class Probed:
    """A call is about to be sent although the circuit is not closed."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The backend answered, if only with an error that is the caller's own."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The backend did not answer.

    `pause_seconds`: how long it asked to be left alone; None where it did not say. `jitter` is drawn from [0, 1): it
    spreads the pauses that are our own choice over half to one and a half times their length.
    """

    pause_seconds: float | None
    jitter: float


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The client left before the outcome was known."""


type Report = Probed | Succeeded | Failed | Abandoned

CLOSED = Closed()


def after(circuit: Circuit, report: Report, now: float) -> Circuit:
    """Return the state that follows `circuit` when `report` arrives at time `now`."""
    match circuit, report:
        case _, Succeeded():
            return CLOSED
        case _, Failed():
            return _opened(circuit, report, now)
        case Open(until, failures), Probed() if now >= until:
            return HalfOpen(until, failures)
        case HalfOpen(until, failures), Abandoned():
            return Open(until, failures)
        case _:
            return circuit


def is_ready(circuit: Circuit, now: float) -> bool:
    """Return whether a call may be sent: the circuit is closed, or open with its pause over and no probe under way."""
    return isinstance(circuit, Closed) or (isinstance(circuit, Open) and now >= circuit.until)


def ready_at(circuit: Circuit) -> float:
    """Return the time from which the backend may be asked, for comparison among circuits; a closed one comes first."""
    return float("-inf") if isinstance(circuit, Closed) else circuit.until


def _opened(circuit: Circuit, failure: Failed, now: float) -> Open:
    """Return the open circuit. What fails during a pause, as all calls under way do, makes it no longer by itself."""
    is_known = isinstance(circuit, Open) and now < circuit.until
    failures = 1 if isinstance(circuit, Closed) else circuit.failures + (not is_known)
    pause = failure.pause_seconds
    if pause is None:
        longest = min(FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 16), LONGEST_PAUSE_SECONDS)
        pause = longest * (0.5 + failure.jitter)
    until = now + pause
    return Open(max(until, circuit.until) if is_known and isinstance(circuit, Open) else until, failures)
