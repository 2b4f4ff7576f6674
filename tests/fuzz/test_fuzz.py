"""A short `make fuzz`, the inputs that once found something, and the rules themselves on answers with a planted fault."""

import functools
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.receipt import LOGGER_NAME
from tests.fuzz.__main__ import run
from tests.fuzz.case import Case, Surface, load, save
from tests.fuzz.findings import Findings
from tests.fuzz.generate import MAKERS, make_case
from tests.fuzz.in_process import InProcess
from tests.fuzz.seen import Opened, Seen
from tests.fuzz.setups import PROMPT, TOKEN
from tests.fuzz.verdict import problems_of
from tests.harness.cells import cells

SEED = 20261127
KEPT = sorted((Path(__file__).parent / "cases").glob("*.json"))
SHORT: dict[Surface, int] = {
    "requests": 1000,
    "upstream": 350,
    "wire": 50,
    "identity": 20,
    "settings": 200,
    "media": 250,
}


@pytest.mark.parametrize("surface", SHORT)  # together they are too long under the coverage
def test_nothing_is_found_in_a_short_run(surface: Surface) -> None:
    findings = Findings()
    run(surface, (make_case(surface, SEED, number) for number in range(SHORT[surface])), findings)
    assert not findings.kinds


@cells("path", KEPT, ids=lambda path: path.stem)
def test_what_was_found_once_is_not_found_again(path: Path) -> None:
    case = load(path)
    findings = Findings()
    run(case.surface, iter([case]), findings)
    assert not findings.kinds, case.note


@pytest.mark.parametrize("surface", MAKERS)
def test_a_case_is_the_same_for_ever_and_in_a_file(surface: Surface, tmp_path: Path) -> None:
    for number in range(50):
        case = make_case(surface, 1, number)
        assert case == make_case(surface, 1, number)
        save(case, tmp_path / "case.json")
        assert load(tmp_path / "case.json") == case


def told(record: str, level: int = logging.INFO, name: str = "shared.upstream.attempts") -> logging.LogRecord:
    return logging.LogRecord(name, level, "", 0, record, (), None)


def answered(number: int) -> tuple[Case, Seen]:
    case = make_case("requests", 3, number)
    with InProcess() as process:
        return case, process.run(case)


@functools.cache
def number_of_a_good_answer() -> int:
    """The first case whose answer is a chat answer in which nothing is wrong."""
    for number in range(1000):
        case, seen = answered(number)
        is_sse = b"event: finished" in seen.body and seen.status == 200
        if is_sse and seen.opened and not seen.has_left and not problems_of(case, seen):
            return number
    raise AssertionError("none found")


def _receipt(seen: Seen, **changes: object) -> logging.LogRecord:
    return told(json.dumps(seen.receipts[0] | changes), name=LOGGER_NAME)


def _end_without_an_event(seen: Seen) -> None:
    del seen.body[seen.body.index(b"event: finished") :]


def _break_a_frame(seen: Seen) -> None:
    seen.body[:] = seen.body.replace(b"\n\n", b"\n", 1)


def _leave_the_upstream_open(seen: Seen) -> None:
    seen.opened[0].is_closed = False


def _model_has_not_ended(seen: Seen) -> None:
    seen.opened[0].raw = b"data: {}\n\n"


PLANTED: dict[str, Callable[[Seen], object]] = {
    "the loop was blocked for": lambda seen: setattr(seen, "longest_block", 1.5),
    "after its client had left": lambda seen: setattr(seen, "seconds_after_leaving", 2.0),
    "nothing was sent": lambda seen: setattr(seen, "status", 0),
    "an upstream's body stays open": _leave_the_upstream_open,
    "an attempt after the client had left": lambda seen: seen.opened.append(Opened(None, b"", True, True)),
    "a traceback in the log": lambda seen: seen.records.append(
        logging.LogRecord("x", logging.ERROR, "", 0, "oops", (), (ValueError, ValueError("no"), None))
    ),
    "a control character in the log": lambda seen: seen.records.append(told("a\nb")),
    "a log record of": lambda seen: seen.records.append(told("a" * 5000)),
    f"{PROMPT} in the log": lambda seen: seen.records.append(told(f"said {PROMPT}")),
    "2 receipts": lambda seen: seen.records.append(_receipt(seen)),
    "0 receipts": lambda seen: seen.records.clear(),
    "the receipt says internal_error": lambda seen: seen.records.__setitem__(
        -1, _receipt(seen, ended="internal_error")
    ),
    "the status is 999": lambda seen: setattr(seen, "status", 999),
    "a header that no server sends": lambda seen: seen.headers.append(("x-a", "a\x01")),
    "a header twice": lambda seen: seen.headers.append(("x-request-id", "b")),
    "no x-request-id": lambda seen: seen.headers.clear(),
    "content-length: 3": lambda seen: seen.headers.append(("content-length", "3")),
    f"{TOKEN} in the response": lambda seen: seen.headers.append(("x-a", TOKEN)),
    "a status 500 that is no error object": lambda seen: setattr(seen, "status", 500),
    "complete, and not ended": _end_without_an_event,
    "not valid sse": _break_a_frame,
    "finished, and cut": lambda seen: setattr(seen, "is_complete", False),
    "finished, and the model has not ended it": _model_has_not_ended,
    "what goes up is no JSON": lambda seen: setattr(seen.opened[0], "sent", b'{"a":NaN}'),
    "access-control-allow-origin": lambda seen: seen.headers.append(("access-control-allow-origin", "*")),
}


@cells("problem", PLANTED)
def test_a_planted_fault_is_found(problem: str) -> None:
    case, seen = answered(number_of_a_good_answer())
    assert not problems_of(case, seen)
    PLANTED[problem](seen)
    assert any(problem in found for found in problems_of(case, seen)), problems_of(case, seen)
