"""PRICES and OPERATORS: what is accepted, and the sentence for what is not."""

import json
from decimal import Decimal
from typing import Any

import pytest

from shared.config.prices import Price, prices
from shared.config.values import caller_names
from shared.errors import Misconfigured
from tests.harness.cells import cells


def parse(value: Any) -> Any:
    return prices().parse("PRICES", value if isinstance(value, str) else json.dumps(value))


def test_a_price_is_of_a_million_tokens_and_exact() -> None:
    found = parse('{"gpt": {"input": 0.1, "cached_input": 0.01, "output": 3}, "other": {"input": 2, "output": 0}}')
    assert found["gpt"] == Price(input=Decimal("0.1"), cached_input=Decimal("0.01"), output=Decimal(3))
    assert found["other"].cached_input == 2, "as other input"
    cost = found["gpt"].of(input_tokens=3_000_000, cached_tokens=1_000_000, output_tokens=1)
    assert cost == Decimal("0.210003")
    assert found["gpt"].of(input_tokens=0, cached_tokens=5, output_tokens=0) > 0, "counts that contradict each other"


def test_nothing_set_is_no_price() -> None:
    assert parse("") == {}


@cells(
    ("value", "expected"),
    [
        ("{", "JSON error at line 1"),
        ("[" * 100_000, "expected a JSON object"),
        ([], "expected a JSON object"),
        ({"": {"input": 1, "output": 1}}, "expected a JSON object"),
        ({"gpt": 5}, "PRICES, model 1,"),
        ({"a": {"input": 1, "output": 1}, "gpt": {"input": 1}}, "PRICES, model 2,"),
        ({"gpt": {"input": 1, "output": 1, "reasoning": 1}}, "an object with input, output"),
        ({"gpt": 0.5}, "PRICES, model 1,"),
        ({"gpt": {"input": -1, "output": 1}}, "numbers from 0 to"),
        ({"gpt": {"input": -0.5, "output": 1}}, "numbers from 0 to"),
        ({"gpt": {"input": True, "output": 1}}, "numbers from 0 to"),
        ({"gpt": {"input": "1", "output": 1}}, "numbers from 0 to"),
        ('{"gpt": {"input": NaN, "output": 1}}', "numbers from 0 to"),
        ('{"gpt": {"input": Infinity, "output": 1}}', "numbers from 0 to"),
        ('{"gpt": {"input": 1e999999, "output": 1}}', "numbers from 0 to"),
    ],
)
def test_anything_else_is_said_to_be_invalid(value: Any, expected: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        parse(value)
    assert expected in caught.value.operator_message or expected in caught.value.message


def test_operators_are_a_list_of_names() -> None:
    parse_names = caller_names().parse
    assert parse_names("OPERATORS", " alice, bob smith ,,alice") == {"alice", "bob smith"}
    assert parse_names("OPERATORS", "") == frozenset()
