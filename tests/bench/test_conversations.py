"""A small run of the bench of conversations: none breaks, and the prompt cache is worth what it is at one account."""

import asyncio
from collections import Counter

import pytest

from bench.conversations import FAILED_SHARE, FAILURES, MAX_CACHE_LOSS, STYLES, TURNS, Tally, failures, report, run


@pytest.mark.slow
def test_no_conversation_breaks_over_three_accounts_of_which_one_fails_now_and_then() -> None:
    conversations = 10 * len(STYLES)
    several, one = asyncio.run(run(conversations, seed=3))
    assert (several.broken, one.broken) == ([], [])
    assert several.turns == one.turns == conversations * TURNS
    assert not {400, 404} & several.refused.keys()
    assert one.hit_rate > 0.5
    assert one.hit_rate - several.hit_rate < MAX_CACHE_LOSS


def test_a_tenth_of_the_requests_fail_the_same_ones_for_a_seed_and_in_every_way() -> None:
    played = failures(10_000, seed=1)
    assert played == failures(10_000, seed=1) != failures(10_000, seed=2)
    failed = [one for one in played if len(one) > 2]
    assert abs(len(failed) / len(played) - FAILED_SHARE) < 0.01
    assert len({tuple(one) for one in failed}) == len({tuple(one) for one in FAILURES})


def test_the_report_names_what_broke() -> None:
    tally = Tally(turns=3, broken=["7, stored: NotFoundError: no"], refused=Counter({404: 2}))
    assert report(tally, Tally())[-1] == "7, stored: NotFoundError: no"
    assert "2 × 404" in "\n".join(report(tally, Tally()))
