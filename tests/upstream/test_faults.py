"""Whose fault an error inside a 200 is."""

from typing import Any, get_args

from openai.types.responses import ResponseError

from shared.errors import RETRYABLE_STATUSES, ErrorObject
from shared.upstream.errors import error_from_event, read_error
from shared.upstream.faults import TOOL, VERDICTS, Fault, verdict_of
from tests.harness.cells import cells


def test_every_code_of_the_openai_package_is_in_the_table() -> None:
    assert set(get_args(ResponseError.model_fields["code"].annotation)) <= set(VERDICTS)


@cells("word", VERDICTS)
@cells("place", ["code", "type"])
def test_only_what_is_the_accounts_own_moves_an_answer(word: str, place: str) -> None:
    failure = error_from_event(read_error({place: word.upper()}, fallback="m"))
    assert failure.status == VERDICTS[word].status
    assert failure.is_retryable is VERDICTS[word].fault.moves


def test_a_status_and_whose_fault_it_is_say_the_same() -> None:
    for verdict in [*VERDICTS.values(), *(verdict_of(ErrorObject("m", "x", str(code))) for code in range(400, 600))]:
        assert verdict.fault.moves is (verdict.status in RETRYABLE_STATUSES or verdict.status >= 500)


@cells(
    ("error", "status", "fault"),
    [
        ({"code": "401"}, 502, Fault.UPSTREAM),
        ({"code": 403}, 502, Fault.UPSTREAM),
        ({"code": "407"}, 502, Fault.UPSTREAM),
        ({"code": "408"}, 408, Fault.UPSTREAM),
        ({"code": "429"}, 429, Fault.LIMIT),
        ({"code": "503"}, 503, Fault.UPSTREAM),
        ({"code": 413}, 413, Fault.CALLER),
        ({"code": "401", "type": "external_connector_error"}, 424, Fault.TOOL),
        ({"code": "server_error", "type": "external_connector_error"}, 424, Fault.TOOL),
        ({"code": "rate_limit_exceeded", "type": "invalid_request_error"}, 429, Fault.LIMIT),
        ({"code": "something_new", "type": "invalid_request_error"}, 400, Fault.CALLER),
        ({"code": "something_new", "type": "something_new"}, 502, Fault.UPSTREAM),
        ({}, 502, Fault.UPSTREAM),
    ],
)
def test_a_code_a_type_or_a_code_that_is_a_status_says_whose_fault_it_is(
    error: dict[str, Any], status: int, fault: Fault
) -> None:
    verdict = verdict_of(read_error(error, fallback="m"))
    assert (verdict.status, verdict.fault) == (status, fault)


def test_an_error_event_says_nothing_of_the_apps_identity() -> None:
    for status in range(400, 600):
        assert not error_from_event(ErrorObject("m", "x", str(status))).is_about_identity
    assert not error_from_event(ErrorObject("m", "external_connector_error", "401")).is_about_identity
    assert TOOL.status not in RETRYABLE_STATUSES
