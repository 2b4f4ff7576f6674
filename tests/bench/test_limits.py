"""The bench of callers' limits: what it prints."""

import asyncio

from bench.limits import Costs, Own, own_seconds, report


def test_it_tells_what_limits_add_to_a_chunk_and_to_an_answer() -> None:
    without, limited = Costs([6e-6], [3e-3], [8e-3]), Costs([7e-6], [3.1e-3], [8e-3])
    lines = report(without, limited, Own(before=41e-6, after=31e-6))
    assert lines[0] == "CPU per chunk         6 µs without, 7 µs with: +1"
    assert lines[3] == "admission             41 µs of CPU before the first token (goal: 200)"


def test_admitting_an_answer_with_a_lease_at_hand_takes_no_longer_than_its_goal() -> None:
    own = asyncio.run(own_seconds(100))
    assert 0 < own.before < 2e-3, "ten times the goal: a busy machine has a part in it"
    assert own.after > 0
