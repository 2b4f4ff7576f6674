"""What `make cost` says: a simulated day against what can be computed by hand, and the template's defaults against the page."""

import json
import random
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from dev.cost import __main__ as program
from dev.cost.bill import DAYS, bill
from dev.cost.platforms import CORES_OF_MB, SPARE, Platform, alternatives, default_platform, held_streams
from dev.cost.prices import TABLE, read_prices
from dev.cost.report import CONCURRENCIES, plot, rates
from dev.cost.simulation import Rules, simulate, steady
from dev.cost.workload import DAY_SECONDS, HOUR_SECONDS, SHAPES, Workload

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "cost.md"
SMALL = Workload(answers=5_000, bursts=0, shape="flat")


def test_a_shape_has_each_hour_of_a_day() -> None:
    assert {len(shape) for shape in SHAPES.values()} == {24}
    assert sum(Workload(shape="office").rate(hour) for hour in range(24)) * HOUR_SECONDS == pytest.approx(200_000)


def test_arrivals_are_as_many_as_the_day_has_and_in_order() -> None:
    arrivals = list(SMALL.arrivals(random.Random(1)))
    assert len(arrivals) == pytest.approx(SMALL.answers, rel=0.05)
    assert arrivals == sorted(arrivals)
    assert 0 <= arrivals[0] < arrivals[-1] < DAY_SECONDS
    bursts = list(replace(SMALL, bursts=200).arrivals(random.Random(1)))
    assert len(bursts) > 1.1 * len(arrivals)


def test_lengths_have_the_mean_that_was_asked_for() -> None:
    chance = random.Random(1)
    lengths = [SMALL.seconds_of_an_answer(chance) for _ in range(20_000)]
    assert sum(lengths) / len(lengths) == pytest.approx(SMALL.mean_seconds, rel=0.03)
    assert max(lengths) > 3 * SMALL.mean_seconds


def test_with_one_stream_each_instance_executes_for_as_long_as_the_answers_take() -> None:
    day = simulate(SMALL, Rules(concurrency=1, maximum=1000))
    assert day.instance_seconds == pytest.approx(day.answers * SMALL.mean_seconds, rel=0.05)
    assert len(day.waits) == day.answers
    assert day.peak >= SMALL.rate(0) * SMALL.mean_seconds


def test_the_same_seed_gives_the_same_day() -> None:
    rules = Rules(concurrency=2)
    assert simulate(SMALL, rules) == simulate(SMALL, rules)
    assert simulate(SMALL, rules) != simulate(SMALL, rules, seed=2)


def test_the_first_answer_waits_for_its_instance_and_an_always_ready_one_spares_that() -> None:
    rules = Rules(concurrency=100, cold_seconds=7.0)
    day = simulate(SMALL, rules)
    assert max(day.waits) == pytest.approx(7.0)
    assert day.cold >= 1
    ready = simulate(SMALL, replace(rules, always_ready=1))
    assert (ready.cold, max(ready.waits)) == (0, 0.0)


def test_where_no_more_instances_may_start_answers_wait_in_turn() -> None:
    full = simulate(replace(SMALL, answers=20_000), Rules(concurrency=1, maximum=1))
    assert full.peak == 1
    assert full.refused > 0.5 * full.answers
    assert full.wait(0.99) > 60


def test_a_large_day_is_computed_as_a_simulated_one_comes_out() -> None:
    workload = replace(SMALL, answers=60_000)
    rules = Rules(concurrency=5, maximum=1000)
    simulated, computed = simulate(workload, rules), steady(workload, rules)
    assert computed.by_hour[12] == 2
    assert computed.by_hour[12] <= simulated.by_hour[12] <= 3 * computed.by_hour[12]
    assert simulated.instance_seconds > 0.6 * computed.instance_seconds


def test_a_bill_is_what_a_calculator_says() -> None:
    platform = Platform(title="x", rules=Rules(concurrency=100), memory_mb=2048)
    day = steady(SMALL, platform.rules)
    prices = read_prices(given={"storage_month": 3.0, "flex_gb_second": 0.00002, "model_million_input": 1.0})
    cost = bill(SMALL, platform, day, prices)
    answers = SMALL.answers * DAYS
    assert cost.compute == pytest.approx((24 * 3600 * DAYS * 2 - 100_000) * 0.00002)
    assert cost.executions == 0.0  # 150,000 of 250,000 free ones
    assert cost.model == pytest.approx(answers / 1e6 * (1_000 * 1.0 + 400 * 4.5))
    assert (cost.storage, cost.ready, cost.telemetry) == (3.0, 0.0, 0.0)
    assert cost.total == pytest.approx(cost.model + cost.compute + 3.0)


def test_a_price_that_nobody_found_is_not_invented() -> None:
    prices = read_prices()
    ready = replace(default_platform(), rules=Rules(concurrency=100, always_ready=1))
    assert bill(SMALL, ready, steady(SMALL, ready.rules), prices).ready is None
    priced = read_prices(given={"flex_ready_gb_second": 0.000004})
    assert bill(SMALL, ready, steady(SMALL, ready.rules), priced).ready == pytest.approx(
        2 * DAY_SECONDS * DAYS * 0.000004
    )
    with pytest.raises(ValueError, match="the price storage_month is not known"):
        prices.known("storage_month")
    with pytest.raises(ValueError, match="no price is named typo"):
        read_prices(given={"typo": 1.0})


def test_each_price_has_a_date_and_a_source_or_no_amount() -> None:
    for name, row in json.loads(TABLE.read_text(encoding="utf-8"))["prices"].items():
        assert row["unit"], name
        assert re.search(r"https://", row["source"]), name
        assert bool(row["date"]) is (row["amount"] is not None), name


def test_the_templates_defaults_are_those_that_the_page_explains() -> None:
    platform = default_platform()
    held = held_streams()
    # Not more than a sixth of what a core holds of the slower API, and where the plot has become flat.
    assert platform.rules.concurrency <= held["this app, `/chat` sse"] // SPARE
    assert platform.rules.concurrency in CONCURRENCIES
    assert CORES_OF_MB[platform.memory_mb] == 1.0
    assert platform.rules.always_ready == 0
    text = PAGE.read_text(encoding="utf-8")
    assert f"**{platform.rules.concurrency} streams per instance**" in text
    assert f"**{platform.memory_mb:,} MB**" in text
    assert "**No always-ready instance**" in text
    assert (
        f"the template's {platform.rules.maximum}: {platform.rules.maximum * platform.rules.concurrency:,} streams"
        in text
    )
    # The page's own day: nearly nobody waits without an always-ready instance.
    row = next(
        line for line in text.splitlines() if line.startswith(f"| {platform.title} | {platform.rules.concurrency} |")
    )
    assert float(row.split("|")[5].strip(" %")) < 0.1


def test_the_others_have_the_capacity_that_was_measured() -> None:
    held = held_streams()
    found = {platform.title: platform for platform in alternatives()}
    assert found["official sample"].rules.concurrency == held["official sample"] // SPARE
    assert found["LiteLLM on Container Apps, 1 vCPU"].is_container
    assert any(platform.rules.concurrency == 1 for platform in found.values())


def test_the_tables_name_what_limits_ten_thousand_a_second() -> None:
    one, hundred, many = rates(read_prices()).splitlines()[2:]
    assert one.endswith("| none of Functions' |")
    assert hundred.endswith("| none of Functions' |")
    assert "maximumInstanceCount (40), 250 cores of a region" in many


def test_the_plot_is_well_formed() -> None:
    ET.fromstring(plot(replace(SMALL, answers=2_000), read_prices()))


def test_the_program_answers_and_names_what_it_was_not_given(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["cost", "--answers", "3000", "--concurrency", "10", "--price", "storage_month=1"])
    assert program.main() == 0
    printed = capsys.readouterr().out
    assert "3,000 answers a day, 9.0 s each on average, on this app, 2048 MB" in printed
    assert "| storage account | 1.00 |" in printed
    monkeypatch.setattr("sys.argv", ["cost", "--price", "typo=1"])
    assert program.main() == 2
    assert "no price is named typo" in capsys.readouterr().err
