"""The record of an answer in the log."""

import dataclasses
import json
import logging

import pytest

from shared.events import Usage
from shared.receipt import LOGGER_NAME, AttemptRecord, Receipt


def logged(receipt: Receipt, caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    with caplog.at_level(logging.INFO, LOGGER_NAME):
        receipt.log()
    (record,) = caplog.records
    record.getMessage().encode()
    fields: dict[str, object] = json.loads(record.getMessage())
    return fields


def receipt(**fields: str) -> Receipt:
    return Receipt(**({"id": "r", "invocation_id": "i", "api": "openai"} | fields))  # type: ignore[arg-type]


def test_durations_have_their_unit_in_their_name(caplog: pytest.LogCaptureFixture) -> None:
    one = receipt()
    one.mark_first_token()
    one.attempts.append(AttemptRecord("east", "content", 0.25))
    fields = logged(one, caplog)
    first, all_of_it = fields["time_to_first_token_seconds"], fields["duration_seconds"]
    assert isinstance(first, float)
    assert isinstance(all_of_it, float)
    assert 0 <= first <= all_of_it < 5
    assert fields["attempts"] == [{"backend": "east", "outcome": "content", "seconds": 0.25}]


def test_an_answer_without_content_has_no_time_to_its_first_token(caplog: pytest.LogCaptureFixture) -> None:
    fields = logged(receipt(), caplog)
    assert (fields["time_to_first_token_seconds"], fields["tokens"]) == (None, "unknown")


@pytest.mark.parametrize("name", [one.name for one in dataclasses.fields(Receipt) if one.type is str])
def test_a_lone_surrogate_in_any_field_is_replaced_and_the_record_is_written(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    fields = logged(receipt(**{name: "a\ud800b"}), caplog)
    assert fields[name] == "a\ufffdb"


def test_a_count_of_any_size_and_an_outcome_with_a_lone_surrogate_are_written(caplog: pytest.LogCaptureFixture) -> None:
    one = receipt()
    one.usage = Usage(10**30, 1, 0, 0)
    one.attempts.append(AttemptRecord("east", "c\ud800", 0.0))
    fields = logged(one, caplog)
    assert fields["tokens"] == {"input": 10**30, "output": 1, "cached": 0, "reasoning": 0}
    assert fields["attempts"] == [{"backend": "east", "outcome": "c\ufffd", "seconds": 0.0}]
