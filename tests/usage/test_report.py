"""The report of what was used, in JSON and CSV."""

import csv
import io
import json
from decimal import Decimal

from shared.config.prices import Price
from shared.limits.limiter import Standing
from shared.limits.meters import Meter, Span, Unit
from shared.limits.usage import Period, Spot, Sums
from shared.usage.report import Report
from tests.harness.app import NOON

PRICE = Price(input=Decimal("1.25"), cached_input=Decimal("0.125"), output=Decimal(10))
USED = {
    Spot("bob", "2026-11-02", "gpt"): Sums(2, 1_000_000, 400_000, 100_000, 0, 1, 30),
    Spot("alice", "2026-11-03", '=HYPERLINK("x")'): Sums(1, 1),
    Spot("alice", "2026-11-02", 'ü, "quoted"\n'): Sums(1, 1),
}
STREAMS, TOKENS = Meter(Unit.STREAMS, Span.NOW, 5), Meter(Unit.TOKENS, Span.DAY, 1000)


def report(**changes: object) -> Report:
    usual = {
        "caller": "alice",
        "is_about_all": True,
        "period": Period("2026-11-01", "2026-11-27"),
        "used": USED,
        "limits": [Standing(STREAMS.window(NOON), 4), Standing(TOKENS.window(NOON), None)],
        "prices": {},
    }
    return Report(**(usual | changes))  # type: ignore[arg-type] # as named above


def test_the_json_has_a_row_for_each_caller_day_and_model_and_what_is_left_of_each_limit() -> None:
    found = json.loads(report().json())
    assert {key: found[key] for key in ("object", "caller", "callers", "from", "to")} == {
        "object": "usage",
        "caller": "alice",
        "callers": "all",
        "from": "2026-11-01",
        "to": "2026-11-27",
    }
    assert [(row["caller"], row["day"]) for row in found["rows"]] == [
        ("alice", "2026-11-02"),
        ("alice", "2026-11-03"),
        ("bob", "2026-11-02"),
    ]
    assert found["rows"][2] == {
        "caller": "bob",
        "day": "2026-11-02",
        "model": "gpt",
        "answers": 2,
        "input_tokens": 1_000_000,
        "cached_tokens": 400_000,
        "output_tokens": 100_000,
        "reasoning_tokens": 0,
        "estimated_answers": 1,
        "estimated_tokens": 30,
    }
    assert found["limits"] == [
        {"unit": "streams", "span": "now", "maximum": 5, "left": 4, "resets_at": None},
        {"unit": "tokens", "span": "day", "maximum": 1000, "left": None, "resets_at": "2026-11-28T00:00:00Z"},
    ]


def test_a_price_turns_tokens_into_costs_and_a_model_without_one_has_none() -> None:
    rows = json.loads(report(prices={"gpt": PRICE}).json())["rows"]
    assert [row["cost"] for row in rows] == [None, None, 1.8]


def test_the_csv_has_the_same_rows_and_no_cell_is_a_formula() -> None:
    text = report(prices={"gpt": PRICE}).csv().decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert text.startswith("caller,day,model,answers,input_tokens,cached_tokens,output_tokens,reasoning_tokens,")
    assert [row["model"] for row in rows] == ['ü, "quoted"\n', '\'=HYPERLINK("x")', "gpt"]
    assert [row["cost"] for row in rows] == ["", "", "1.8"]
    assert rows[2]["input_tokens"] == "1000000"
    assert "cost" not in report().csv().decode()
