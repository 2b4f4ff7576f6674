"""What one answer adds to the metrics."""

from typing import Any

from shared.receipt import AttemptRecord, Receipt
from shared.telemetry.measurements import Instruments, measured
from shared.telemetry.names import Names, Semconv
from tests.harness.cells import cells
from tests.telemetry.samples import EVERY_WAY, describer, receipt, searched


def of(one: Receipt, semconv: Semconv = Semconv.V1_41) -> dict[str, list[tuple[float, dict[str, Any]]]]:
    found: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    for instrument, value, attributes in measured(one, Instruments(Names.of(semconv)), describer(semconv)):
        found.setdefault(instrument.name, []).append((value, dict(attributes)))
    return found


def test_an_answer_is_counted_once_by_how_it_ended() -> None:
    for one in EVERY_WAY.values():
        ((value, attributes),) = of(one)["streaming_endpoint.answers"]
        assert value == 1
        assert attributes["streaming_endpoint.ended"] == one.ended
        assert attributes["streaming_endpoint.api"] == one.api
        assert attributes["streaming_endpoint.format"] == one.format


def test_every_call_has_its_duration_and_the_failed_one_its_error() -> None:
    durations = of(receipt())["gen_ai.client.operation.duration"]
    assert [(value, said.get("error.type")) for value, said in durations] == [
        (0.25, "rate_limit_exceeded"),
        (1.75, None),
    ]


def test_a_failover_names_the_backend_that_failed() -> None:
    assert of(receipt())["streaming_endpoint.failovers"] == [
        (1, {"streaming_endpoint.backend": "east", "streaming_endpoint.outcome": "rate_limit_exceeded"})
    ]
    alone = receipt(attempts=[AttemptRecord("east", "500", 1.0)], ended="500")
    assert "streaming_endpoint.failovers" not in of(alone)


def test_tokens_are_those_of_the_call_that_answered_and_of_the_one_that_rewrote() -> None:
    usage = of(searched())["gen_ai.client.token.usage"]
    assert [(value, said["gen_ai.token.type"], said["streaming_endpoint.backend"]) for value, said in usage] == [
        (50, "input", "east"),
        (8, "output", "east"),
        (1000, "input", "west"),
        (200, "output", "west"),
    ]


def test_the_latest_names_count_cached_and_reasoning_tokens_too() -> None:
    found = of(receipt(), Semconv.LATEST)
    sums = {name.rpartition("usage.")[2]: points[0][0] for name, points in found.items() if ".usage." in name}
    assert sums == {
        "input_tokens": 1000,
        "output_tokens": 200,
        "cache_read.input_tokens": 300,
        "reasoning.output_tokens": 40,
    }
    assert "gen_ai.client.token.usage" not in found
    assert len(found["gen_ai.client.inference.duration"]) == 2


def test_what_is_no_inference_keeps_the_name_of_an_operation() -> None:
    found = of(EVERY_WAY["embeddings"], Semconv.LATEST)
    assert "gen_ai.client.inference.duration" not in found
    assert found["gen_ai.client.operation.duration"][0][1]["gen_ai.operation.name"] == "embeddings"


def test_an_answer_whose_tokens_are_unknown_counts_none() -> None:
    assert "gen_ai.client.token.usage" not in of(receipt(usage=None))
    assert "gen_ai.client.token.usage" not in of(EVERY_WAY["fetched"])


def test_the_first_token_is_measured_from_the_request_and_the_first_chunk_from_the_call() -> None:
    found = of(receipt())
    assert [value for value, _ in found["gen_ai.server.time_to_first_token"]] == [0.75]
    assert [value for value, _ in found["gen_ai.client.operation.time_to_first_chunk"]] == [0.5]


@cells(("way", "phase"), [("left", "streaming"), ("left before the first word", "waiting"), ("finished", None)])
def test_a_client_that_left_is_counted_by_what_it_had(way: str, phase: str | None) -> None:
    left = of(EVERY_WAY[way]).get("streaming_endpoint.clients.left", [])
    assert [said["streaming_endpoint.phase"] for _, said in left] == ([phase] if phase else [])


def test_a_client_that_left_before_any_call_was_still_sending() -> None:
    one = receipt(ended="client_left", attempts=[], first_token_seconds=None)
    assert of(one)["streaming_endpoint.clients.left"][0][1]["streaming_endpoint.phase"] == "sending"


def test_a_refusal_is_a_callers_limit_and_not_an_accounts_quota() -> None:
    assert "streaming_endpoint.limits.refusals" in of(EVERY_WAY["refused by a limit"])
    of_account = receipt(ended="insufficient_quota", attempts=[AttemptRecord("east", "insufficient_quota", 0.1)])
    assert "streaming_endpoint.limits.refusals" not in of(of_account)
