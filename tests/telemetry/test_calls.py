"""What is said of an answer and its calls."""

from shared.receipt import AttemptRecord
from shared.telemetry.calls import MAX_KEYS, MAX_KNOWN, error_of
from shared.telemetry.names import OTHER
from tests.harness.cells import cells
from tests.telemetry.samples import EVERY_WAY, describer, receipt, searched


def test_the_call_that_answered_lasts_as_long_as_its_answer_and_has_its_tokens() -> None:
    one = receipt()
    failed, answered = (describer().call(one, attempt) for attempt in one.attempts)
    assert (failed.seconds, failed.error, failed.usage, failed.first_chunk_seconds) == (
        0.25,
        "rate_limit_exceeded",
        None,
        None,
    )
    assert (answered.seconds, answered.error, answered.usage, answered.first_chunk_seconds) == (
        1.75,
        "",
        one.usage,
        0.5,
    )


@cells(("ended", "error"), [("upstream_cut", "upstream_cut"), ("client_left", ""), ("finished", "")])
def test_an_answer_that_fails_after_content_is_its_calls_failure_and_a_client_that_leaves_is_none(
    ended: str, error: str
) -> None:
    one = receipt(ended=ended)
    assert describer().call(one, one.attempts[-1]).error == error == error_of(one)


def test_an_abandoned_call_is_no_failure_and_has_no_tokens() -> None:
    one = EVERY_WAY["left before the first word"]
    call = describer().call(one, one.attempts[0])
    assert (call.error, call.usage, call.seconds, call.first_chunk_seconds) == ("", None, 2.0, None)


def test_a_stored_response_is_fetched_without_tokens_since_they_were_counted_when_it_was_made() -> None:
    one = EVERY_WAY["fetched"]
    assert describer().call(one, one.attempts[-1]).usage is None


def test_an_answer_that_is_not_streamed_has_no_first_chunk() -> None:
    one = EVERY_WAY["not streamed"]
    call = describer().call(one, one.attempts[-1])
    assert (call.streams, call.first_chunk_seconds) == (False, None)


def test_the_call_that_rewrites_a_question_has_tokens_of_its_own() -> None:
    one = searched()
    call = describer().rewriting(one, one.rewriting[0])
    assert call.usage is not None
    assert (call.usage.input_tokens, call.usage.output_tokens, call.backend) == (50, 8, "east")


def test_a_model_that_nobody_has_answered_with_is_not_named_in_a_metric() -> None:
    describe = describer()
    failed = [AttemptRecord("east", "404", 0.1)]
    assert describe.model(receipt(model="invented", attempts=failed)) == OTHER
    assert describe.model(receipt(model="real")) == "real"
    assert describe.model(receipt(model="real", attempts=failed)) == "real"
    assert describe.model(receipt(model="", attempts=[])) == ""


def test_models_and_codes_beyond_a_number_are_one() -> None:
    describe = describer()
    models = {describe.model(receipt(model=f"model-{number}")) for number in range(MAX_KNOWN + 50)}
    codes = {describe.code(f"code-{number}") for number in range(MAX_KNOWN + 50)}
    assert len(models) == len(codes) == MAX_KNOWN + 1
    assert OTHER in models & codes


def test_the_caller_is_named_only_where_the_operator_wants_it() -> None:
    assert "streaming_endpoint.caller" not in dict(describer().answer(receipt()))
    assert dict(describer(names_callers=True).answer(receipt()))["streaming_endpoint.caller"] == "alice"


def test_a_call_says_where_it_went_under_the_old_and_the_new_name() -> None:
    one = receipt()
    said = describer().operation(one, describer().call(one, one.attempts[-1]))
    assert dict(said.call) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.system": "azure.ai.openai",
        "server.address": "west.openai.azure.com",
        "server.port": 443,
        "gen_ai.request.model": "gpt",
        "streaming_endpoint.backend": "west",
    }


def test_what_was_made_for_one_answer_is_that_of_an_equal_one_alone() -> None:
    describe = describer(names_callers=True)
    first = receipt()
    assert describe.answer(first) is describe.answer(receipt())
    assert dict(describe.answer(receipt(caller="bob")))["streaming_endpoint.caller"] == "bob"
    answered = describe.call(first, first.attempts[-1])
    failed = receipt(ended="upstream_cut")
    said = describe.operation(failed, describe.call(failed, failed.attempts[-1]))
    assert dict(said.call) == {**dict(describe.operation(first, answered).call), "error.type": "upstream_cut"}
    assert "error.type" not in dict(said.tokens)


def test_attributes_are_kept_of_a_number_of_callers_alone() -> None:
    describe = describer(names_callers=True)
    for number in range(MAX_KEYS + 10):
        describe.answer(receipt(caller=f"caller-{number}"))
    assert len(describe._keys) == 10
