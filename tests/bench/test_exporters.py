"""The bench of exporters: what it measures, and what it finds wrong."""

import asyncio

import pytest

from bench.collectors import DEAD
from bench.exporters import ALLOWED_MIB, MIB, OFF, OFF_AGAIN, Seen, Size, faults, measure, noise, report


def seen(later: float = 0.0, grown: float = 0.0) -> Seen:
    first, whole = [0.005 + later, 0.006 + later], [0.024 + later, 0.026 + later]
    return Seen(first, whole, first, whole, 0.001, 100 * MIB, int((100 + grown) * MIB))


def test_it_tells_who_comes_later_than_noise_and_who_grows() -> None:
    found = {
        OFF: seen(),
        OFF_AGAIN: seen(),
        "well": seen(0.00005),
        "late": seen(0.002),
        "large": seen(0, ALLOWED_MIB + 1),
    }
    assert [fault.partition(":")[0] for fault in faults(found)] == ["late", "late", "large"]
    lines = report(found, Size(thousands=2))
    assert lines[2] == "| off | 5.50, 6.00 | 25.00, 26.00 | +0.00 / +0.00 | 1.00 | 105 / 105 |"
    assert "memory after 1000 / 2000 answers" in lines[0]


def test_one_disturbed_round_is_no_noise() -> None:
    calm = [0.001 * number for number in range(1, 10)]
    assert noise(calm, [*calm[:-1], 9.0]) == 0.0
    assert noise(calm, calm[::-1]) > 1


@pytest.mark.slow
def test_each_way_is_measured() -> None:
    found = asyncio.run(measure(Size(rounds=1, answers=1, thousands=0.008, ways=[DEAD, "garbage"])))
    assert list(found) == [
        OFF,
        OFF_AGAIN,
        "collector, dead",
        "collector, garbage",
        "Application Insights, dead",
        "Application Insights, garbage",
    ]
    assert all(one.first[0] > 0 and one.whole[0] > 0 and one.cpu > 0 and one.many > 0 for one in found.values())
