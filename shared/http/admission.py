"""What decides whether a caller may have an answer now, as the response sees it; `shared.limits` implements it."""

from collections.abc import Mapping
from typing import Protocol

from shared.demand import Demand
from shared.receipt import Spent


class Ticket(Protocol):
    """The right to one answer, to be settled once it is over, however it ended."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What the caller is told of its limits."""

    def settle(self, spent: Spent) -> None:
        """Say what the answer used."""


class Admission(Protocol):
    """The limits of all callers."""

    async def admit(self, caller: str, model: str, demand: Demand) -> Ticket:
        """Return the right to ask the model. Raise `CallerLimitExceeded` or `LimitsUnavailable`."""


LIMIT_HEADERS = "x-ratelimit-"
UPSTREAM_LIMIT_HEADERS = "x-upstream-ratelimit-"


def with_limits(headers: Mapping[str, str], ticket: Ticket | None) -> Mapping[str, str]:
    """Return a response's headers with the caller's own limits; the upstream's account's get names that say so.

    Those of a caller without limits stay as they are.
    """
    if ticket is None or not ticket.headers:
        return headers
    renamed = {name.replace(LIMIT_HEADERS, UPSTREAM_LIMIT_HEADERS): value for name, value in headers.items()}
    return {**renamed, **ticket.headers}
