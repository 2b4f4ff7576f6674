"""Which days and which format a request for usage asks for."""

from datetime import date

import pytest

from shared.errors import BadRequest
from shared.limits.usage import Period
from shared.usage.question import read_question

TODAY = date(2026, 11, 27)


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ({}, "2026-11-01", "2026-11-27"),
        ({"from": "", "to": ""}, "2026-11-01", "2026-11-27"),
        ({"from": "2026-10-05"}, "2026-10-05", "2026-11-27"),
        ({"to": "2026-02-10"}, "2026-02-01", "2026-02-10"),
        ({"from": "2026-01-31", "to": "2026-01-31"}, "2026-01-31", "2026-01-31"),
        ({"from": "2025-10-24"}, "2025-10-24", "2026-11-27"),
        ({"from": "2030-01-01", "to": "2030-02-01", "code": "a function key"}, "2030-01-01", "2030-02-01"),
        ({"from": "0001-01-01", "to": "0001-01-01"}, "0001-01-01", "0001-01-01"),
        ({"to": "9999-12-31"}, "9999-12-01", "9999-12-31"),
    ],
)
def test_the_days_are_those_of_the_current_month_unless_others_are_asked_for(
    query: dict[str, str], first: str, last: str
) -> None:
    assert read_question(query, "", today=TODAY).period == Period(first, last)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-13-01"}, "from"),
        ({"to": "2026-02-30"}, "to"),
        ({"to": "20261127"}, "to"),
        ({"to": "2026-W01-1"}, "to"),
        ({"to": "２０２６-11-27"}, "to"),
        ({"to": "2026-11-27\n"}, "to"),
        ({"from": "2026-11-28"}, "from"),
        ({"from": "2026-11-27", "to": "2026-11-26"}, "from"),
        ({"from": "2025-10-23"}, "from"),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "from"),
        ({"format": "xml"}, "format"),
        ({"format": ""}, "format"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_name_of_the_parameter(query: dict[str, str], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_question(query, "", today=TODAY)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("query", "accept", "expected"),
    [
        ({}, "", "json"),
        ({}, "*/*", "json"),
        ({}, "text/csv", "csv"),
        ({}, "Text/CSV; charset=utf-8, */*;q=0.1", "csv"),
        ({}, "application/json, text/csv", "json"),
        ({"format": "csv"}, "application/json", "csv"),
        ({"format": "json"}, "text/csv", "json"),
    ],
)
def test_the_format_is_json_unless_csv_is_asked_for(query: dict[str, str], accept: str, expected: str) -> None:
    assert read_question(query, accept, today=TODAY).format == expected
