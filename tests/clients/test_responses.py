"""The Responses API, asked by OpenAI's own clients: what comes is what the upstream itself gives them."""

import asyncio
import json
from itertools import batched
from typing import Any

import openai
import pytest

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.clients.conftest import KEYS
from tests.clients.samples import CITY, WEATHER, Forecast
from tests.clients.sides import (
    MODEL,
    OTHER_KINDS,
    Both,
    Client,
    all_of,
    asks,
    each,
    entered,
    error_of,
    facts,
    make_client,
    now,
)
from tests.harness.cells import cells
from tests.worker.sim import sim

TOOL = {"type": "function", **WEATHER["function"]}
CALLS = {"input": sim(tool_call={"name": "weather", "arguments": CITY}), "tools": [TOOL]}
BACKGROUND = {"model": MODEL, "background": True, "store": True}


def text_of(events: list[Any]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def test_a_response(both: Both) -> None:
    found = both.same(lambda client: now(client.responses.create(model=MODEL, input="hello", instructions="Be kind.")))
    assert (found["status"], found["instructions"]) == ("completed", "Be kind.")
    assert len(found["output"][0]["content"][0]["text"]) > 20
    assert found["usage"]["total_tokens"] > 0


def test_a_streamed_response_event_by_event(both: Both) -> None:
    async def case(client: Client) -> Any:
        return await all_of(client.responses.create(model=MODEL, input=sim(text="Grüße, Welt 😀!"), stream=True))

    found = both.same(case)
    assert text_of(found) == "Grüße, Welt 😀!"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert (found[0]["type"], found[-1]["type"]) == ("response.created", "response.completed")
    assert found[-1]["response"]["usage"]["total_tokens"] > 0


def test_the_stream_helper_puts_the_response_together(both: Both) -> None:
    async def case(client: Client) -> Any:
        async with entered(client.responses.stream(model=MODEL, input=sim(text="one two three"))) as stream:
            kinds = [event.type async for event in each(stream)]
            return kinds, await now(stream.get_final_response())

    kinds, final = both.same(case)
    assert kinds.count("response.output_text.delta") == 3
    assert final["output"][0]["content"][0]["text"] == "one two three"


def test_a_function_call(both: Both) -> None:
    found = both.same(lambda client: now(client.responses.create(model=MODEL, **CALLS)))
    assert json.loads(found["output"][0]["arguments"]) == CITY


def test_the_pieces_of_a_streamed_function_call_make_one(both: Both) -> None:
    async def case(client: Client) -> Any:
        return await all_of(client.responses.create(model=MODEL, stream=True, **CALLS))

    events = both.same(case)
    pieces = [event["delta"] for event in events if event["type"] == "response.function_call_arguments.delta"]
    assert len(pieces) > 2
    assert json.loads("".join(pieces)) == CITY


def test_the_answer_to_a_functions_result(both: Both) -> None:
    async def case(client: Client) -> Any:
        asked = await now(client.responses.create(model=MODEL, **CALLS))
        result = {"type": "function_call_output", "call_id": asked.output[0].call_id, "output": "rain"}
        more = {"previous_response_id": asked.id, "tools": [TOOL]}
        found = await now(client.responses.create(model=MODEL, input=[result], **more))
        assert found.previous_response_id == asked.id
        return found.output, found.status

    output, status = both.same(case)
    assert (output[0]["type"], status) == ("message", "completed")


@cells("streams", [False, True])
def test_a_response_is_parsed_by_its_schema(both: Both, streams: bool) -> None:
    async def case(client: Client) -> Any:
        more = {"model": MODEL, "input": "hello", "text_format": Forecast}
        if not streams:
            return (await now(client.responses.parse(**more))).output_parsed
        async with entered(client.responses.stream(**more)) as stream:
            return (await now(stream.get_final_response())).output_parsed

    assert Forecast.model_validate(both.same(case)).sunny is True


def test_reasoning_refusal_and_logprobs(both: Both) -> None:
    async def case(client: Client) -> Any:
        reasoned = {"input": sim(text="one two"), "reasoning": {"summary": "auto"}}
        probable = {"input": sim(text="one two"), "include": ["message.output_text.logprobs"], "top_logprobs": 2}
        refused = {"input": sim(refusal="I would rather not.")}
        streams: list[dict[str, Any]] = [reasoned, probable, refused]
        return [await all_of(client.responses.create(model=MODEL, stream=True, **one)) for one in streams]

    reasoned, probable, refused = both.same(case)
    kinds = {event["type"] for event in [*reasoned, *refused]}
    assert {"response.reasoning_summary_text.delta", "response.refusal.delta"} <= kinds
    assert any(event.get("logprobs") for event in probable)


def test_keepalives_and_unknown_events_pass_as_they_are(both: Both) -> None:
    async def case(client: Client) -> Any:
        prompt = sim(tokens=3, keepalive=0.05, start_delay=0.12, odd=["unknown_event", "unknown_field"], comments=2)
        return await all_of(client.responses.create(model=MODEL, input=prompt, stream=True))

    kinds = [event["type"] for event in both.same(case)]
    assert kinds.count("keepalive") == 2
    assert "response.sparkle.delta" in kinds


def test_the_token_limit_leaves_a_response_incomplete(both: Both) -> None:
    async def case(client: Client) -> Any:
        more = {"max_output_tokens": 3, "stream": True}
        return (await all_of(client.responses.create(model=MODEL, input="hello", **more)))[-1]

    last = both.same(case)
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_stored_response_is_retrieved_with_its_input_and_deleted(both: Both) -> None:
    async def case(client: Client) -> Any:
        made = await now(client.responses.create(model=MODEL, input="hello"))
        again = await now(client.responses.retrieve(made.id))
        assert again == made
        items = await all_of(client.responses.input_items.list(made.id, order="asc"))
        not_in_background = facts(await error_of(lambda: client.responses.cancel(made.id)))
        deleted = await now(client.responses.delete(made.id))
        gone = await error_of(lambda: client.responses.retrieve(made.id))
        return items, not_in_background, deleted, gone.status_code

    items, not_in_background, _, status = both.same(case)
    assert items[0]["content"][0]["text"] == "hello"
    assert not_in_background["class"] == "BadRequestError"
    assert status == 404


def test_a_background_response_is_read_left_and_resumed_where_it_was_left(both: Both) -> None:
    async def case(client: Client) -> Any:
        prompt = sim(text="one two three four five six", interval=0.01)
        events = []
        stream = await now(client.responses.create(**BACKGROUND, input=prompt, stream=True))
        async for event in each(stream):
            events.append(event)
            if event.type == "response.output_text.delta":
                break
        await now(stream.close())
        more = {"stream": True, "starting_after": events[-1].sequence_number}
        rest = await all_of(client.responses.retrieve(events[0].response.id, **more))
        whole = await now(client.responses.retrieve(events[0].response.id))
        return [*events, *rest], whole

    events, whole = both.same(case)
    assert text_of(events) == "one two three four five six"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert "response.queued" in [event["type"] for event in events]
    assert whole["output"][0]["content"][0]["text"] == "one two three four five six"


def test_the_stream_helper_resumes_a_background_response(both: Both) -> None:
    async def case(client: Client) -> Any:
        made = await all_of(client.responses.create(**BACKGROUND, input=sim(text="one two three"), stream=True))
        async with entered(client.responses.stream(response_id=made[0].response.id)) as stream:
            return (await now(stream.get_final_response())).output_text

    assert both.same(case) == "one two three"


def test_a_background_response_is_polled_and_cancelled(both: Both) -> None:
    async def case(client: Client) -> Any:
        made = await now(client.responses.create(**BACKGROUND, input=sim(tokens=1000, interval=0.05)))
        cancelled = [(await now(client.responses.cancel(made.id))).status for _ in range(2)]
        retrieved = (await now(client.responses.retrieve(made.id))).status
        return made.status, cancelled, retrieved, (await now(client.responses.delete(made.id)))

    assert both.same(case)[:3] == ["queued", ["cancelled", "cancelled"], "cancelled"]


def test_a_resume_that_the_upstream_refuses_is_its_refusal(both: Both) -> None:
    async def case(client: Client) -> Any:
        prompt = sim(tokens=3, resume_refused=True)
        made = await all_of(client.responses.create(**BACKGROUND, input=prompt, stream=True))
        return facts(
            await error_of(lambda: client.responses.retrieve(made[0].response.id, stream=True, starting_after=1))
        )

    found = both.same(case)
    assert (found["class"], found["param"]) == ("BadRequestError", "stream")


def test_a_conversation_goes_on_at_the_account_that_has_its_beginning(upstream: Simulator, key: str) -> None:
    names = ("main", "second")
    backends = json.dumps([{"name": name, "endpoint": upstream.backends[name]} for name in names])
    with (
        App.start(upstream, **KEYS, AZURE_OPENAI_BACKENDS=backends) as app,
        make_client("openai", app.url, key) as client,
    ):
        for number in range(8):
            beginning = client.responses.create(model=MODEL, input=f"hello {number}").id
            for _ in range(2):
                found = client.responses.create(model=MODEL, input="and now?", previous_response_id=beginning)
                assert found.previous_response_id == beginning
        asked = [record["backend"] for record in upstream.requests()]
        assert set(asked) == {"main", "second"}
        assert all(len(set(turns)) == 1 for turns in batched(asked, 3, strict=True))
        error = asyncio.run(
            error_of(lambda: client.responses.create(model=MODEL, input="hello", previous_response_id="resp_none"))
        )
        assert (type(error), error.code) == (openai.NotFoundError, "response_not_found")


@pytest.mark.parametrize("both", OTHER_KINDS, indirect=True)
def test_every_other_way_to_make_a_client_works_too(both: Both) -> None:
    async def case(client: Client) -> Any:
        return [
            await all_of(client.chat.completions.create(**asks(), stream=True)),
            await all_of(client.responses.create(model=MODEL, input="hello", stream=True)),
            await now(client.embeddings.create(model=MODEL, input="one", dimensions=3)),
            await now(client.completions.create(model=MODEL, prompt="hello")),
        ]

    assert all(both.same(case))


def test_an_unknown_response_is_the_exception_that_it_is_upstream(both: Both) -> None:
    async def case(client: Client) -> Any:
        error = await error_of(lambda: client.responses.retrieve("resp_unknown"))
        return type(error).__name__, error.status_code, error.type, error.param

    assert both.same(case) == ["NotFoundError", 404, "invalid_request_error", "id"]
