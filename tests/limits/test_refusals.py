"""What a caller is told whose limit is reached."""

from shared.errors import CallerQuotaExceeded
from shared.limits.account import Account
from shared.limits.clock import StoreClock
from shared.limits.memory_store import MemoryStore
from shared.limits.meters import Meter, Span, Unit
from shared.limits.refusals import exceeded, seconds_left, unknown
from tests.harness.cells import cells

NOW = 1_800_000_000.25
"""15 January 2027, 8:00:00.25 UTC."""


def account(unit: Unit, span: Span) -> Account:
    window = Meter(unit, span, 100).window(NOW)
    return Account("a caller", window, "a process", MemoryStore(), StoreClock(lambda: NOW))


@cells(
    ("unit", "span", "amount", "code", "sentence"),
    [
        (Unit.STREAMS, Span.NOW, 1, "caller_limit_exceeded", "You have 100 streams open, which is your limit."),
        (Unit.REQUESTS, Span.MINUTE, 1, "caller_limit_exceeded", "Your limit is 100 requests a minute."),
        (
            Unit.TOKENS,
            Span.MINUTE,
            70,
            "caller_limit_exceeded",
            "Your limit is 100 tokens a minute, of which 100 are left; this request may need 70.",
        ),
        (
            Unit.TOKENS,
            Span.MONTH,
            101,
            "insufficient_quota",
            "Your limit is 100 tokens a month; this request alone may need 101.",
        ),
    ],
)
def test_a_refusal_names_the_limit_and_what_is_missing(
    unit: Unit, span: Span, amount: int, code: str, sentence: str
) -> None:
    error = exceeded(account(unit, span), amount, NOW)
    assert (error.status, error.code, error.message) == (429, code, sentence)


@cells(
    ("unit", "span", "sentence"),
    [
        (Unit.STREAMS, Span.NOW, "Your limit is 100 streams"),
        (Unit.REQUESTS, Span.MINUTE, "Your limit is 100 requests a minute"),
        (Unit.TOKENS, Span.MONTH, "Your limit is 100 tokens a month"),
    ],
)
def test_where_it_is_not_known_what_is_left_the_refusal_says_so_and_is_worth_trying_again(
    unit: Unit, span: Span, sentence: str
) -> None:
    error = unknown(account(unit, span), 30, 25)
    need = "; this request may need 30" if unit is Unit.TOKENS else ""
    assert error.message == (
        f"{sentence}; what is left of it cannot be looked up right now, and until then you have 25{need}."
    )
    assert (error.status, error.code, error.headers) == (429, "caller_limit_exceeded", {"retry-after": "2"})


@cells(
    ("span", "seconds"),
    [(Span.MINUTE, 59.75), (Span.DAY, 16 * 3600 - 0.25), (Span.MONTH, (16 * 24 + 16) * 3600 - 0.25)],
)
def test_a_limit_is_free_again_when_its_window_ends_and_not_before(span: Span, seconds: float) -> None:
    tokens = account(Unit.TOKENS, span)
    assert seconds_left(tokens, NOW) == seconds
    headers = exceeded(tokens, 1, NOW).headers
    assert headers["retry-after-ms"] == f"{seconds * 1000:.0f}"
    assert int(headers["retry-after"]) - 1 < seconds <= int(headers["retry-after"])


def test_nobody_is_told_to_come_back_at_once() -> None:
    tokens = account(Unit.TOKENS, Span.MINUTE)
    assert seconds_left(tokens, NOW + 59.7) == 1.0
    assert seconds_left(account(Unit.STREAMS, Span.NOW), NOW) == 1.0


@cells("span", [Span.MINUTE, Span.DAY, Span.MONTH])
def test_only_a_minute_is_worth_trying_again(span: Span) -> None:
    error = exceeded(account(Unit.TOKENS, span), 1, NOW)
    assert isinstance(error, CallerQuotaExceeded) == (span is not Span.MINUTE)
    assert error.headers.get("x-should-retry") == (None if span is Span.MINUTE else "false")
