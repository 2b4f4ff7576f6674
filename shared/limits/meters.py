"""What is measured of a caller: tokens and requests in windows of time, streams at this moment. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum


class Unit(Enum):
    """What a meter counts."""

    TOKENS = "tokens"
    REQUESTS = "requests"
    STREAMS = "streams"


class Span(Enum):
    """How long a meter counts before it begins anew."""

    MINUTE = "minute"
    DAY = "day"
    MONTH = "month"
    NOW = "now"
    """It never begins anew: what it counts is given back."""


@dataclass(frozen=True, slots=True)
class Meter:
    """One limit of one caller. `maximum`: at least 0."""

    unit: Unit
    span: Span
    maximum: int

    def window(self, at: float) -> "Window":
        """Return the window that a moment falls into. `at`: seconds since 1970, UTC."""
        moment = datetime.fromtimestamp(at, UTC)
        match self.span:
            case Span.MINUTE:
                start = moment.replace(second=0, microsecond=0)
                return _window(self, f"m:{start:%Y-%m-%dT%H:%M}", start, start + _MINUTE)
            case Span.DAY:
                start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
                return _window(self, f"d:{start:%Y-%m-%d}", start, start + _DAY)
            case Span.MONTH:
                start = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
                return _window(self, f"M:{start:%Y-%m}", start, (start + _LONGEST_MONTH).replace(day=1))
            case Span.NOW:
                return Window(self, f"n:{self.unit.value}", 0.0, None)


@dataclass(frozen=True, slots=True)
class Window:
    """A meter while it counts. `key`: its row in the table. Times are in seconds since 1970; None where it never ends."""

    meter: Meter
    key: str
    starts_at: float
    ends_at: float | None


def _window(meter: Meter, key: str, start: datetime, end: datetime) -> Window:
    return Window(meter, f"{key}:{meter.unit.value}", start.timestamp(), end.timestamp())


_MINUTE, _DAY, _LONGEST_MONTH = timedelta(minutes=1), timedelta(days=1), timedelta(days=31)
