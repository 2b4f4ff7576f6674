"""How long an answer may take: what the Functions host reads as functionTimeout, less the margin."""

import logging
from math import inf
from pathlib import Path

import pytest

from shared.config.host_limits import FUNCTION_TIMEOUT_MARGIN_SECONDS, HOST_JSON, max_answer_seconds
from shared.errors import Misconfigured

OVERRIDE = "AzureFunctionsJobHost__functionTimeout"


def limit(tmp_path: Path, host_json: str, **env: str) -> float:
    path = tmp_path / "host.json"
    path.write_text(host_json, encoding="utf-8")
    return max_answer_seconds(env, path)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("00:30:00", 1800),
        ("01:00", 3600),
        ("1.00:00:00", 86_400),
        ("2", 2 * 86_400),
        ("00:10:00.5", 600.5),
        (" 00:10:00 ", 600),
    ],
)
def test_an_answer_may_take_functiontimeout_less_the_margin(tmp_path: Path, written: str, seconds: float) -> None:
    expected = seconds - FUNCTION_TIMEOUT_MARGIN_SECONDS
    assert limit(tmp_path, f'{{"functionTimeout": "{written}"}}') == expected
    assert limit(tmp_path, "{}", **{OVERRIDE: written}) == expected


@pytest.mark.parametrize("written", ['"-1"', "-1"])
def test_minus_one_is_no_limit(tmp_path: Path, written: str) -> None:
    assert limit(tmp_path, f'{{"functionTimeout": {written}}}') == inf


def test_half_of_a_short_functiontimeout_is_left(tmp_path: Path) -> None:
    assert limit(tmp_path, '{"functionTimeout": "00:00:04"}') == 2


def test_the_environment_wins_over_host_json_in_any_case_of_letters(tmp_path: Path) -> None:
    for name in (OVERRIDE, OVERRIDE.upper()):
        assert limit(tmp_path, '{"functionTimeout": "00:30:00"}', **{name: "00:01:00"}) == 55
    assert limit(tmp_path, '\ufeff{"FunctionTimeout": "00:01:00"}') == 55


@pytest.mark.parametrize("host_json", ["{}", "[]", '{"functionTimeout": null}'])
def test_without_one_it_is_the_plans_default(tmp_path: Path, host_json: str) -> None:
    assert limit(tmp_path, host_json) == 1795
    assert limit(tmp_path, host_json, WEBSITE_SKU="FlexConsumption") == 1795
    assert limit(tmp_path, host_json, WEBSITE_SKU="Dynamic") == 295


def test_a_host_json_that_cannot_be_read_is_logged_and_taken_for_the_default(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert limit(tmp_path, "// comment\n{}") == 1795
    assert max_answer_seconds({}, tmp_path / "none.json") == 1795
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "host.json cannot be read (JSONDecodeError)",
        "host.json cannot be read (FileNotFoundError)",
    ]


@pytest.mark.parametrize("written", ["half an hour", "00:30:00:00", "30m", "-5", ""])
def test_what_is_no_time_span_is_named_and_not_shown(tmp_path: Path, written: str) -> None:
    with pytest.raises(Misconfigured, match="functionTimeout") as caught:
        limit(tmp_path, "{}", **{OVERRIDE: written})
    assert not written or written not in caught.value.operator_message


def test_the_apps_own_host_json_is_the_one_that_is_read() -> None:
    assert (HOST_JSON.parent / "function_app.py").is_file()
    assert max_answer_seconds({}) == 1795
