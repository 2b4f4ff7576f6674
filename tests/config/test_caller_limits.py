"""CALLER_LIMITS: what is accepted, and the sentence for what is not."""

import json
from typing import Any

import pytest

from shared.config.caller_limits import NO_LIMITS, CallerLimits, LimitsPolicy, caller_limits
from shared.errors import Misconfigured
from tests.harness.cells import cells


def parse(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value)
    return caller_limits().parse("CALLER_LIMITS", text)


def test_each_caller_has_its_own_limits_and_all_others_those_of_the_star() -> None:
    policy = LimitsPolicy(
        callers=parse({"*": {"streams": 2}, "alice": {"tokens_per_day": 5, "requests_per_minute": 0}})
    )
    assert policy.of("alice") == CallerLimits(tokens_per_day=5, requests_per_minute=0)
    assert policy.of("bob") == CallerLimits(streams=2)
    assert LimitsPolicy(callers=parse({"alice": {}})).of("bob") == NO_LIMITS


def test_nothing_set_is_no_limit() -> None:
    assert parse("") == {}


@cells(
    ("value", "expected"),
    [
        ("{", "JSON error at line 1"),
        ("[" * 100_000, "expected a JSON object"),
        ([], "expected a JSON object"),
        ({}, "expected a JSON object"),
        ({"": {}}, "expected a JSON object"),
        ({"*": 5}, "CALLER_LIMITS, caller 1,"),
        ({"*": {}, "alice": {"tokens_per_hour": 5}}, "CALLER_LIMITS, caller 2,"),
        ({"*": {"streams": -1}}, "whole numbers from 0 to"),
        ({"*": {"streams": True}}, "whole numbers from 0 to"),
        ({"*": {"streams": 1.5}}, "whole numbers from 0 to"),
        ({"*": {"streams": 10**16}}, "whole numbers from 0 to"),
        ({"*": {"streams": None}}, "whole numbers from 0 to"),
    ],
)
def test_anything_else_is_said_to_be_invalid(value: Any, expected: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        parse(value)
    assert expected in caught.value.operator_message or expected in caught.value.message
