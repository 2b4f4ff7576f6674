"""The spans of an answer."""

from shared.receipt import Receipt
from shared.telemetry.spans import Span, SpanKind, spans_of
from tests.telemetry.samples import (
    ANSWER,
    ENDED_AT,
    EVERY_WAY,
    FIRST_CALL,
    PARENT,
    SECOND_CALL,
    TRACE,
    describer,
    receipt,
    searched,
    trace,
)

BEGAN_NS = int((ENDED_AT - 2) * 1e9)


def of(one: Receipt) -> list[Span]:
    return spans_of(one, ENDED_AT, describer())


def test_an_answer_has_its_calls_below_it_and_the_hosts_activity_above() -> None:
    answer, first, second = of(receipt())
    assert [(span.name, span.kind) for span in (answer, first, second)] == [
        ("answer", SpanKind.INTERNAL),
        ("chat gpt", SpanKind.CLIENT),
        ("chat gpt", SpanKind.CLIENT),
    ]
    assert (answer.span_id, answer.parent_id) == (ANSWER, PARENT)
    assert [(span.span_id, span.parent_id) for span in (first, second)] == [(FIRST_CALL, ANSWER), (SECOND_CALL, ANSWER)]
    assert {span.trace_id for span in (answer, first, second)} == {TRACE}
    assert {span.state for span in (answer, first, second)} == {"vendor=1"}


def test_each_span_lasts_as_long_as_what_it_is_about() -> None:
    times = [((span.start_ns - BEGAN_NS) / 1e9, (span.end_ns - BEGAN_NS) / 1e9) for span in of(receipt())]
    assert times == [(0.0, 2.0), (0.0, 0.25), (0.25, 2.0)]


def test_tokens_and_the_first_chunk_are_on_the_call_that_answered_and_the_error_on_the_other() -> None:
    answer, first, second = of(receipt())
    assert first.error == first.attributes["error.type"] == "rate_limit_exceeded"
    assert "gen_ai.usage.input_tokens" not in first.attributes
    assert (second.error, second.attributes["gen_ai.usage.output_tokens"]) == ("", 200)
    assert second.attributes["gen_ai.response.time_to_first_chunk"] == 0.5
    assert second.attributes["gen_ai.request.stream"] is True
    assert (answer.error, answer.attributes["streaming_endpoint.id"]) == ("", "req_1")


def test_a_search_is_a_span_with_the_call_that_rewrote_its_question() -> None:
    spans = of(searched())
    retrieval, rewriting = spans[1:3]
    assert (retrieval.name, retrieval.parent_id, retrieval.kind) == ("retrieval", ANSWER, SpanKind.INTERNAL)
    assert (retrieval.end_ns - retrieval.start_ns) / 1e9 == 0.5
    assert retrieval.attributes["streaming_endpoint.passages"] == 5
    assert rewriting.parent_id == retrieval.span_id
    assert rewriting.attributes["gen_ai.usage.input_tokens"] == 50


def test_a_failed_search_is_an_error_and_an_empty_one_is_none() -> None:
    failed = receipt(retrieval={"outcome": "search_unavailable"}, retrieval_began_seconds=0.0)
    empty = receipt(retrieval={"outcome": "empty", "passages": 0}, retrieval_began_seconds=0.0)
    assert [of(one)[1].error for one in (failed, empty)] == ["search_unavailable", ""]


def test_an_answer_that_is_not_sampled_has_no_spans() -> None:
    assert of(receipt(trace=trace(is_sampled=False))) == []
    assert of(receipt(trace=None)) == []


def test_the_share_that_a_span_stands_for_is_on_each() -> None:
    assert {span.ratio for span in of(receipt(trace=trace(ratio=0.25)))} == {0.25}


def test_what_a_client_does_is_no_error_and_what_fails_is() -> None:
    errors = {way: of(one)[0].error for way, one in EVERY_WAY.items()}
    assert {way for way, error in errors.items() if error} == {"cut", "refused by a limit", "failed"}
