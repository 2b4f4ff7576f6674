"""Workbook, alert rules and Grafana dashboard ask for names that the app emits, and for the five questions.

Whether Azure and Grafana draw them cannot be proven here.
"""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.hosting.telemetry import _attributes
from shared.receipt import LOGGER_NAME
from shared.telemetry.aggregation import Instrument, Kind
from shared.telemetry.calls import NO_FAILURES
from shared.telemetry.measurements import Instruments, measured
from shared.telemetry.names import Names, Semconv
from tests.harness.cells import cells
from tests.telemetry.samples import EVERY_WAY, describer

INFRA = Path(__file__).resolve().parents[2] / "infra"
DOCS = INFRA.parent / "docs"
QUESTIONS = ["How slow?", "How many, and how did they end?", "Which backend?", "Who left?", "What did it use?"]
UNITS = {"s": "_seconds"}
"""What Prometheus adds to a name for its unit; a unit in braces adds nothing."""


def read(path: str) -> Any:
    return json.loads((INFRA / path).read_text(encoding="utf-8"))


WORKBOOK, ALERTS, GRAFANA = read("core/workbook.json"), read("core/alerts.json"), read("grafana/answers.json")
QUERIES = [item["content"]["query"] for item in WORKBOOK["items"] if item["type"] == 3]
ALL_QUERIES = [*QUERIES, *(rule["query"] for rule in ALERTS)]
EXPRESSIONS = [target["expr"] for panel in GRAFANA["panels"] for target in panel.get("targets", ())]


def receipt_fields() -> set[str]:
    """Return the names under which Application Insights keeps a receipt's fields."""
    found: set[str] = set()
    for receipt in EVERY_WAY.values():
        record = logging.makeLogRecord({"name": LOGGER_NAME, "msg": json.dumps(receipt._record())})
        found |= _attributes(record).keys()
    return found


def emitted() -> dict[str, tuple[Instrument, set[str]]]:
    """Return each metric with its attributes."""
    names = Names.of(Semconv.V1_41)
    instruments = Instruments(names)
    found: dict[str, tuple[Instrument, set[str]]] = {
        instruments.open_streams.name: (instruments.open_streams, set()),
        instruments.backend_ready.name: (instruments.backend_ready, {names.attributes["backend"]}),
    }
    for receipt in EVERY_WAY.values():
        for instrument, _, key in measured(receipt, instruments, describer()):
            found.setdefault(instrument.name, (instrument, set()))[1].update(dict(key))
    return found


def prometheus(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def series_of(name: str, instrument: Instrument) -> Iterator[str]:
    """Return the names of the series that Prometheus makes of a metric."""
    whole = prometheus(name) + UNITS.get(instrument.unit, "")
    if instrument.kind is Kind.HISTOGRAM:
        yield from (whole + end for end in ("_bucket", "_count", "_sum"))
    else:
        yield whole + ("_total" if instrument.kind is Kind.COUNTER else "")


@cells("query", ALL_QUERIES, ids=range(len(ALL_QUERIES)))
def test_a_query_reads_receipts_by_their_fields_or_a_metric_by_its_name(query: str) -> None:
    fields = set(re.findall(r"customDimensions\.(\w+)|customDimensions\[\"([^\"]+)\"\]", query))
    asked = {first or second for first, second in fields}
    if query.startswith("traces\n"):
        assert query.startswith('traces\n| where customDimensions.event == "answer"\n')
        assert asked <= receipt_fields()
    else:
        (name,) = re.findall(r'^customMetrics\n\| where name == "([^"]+)"\n', query)
        assert asked <= emitted()[name][1]


def test_what_is_asked_of_an_attempt_is_on_each() -> None:
    (query,) = (query for query in QUERIES if "mv-expand" in query)
    attempt = EVERY_WAY["failed"]._record()["attempts"]
    assert isinstance(attempt, list)
    assert set(re.findall(r"attempt\.(\w+)", query)) == set(attempt[0])


def test_a_failed_answer_is_the_same_in_every_query_and_in_the_code() -> None:
    listed = {found for query in ALL_QUERIES for found in re.findall(r"ended !in \(([^)]+)\)", query)}
    (one,) = listed
    assert set(re.findall(r'"(\w+)"', one)) == NO_FAILURES


@cells("expression", EXPRESSIONS, ids=range(len(EXPRESSIONS)))
def test_a_panel_asks_for_series_and_labels_that_the_metrics_become(expression: str) -> None:
    known = {series: attributes for name, (one, attributes) in emitted().items() for series in series_of(name, one)}
    (series,) = set(re.findall(r"\b((?:gen_ai|streaming_endpoint)_\w+)(?=[\[)])", expression)) & known.keys()
    (labels,) = re.findall(r"by \(([^)]*)\)", expression) or [""]
    asked = {label.strip() for label in labels.split(",")} - {"", "le"}
    assert asked <= {prometheus(attribute) for attribute in known[series]}


def test_workbook_and_dashboard_have_the_five_questions_in_the_same_order() -> None:
    texts = [item["content"]["json"] for item in WORKBOOK["items"] if item["type"] == 1]
    assert [text.removeprefix("## ") for text in texts[1:]] == QUESTIONS
    assert [panel["title"] for panel in GRAFANA["panels"] if panel["type"] == "row"] == QUESTIONS


def test_every_part_has_a_name_of_its_own_and_follows_the_time_range() -> None:
    names = [item["name"] for item in WORKBOOK["items"]]
    assert len(names) == len(set(names))
    ids = [panel["id"] for panel in GRAFANA["panels"]]
    assert len(ids) == len(set(ids))
    for item in WORKBOOK["items"]:
        if item["type"] == 3:
            assert item["content"]["timeContextFromParameter"] == "TimeRange"
    assert all(
        "[$__" in expression or "streams_open" in expression or "_ready" in expression for expression in EXPRESSIONS
    )


def test_every_alert_is_named_described_and_linked_to_its_runbook() -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    }
    assert [rule["name"] for rule in ALERTS] == ["first-token-late", "answers-fail", "no-backend-ready"]
    for rule in ALERTS:
        assert rule.keys() == {"name", "displayName", "severity", "description", "query"}
        (anchor,) = re.findall(r"Runbook: docs/operations\.md#([a-z0-9-]+)$", rule["description"])
        assert anchor in anchors
        assert rule["query"].splitlines()[-1].startswith("| where ")  # rows only where something is to be done
