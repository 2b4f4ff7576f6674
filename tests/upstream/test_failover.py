"""Which error is reported when no backend answered, and whether the only one is asked again."""

from itertools import permutations

from shared.config.settings import Settings
from shared.errors import (
    IdentityUnavailable,
    UpstreamCut,
    UpstreamFailure,
    UpstreamIdentityRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from shared.upstream.errors import error_from_status
from shared.upstream.failover import RECONNECT_SECONDS, choose_error, retry_delay
from tests.harness.app import environment
from tests.harness.cells import cells

SETTINGS = Settings.from_env(environment(1))


def response(status: int, retry_after_ms: int | None = None) -> UpstreamFailure:
    headers = {} if retry_after_ms is None else {"retry-after-ms": str(retry_after_ms)}
    return error_from_status(status, headers, b"{}")


# From the most useful to the least.
RANKED: list[list[UpstreamFailure]] = [
    [response(429, 1000)],
    [response(429, 5000)],
    [response(429)],
    [response(503)],
    [UpstreamCut("cut"), UpstreamTimeout("late")],
    [UpstreamUnreachable("gone")],
    [UpstreamIdentityRefused("no role"), IdentityUnavailable("no token")],
]


def test_the_failure_that_explains_most_is_reported_in_whatever_order_they_came() -> None:
    for better in range(len(RANKED)):
        for worse in range(better + 1, len(RANKED)):
            for pair in permutations([RANKED[better][0], RANKED[worse][0]]):
                assert choose_error(pair).code == RANKED[better][0].code


def test_it_carries_the_soonest_retry_after_of_all() -> None:
    chosen = choose_error([response(429, 40_000), response(503, 7_200)])
    assert chosen.status == 429
    assert (chosen.headers["retry-after"], chosen.headers["retry-after-ms"]) == ("8", "7200")


@cells(
    ("failure", "delay"),
    [
        (response(429, 2000), 2.0),
        (response(429, 2001), None),
        (response(503, 0), 0.0),
        (response(429), None),
        (UpstreamUnreachable("gone"), RECONNECT_SECONDS),
        (UpstreamTimeout("late"), None),
        (UpstreamCut("cut"), None),
    ],
)
def test_the_only_backend_is_asked_once_more_where_that_is_soon_and_before_the_commit(
    failure: UpstreamFailure, delay: float | None
) -> None:
    assert retry_delay([failure], 1, 0.0, SETTINGS) == delay
    assert retry_delay([failure], 2, 0.0, SETTINGS) is None, "there is another one"
    assert retry_delay([failure, failure], 1, 0.0, SETTINGS) is None, "once"
    assert retry_delay([failure], 1, 10.0, SETTINGS) is None, "too late"
