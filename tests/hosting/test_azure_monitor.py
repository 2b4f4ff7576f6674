"""Traces and metrics to an ingestion server of Application Insights, by Microsoft's own exporter."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from shared.hosting.azure_monitor import AzureMonitor
from shared.hosting.telemetry import SWITCHED_OFF
from shared.telemetry.aggregation import Aggregation, Instrument, Kind
from shared.telemetry.sender import AlreadyReported
from shared.telemetry.spans import spans_of
from tests.hosting.ingestion import Ingestion
from tests.telemetry.samples import ANSWER, ENDED_AT, PARENT, TRACE, describer, receipt, trace


@pytest.fixture
def ingestion(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ingestion]:
    for name in SWITCHED_OFF:
        monkeypatch.setenv(name, "true")
    logging.getLogger("azure.monitor.opentelemetry").disabled = True
    started = Ingestion()
    yield started
    started.stop()
    logging.getLogger("azure.monitor.opentelemetry").disabled = False


def of_type(ingestion: Ingestion, base_type: str) -> list[dict[str, Any]]:
    return [one for one in ingestion.envelopes if one["data"]["baseType"] == base_type]


def test_spans_are_dependencies_of_the_hosts_request_with_their_names_and_times(ingestion: Ingestion) -> None:
    monitor = AzureMonitor(ingestion.target)
    monitor.spans(spans_of(receipt(), ENDED_AT, describer()))
    monitor.close()
    answer, failed, answered = of_type(ingestion, "RemoteDependencyData")
    assert {one["tags"]["ai.operation.id"] for one in (answer, failed, answered)} == {TRACE}
    assert answer["tags"]["ai.operation.parentId"] == PARENT
    assert failed["tags"]["ai.operation.parentId"] == ANSWER
    assert answer["tags"]["ai.cloud.role"] == "my-app"
    data = [one["data"]["baseData"] for one in (answer, failed, answered)]
    assert [(one["name"], one["type"], one["success"]) for one in data] == [
        ("answer", "InProc", True),
        ("chat gpt", "GenAI | azure.ai.openai", False),
        ("chat gpt", "GenAI | azure.ai.openai", True),
    ]
    assert (data[0]["id"], data[0]["duration"]) == (ANSWER, "0.00:00:02.000")
    assert data[2]["properties"]["gen_ai.usage.output_tokens"] == "200"
    assert "sampleRate" not in answer


def test_a_sampled_span_says_how_many_it_stands_for(ingestion: Ingestion) -> None:
    AzureMonitor(ingestion.target).spans(spans_of(receipt(trace=trace(ratio=0.25)), ENDED_AT, describer()))
    assert {one["sampleRate"] for one in of_type(ingestion, "RemoteDependencyData")} == {25.0}


def test_metrics_are_sums_with_their_attributes_and_nothing_else_is_sent(ingestion: Ingestion) -> None:
    sums = Aggregation(is_delta=True)
    sums.add([(Instrument("count", Kind.COUNTER, "1", ""), 2, (("backend", "east"),))])
    sums.set(Instrument("open", Kind.UP_DOWN, "1", ""), 3, ())
    sums.set(Instrument("ready", Kind.GAUGE, "1", ""), 0, ())
    seconds = Instrument("seconds", Kind.HISTOGRAM, "s", "", (1.0,))
    sums.add([(seconds, value, (("model", "gpt"),)) for value in (0.5, 2.0)])
    AzureMonitor(ingestion.target).metrics(sums.collect())
    found = {one["data"]["baseData"]["metrics"][0]["name"]: one["data"]["baseData"] for one in ingestion.envelopes}
    assert {name: one["metrics"][0]["value"] for name, one in found.items()} == {
        "count": 2,
        "open": 3,
        "ready": 0,
        "seconds": 2.5,
    }
    assert found["count"]["properties"] == {"backend": "east"}
    histogram = found["seconds"]["metrics"][0]
    assert (histogram["count"], histogram["min"], histogram["max"]) == (2, 0.5, 2.0)


def test_what_is_not_taken_is_left_to_the_logs_exporter_to_report(ingestion: Ingestion) -> None:
    ingestion.status = 400
    monitor = AzureMonitor(ingestion.target)
    with pytest.raises(AlreadyReported):
        monitor.spans(spans_of(receipt(), ENDED_AT, describer()))
    sums = Aggregation(is_delta=True)
    sums.add([(Instrument("count", Kind.COUNTER, "1", ""), 1, ())])
    with pytest.raises(AlreadyReported):
        monitor.metrics(sums.collect())
    monitor.logs([])
