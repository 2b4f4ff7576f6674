"""What a caller is told whose limit is reached: which one, by how much, and when to ask again. Pure."""

from math import ceil

from shared.errors import CallerLimitExceeded, CallerQuotaExceeded, LimitsUnavailable
from shared.limits.account import Account
from shared.limits.meters import Meter, Span, Unit

STREAMS_AGAIN_SECONDS = 1.0
"""When to try again where too many streams are open: nobody knows when one ends."""

_SOON = {"retry-after": "2"}
"""When the store may be asked again that has failed."""


def seconds_left(account: Account, now: float) -> float:
    """Return in how many seconds something of the limit is free again, as far as that is known."""
    ends_at = account.window.ends_at
    return STREAMS_AGAIN_SECONDS if ends_at is None else max(1.0, ends_at - now)


def exceeded(account: Account, amount: int, now: float) -> CallerLimitExceeded:
    """Return the error of a caller that has too little left for the amount."""
    meter, seconds = account.window.meter, seconds_left(account, now)
    headers = {"retry-after": str(ceil(seconds)), "retry-after-ms": f"{seconds * 1000:.0f}"}
    if meter.unit is Unit.STREAMS:
        return CallerLimitExceeded(f"You have {meter.maximum} streams open, which is your limit.", headers=headers)
    said = f"Your limit is {_named(meter)}"
    if amount > meter.maximum:
        said += f"; this request alone may need {amount}"
    elif meter.unit is Unit.TOKENS:
        said += f", of which {account.left} are left; this request may need {amount}"
    if meter.span is not Span.MINUTE:
        headers["x-should-retry"] = "false"
        return CallerQuotaExceeded(said + ".", headers=headers)
    return CallerLimitExceeded(said + ".", headers=headers)


def unknown(account: Account, amount: int, share: int) -> CallerLimitExceeded:
    """Return the error of a caller that wants more than the share of its limit that it has while the store cannot be asked."""
    meter = account.window.meter
    said = f"Your limit is {_named(meter)}; what is left of it cannot be looked up right now, and until then you have {share}"
    if meter.unit is Unit.TOKENS:
        said += f"; this request may need {amount}"
    return CallerLimitExceeded(said + ".", headers=_SOON)


def unavailable() -> LimitsUnavailable:
    """Return the error of a caller that nothing is granted while the store cannot be asked."""
    return LimitsUnavailable("Your limits cannot be looked up right now. Try again later.", headers=_SOON)


def _named(meter: Meter) -> str:
    said = f"{meter.maximum} {meter.unit.value}"
    return said if meter.span is Span.NOW else f"{said} a {meter.span.value}"
