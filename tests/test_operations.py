"""docs/operations.md has a section for every error code, each with three steps, and names metrics and settings that exist."""

import re
from pathlib import Path

from dev.reference import error_kinds
from shared.config.settings import SETTING_NAMES
from shared.receipt import Receipt
from shared.telemetry.calls import NO_FAILURES
from shared.telemetry.names import METRICS
from tests.harness.cells import cells

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "operations.md").read_text(encoding="utf-8")
SECTIONS: dict[str, str] = dict(re.findall(r"^### `([^`]+)`\n(.*?)(?=^### |\Z)", PAGE, re.MULTILINE | re.DOTALL))
CODES = [kind.code or "internal_error" for kind in error_kinds()]


@cells("code", CODES)
def test_an_error_code_has_a_section_with_three_steps(code: str) -> None:
    steps = re.findall(r"^(\d)\. \S.*", SECTIONS[code], re.MULTILINE)
    assert steps == ["1", "2", "3"]


def test_every_section_is_about_a_code_that_there_is() -> None:
    of_service = {"content_filter", "rate_limit_exceeded"}
    assert set(SECTIONS) == {*CODES, *of_service, *(NO_FAILURES - {"finished"})}


def test_the_runbooks_of_the_alerts_have_three_steps_too() -> None:
    for heading in (
        "Answers begin late",
        "Answers fail",
        "No backend is ready",
        "It is expensive",
        "Telemetry is missing",
    ):
        (text,) = re.findall(rf"^## {heading}\n(.*?)(?=^#+ )", PAGE, re.MULTILINE | re.DOTALL)
        assert re.findall(r"^(\d)\. ", text, re.MULTILINE) == ["1", "2", "3"]


def test_every_metric_and_setting_that_is_named_exists() -> None:
    metrics = {row.v1_41 for row in METRICS.values()} | {row.latest for row in METRICS.values()}
    assert set(re.findall(r"`((?:gen_ai|streaming_endpoint)\.[\w.]+)`", PAGE)) <= metrics
    settings = set(re.findall(r"`([A-Z][A-Z_]{4,})(?:=[^`]*)?`", PAGE))
    assert settings <= {*SETTING_NAMES}


def test_every_field_of_a_receipt_that_is_named_is_there() -> None:
    (table,) = re.findall(r"^\| field of a receipt \|.*?\n\n", PAGE, re.MULTILINE | re.DOTALL)
    cells = [line.split("|")[1] for line in table.splitlines()[2:] if line]
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    told = {"retrieval": {"outcome": "found"}, "resume": {"answer": "a"}}
    fields = Receipt(id="r", invocation_id="i", api="chat", **told)._record()  # type: ignore[arg-type]
    assert named <= fields.keys()
