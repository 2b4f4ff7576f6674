"""The simulated Responses API: events, items, failures, and responses that are stored, resumed and cancelled."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from dev.simulator.control import Simulator
from dev.simulator.probe import Probe, Seen, ask


@pytest.fixture(scope="module")
def process() -> Iterator[Simulator]:
    with Simulator.start(open=True) as simulator:
        yield simulator


@pytest.fixture
def simulator(process: Simulator) -> Simulator:
    process.reset()
    return process


@pytest.fixture
def client(simulator: Simulator) -> Iterator[OpenAI]:
    with OpenAI(base_url=simulator.base_url(), api_key="x", max_retries=0) as client:
        yield client


def respond(simulator: Simulator, behaviour: dict[str, Any], **body: Any) -> Seen:
    simulator.behave(behaviour)
    return ask(f"{simulator.base_url()}responses", {"model": "m", "input": "Hello", "stream": True, **body})


def kinds(seen: Seen) -> list[str]:
    return [event["type"] for event in seen.events]


TEXT_PATH = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


def test_a_stream_has_every_event_numbered_named_and_no_done(simulator: Simulator) -> None:
    seen = respond(simulator, {"tokens": ["Good", " day"]})
    assert kinds(seen) == TEXT_PATH
    assert [event["sequence_number"] for event in seen.events] == list(range(len(TEXT_PATH)))
    names = [line.removeprefix("event: ") for line in seen.body.decode().split("\n") if line.startswith("event: ")]
    assert names == TEXT_PATH
    final = seen.events[-1]["response"]
    assert (final["status"], final["output"][0]["content"][0]["text"]) == ("completed", "Good day")
    assert final["usage"]["output_tokens"] == 2
    assert seen.events[0]["response"]["usage"] is None
    assert "[DONE]" not in seen.data


def test_a_stream_and_a_whole_answer_say_the_same(client: OpenAI) -> None:
    with client.responses.stream(model="m", input="Tell me more") as stream:
        streamed = stream.get_final_response()
    whole = client.responses.create(model="m", input="Tell me more")
    assert streamed.output_text == whole.output_text != ""
    assert streamed.usage == whole.usage


def test_a_reasoning_summary_streams_when_asked_for(simulator: Simulator) -> None:
    seen = respond(simulator, {}, reasoning={"effort": "low", "summary": "auto"})
    assert "response.reasoning_summary_text.delta" in kinds(seen)
    assert [item["type"] for item in seen.events[-1]["response"]["output"]] == ["reasoning", "message"]
    seen = respond(simulator, {"reasoning": "Hm."})
    deltas = [event["delta"] for event in seen.events if event["type"] == "response.reasoning_summary_text.delta"]
    assert "".join(deltas) == "Hm."


def test_function_calls_stream_their_arguments(simulator: Simulator, client: OpenAI) -> None:
    simulator.behave({"tool_call": {"name": "get_weather", "arguments": {"city": "Örebro"}}})
    with client.responses.stream(model="m", input="?") as stream:
        parts = [event.delta for event in stream if event.type == "response.function_call_arguments.delta"]
        final = stream.get_final_response()
    assert json.loads("".join(parts)) == {"city": "Örebro"}
    assert final.output[0].type == "function_call"
    assert final.output[0].name == "get_weather"


def test_a_refusal_streams_as_one(simulator: Simulator) -> None:
    seen = respond(simulator, {"refusal": "No, thank you."})
    deltas = [event["delta"] for event in seen.events if event["type"] == "response.refusal.delta"]
    assert "".join(deltas) == "No, thank you."
    assert seen.events[-1]["response"]["output"][0]["content"][0]["type"] == "refusal"


def test_structured_outputs_parse(client: OpenAI) -> None:
    class City(BaseModel):
        name: str
        people: int

    assert isinstance(client.responses.parse(model="m", input="A city", text_format=City).output_parsed, City)


@pytest.mark.parametrize(("reason", "told"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_an_incomplete_answer_says_why(simulator: Simulator, reason: str, told: str) -> None:
    last = respond(simulator, {"tokens": 2, "finish_reason": reason}).events[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": told}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("failed_first", ["response.failed", "error"]),
        ("error_first", ["error", "response.failed"]),
        ("error_only", ["error"]),
        ("failed_only", ["response.failed"]),
    ],
)
@pytest.mark.parametrize("shape", ["nested", "flat"])
def test_a_failure_comes_in_every_order_and_shape_it_was_seen_in(
    simulator: Simulator, order: str, expected: list[str], shape: str
) -> None:
    seen = respond(simulator, {"in_stream_error": {"order": order, "shape": shape}})
    assert kinds(seen) == ["response.created", "response.in_progress", *expected]
    for event in seen.events[2:]:
        if event["type"] == "error":
            told = event["error"] if shape == "nested" else event
            assert told["code"] == "rate_limit_exceeded"
        else:
            assert event["response"]["status"] == "failed"
            assert (event["response"]["error"] is None) == (order != "failed_only")


def test_keepalives_fill_silences_and_use_up_numbers(simulator: Simulator) -> None:
    seen = respond(simulator, {"tokens": 2, "start_delay": 0.35, "keepalive": 0.1})
    assert kinds(seen).count("keepalive") == 3
    assert [event["sequence_number"] for event in seen.events] == list(range(len(seen.events)))


def test_a_stalled_stream_can_still_keep_alive(simulator: Simulator) -> None:
    simulator.behave({"tokens": 2, "end": "stall", "after": 1, "keepalive": 0.05})
    body = {"model": "m", "input": "Hi", "stream": True}
    with Probe(f"{simulator.base_url()}responses", body) as probe:
        while probe.read_until(b"event: keepalive").count(b"event: keepalive") < 2:
            probe.read()
    assert simulator.wait_for(ended="client_gone")["tokens_sent"] == 1


def test_unknown_events_and_fields_come_in_between(simulator: Simulator) -> None:
    seen = respond(simulator, {"tokens": 2, "odd": ["unknown_event", "unknown_field", "missing_delta", "null_delta"]})
    assert "response.sparkle.delta" in kinds(seen)
    assert all("sparkle" in event for event in seen.events)
    assert kinds(seen)[-1] == "response.completed"


@pytest.mark.parametrize(("end", "ending"), [("eof", "complete"), ("cut", "cut"), ("reset", "reset")])
def test_a_stream_can_end_without_a_terminal_event(simulator: Simulator, end: str, ending: str) -> None:
    seen = respond(simulator, {"tokens": 5, "end": end, "after": 2})
    assert seen.ending == ending
    assert kinds(seen)[-1] == "response.output_text.delta"


def test_chats_stream_options_are_not_for_responses(simulator: Simulator) -> None:
    seen = respond(simulator, {}, stream_options={"include_usage": True})
    assert (seen.status, seen.json["error"]["param"]) == (400, "stream_options.include_usage")


# Stored responses.


def test_a_response_is_stored_unless_told_otherwise(simulator: Simulator, client: OpenAI) -> None:
    stored = client.responses.create(model="m", input="Remember me")
    assert client.responses.retrieve(stored.id).output_text == stored.output_text
    assert client.responses.input_items.list(stored.id).data[0].type == "message"
    assert client.responses.create(model="m", input="And?", previous_response_id=stored.id).output_text
    client.responses.delete(stored.id)
    for gone in (stored.id, client.responses.create(model="m", input="Forget me", store=False).id):
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(gone)
    with pytest.raises(openai.BadRequestError, match="Previous response"):
        client.responses.create(model="m", input="And?", previous_response_id=stored.id)


def test_a_background_response_goes_on_after_a_cut_and_is_resumed(simulator: Simulator, client: OpenAI) -> None:
    simulator.behave({"tokens": 8, "interval": 0.01, "end": "cut", "after": 3})
    seen = ask(
        f"{simulator.base_url()}responses",
        {"model": "m", "input": "Hello", "stream": True, "background": True, "store": True},
    )
    assert seen.ending == "cut"
    assert kinds(seen)[:3] == ["response.created", "response.queued", "response.in_progress"]
    response_id, last = seen.events[0]["response"]["id"], seen.events[-1]["sequence_number"]
    rest = list(client.responses.retrieve(response_id, stream=True, starting_after=last))
    assert [event.sequence_number for event in rest] == list(range(last + 1, last + 1 + len(rest)))
    deltas = [event["delta"] for event in seen.events if event["type"] == "response.output_text.delta"]
    deltas += [event.delta for event in rest if event.type == "response.output_text.delta"]
    assert "".join(deltas) == client.responses.retrieve(response_id).output_text
    assert len(deltas) == 8
    assert rest[-1].type == "response.completed"


def test_a_resumed_stream_can_be_cut_too(simulator: Simulator, client: OpenAI) -> None:
    first = client.responses.create(model="m", input="Hello", background=True, stream=True)
    response_id = next(iter(first)).response.id  # type: ignore[union-attr]
    simulator.behave({"on": "retrieval", "end": "reset", "after": 2})
    with Probe(f"{simulator.base_url()}responses/{response_id}?stream=true") as probe:
        assert probe.read_all().ending == "reset"
    first.close()


def test_a_background_response_can_be_polled_and_cancelled_twice(simulator: Simulator, client: OpenAI) -> None:
    simulator.behave({"tokens": 100, "interval": 1})
    begun = client.responses.create(model="m", input="Hello", background=True)
    assert begun.status == "queued"
    assert client.responses.retrieve(begun.id).status in ("queued", "in_progress")
    assert client.responses.cancel(begun.id).status == "cancelled"
    assert client.responses.cancel(begun.id).status == "cancelled"
    foreground = client.responses.create(model="m", input="Hello")
    with pytest.raises(openai.BadRequestError, match="synchronous"):
        client.responses.cancel(foreground.id)


def test_leaving_a_foreground_stream_cancels_it_and_leaving_a_background_one_does_not(
    simulator: Simulator, client: OpenAI
) -> None:
    for background, status in ((False, "cancelled"), (True, "completed")):
        simulator.behave({"tokens": 10, "interval": 0.05})
        stream = client.responses.create(model="m", input="Hello", stream=True, background=background)
        response_id = next(iter(stream)).response.id  # type: ignore[union-attr]
        stream.close()
        deadline = time.monotonic() + 5
        while client.responses.retrieve(response_id).status == "in_progress" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert client.responses.retrieve(response_id).status == status


def test_a_just_finished_response_can_be_missing_and_a_resume_refused(simulator: Simulator, client: OpenAI) -> None:
    simulator.behave({"tokens": 1, "missing_for": 2}, {"tokens": 1, "resume_refused": True})
    first = client.responses.create(model="m", input="Hello")
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    time.sleep(2)
    assert client.responses.retrieve(first.id).status == "completed"
    second = list(client.responses.create(model="m", input="Hello", background=True, stream=True))[-1].response  # type: ignore[union-attr]
    with pytest.raises(openai.BadRequestError):
        client.responses.retrieve(second.id, stream=True)
    assert client.responses.retrieve(second.id).output_text


# Taking a stream up again.


def begun(simulator: Simulator, **behaviour: Any) -> str:
    """Begin a response in the background whose client leaves after its first word; return its id."""
    simulator.behave({"tokens": 6, "interval": 0.02, "end": "cut", "after": 1, "end_delay": 0, **behaviour})
    seen = ask(f"{simulator.base_url()}responses", {"model": "m", "input": "Hello", "stream": True, "background": True})
    return str(seen.events[0]["response"]["id"])


def taken_up(simulator: Simulator, response_id: str, query: str = "") -> Seen:
    return ask(f"{simulator.base_url()}responses/{response_id}?stream=true{query}")


def test_a_stream_is_replayed_from_any_number(simulator: Simulator) -> None:
    response_id = begun(simulator)
    whole = taken_up(simulator, response_id)
    numbers = [event["sequence_number"] for event in whole.events]
    assert numbers == list(range(len(numbers)))
    for after in (-1, 0, 4, numbers[-2]):
        rest = taken_up(simulator, response_id, f"&starting_after={after}")
        assert rest.events == whole.events[after + 1 :]
    assert taken_up(simulator, response_id, f"&starting_after={numbers[-1]}").events == []
    bad = taken_up(simulator, response_id, "&starting_after=x")
    assert (bad.status, bad.json["error"]["param"]) == (400, "starting_after")


def test_a_stream_can_be_taken_up_within_its_window_and_read_whole_after_it(
    simulator: Simulator, client: OpenAI
) -> None:
    response_id = begun(simulator, resume_window=3)
    assert taken_up(simulator, response_id).events[-1]["type"] == "response.completed"
    time.sleep(3)
    assert taken_up(simulator, response_id).status == 400
    with pytest.raises(openai.BadRequestError, match="too old"):
        client.responses.retrieve(response_id, stream=True, starting_after=3)
    assert client.responses.retrieve(response_id).status == "completed"


def test_a_just_finished_response_is_missing_as_a_stream_too(simulator: Simulator, client: OpenAI) -> None:
    simulator.behave({"tokens": 1, "interval": 0, "missing_for": 3})
    last: Any = list(client.responses.create(model="m", input="Hello", background=True, stream=True))[-1]
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(last.response.id, stream=True, starting_after=2)
    time.sleep(3)
    assert list(client.responses.retrieve(last.response.id, stream=True))[-1].type == "response.completed"


def test_a_cancelled_stream_ends_without_a_terminal_event(simulator: Simulator, client: OpenAI) -> None:
    response_id = begun(simulator, interval=1)
    assert simulator.running_responses() == 1
    with Probe(f"{simulator.base_url()}responses/{response_id}?stream=true") as probe:
        probe.read_until(b"response.in_progress")
        assert client.responses.cancel(response_id).status == "cancelled"
        seen = probe.read_all()
    assert seen.ending == "complete"
    assert kinds(seen)[-1] not in ("response.completed", "response.failed", "response.incomplete")
    assert client.responses.retrieve(response_id).status == "cancelled"
    assert simulator.running_responses() == 0


def test_a_deleted_response_ends_and_cannot_be_taken_up_again(simulator: Simulator, client: OpenAI) -> None:
    response_id = begun(simulator, interval=1)
    with Probe(f"{simulator.base_url()}responses/{response_id}?stream=true") as probe:
        probe.read_until(b"response.in_progress")
        client.responses.delete(response_id)
        assert kinds(probe.read_all())[-1] != "response.completed"
    uses: list[Callable[[str], object]] = [
        client.responses.retrieve,
        client.responses.cancel,
        client.responses.delete,
    ]
    for use in uses:
        with pytest.raises(openai.NotFoundError):
            use(response_id)
    assert taken_up(simulator, response_id).status == 404
