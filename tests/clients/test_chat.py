"""Chat completions, asked by OpenAI's own clients: what comes is what the upstream itself gives them."""

import json
from typing import Any

import pytest

from tests.clients.samples import CITY, PIXEL, WEATHER, Forecast
from tests.clients.sides import Both, Client, all_of, asks, comparable, each, entered, now
from tests.harness.cells import cells
from tests.worker.sim import sim

CALLS_TWICE = sim(tool_call=[{"name": "weather", "arguments": CITY}, {"name": "weather", "arguments": {"city": "Rom"}}])


def test_a_chat_answer(both: Both) -> None:
    found = both.same(lambda client: now(client.chat.completions.create(**asks())))
    assert len(found["choices"][0]["message"]["content"]) > 20
    assert found["usage"]["total_tokens"] > 0


def test_a_streamed_chat_answer_chunk_by_chunk(both: Both) -> None:
    async def case(client: Client) -> Any:
        return await all_of(client.chat.completions.create(**asks(sim(text="Grüße, Welt 😀!")), stream=True))

    found = both.same(case)
    said = [choice["delta"].get("content") for chunk in found for choice in chunk["choices"] if choice.get("delta")]
    assert "".join(filter(None, said)) == "Grüße, Welt 😀!"
    assert [chunk["usage"] for chunk in found] == [None] * len(found)
    assert found[0]["prompt_filter_results"]


def test_a_streamed_chat_answer_tells_its_usage_to_who_asks(both: Both) -> None:
    async def case(client: Client) -> Any:
        more = {"stream": True, "stream_options": {"include_usage": True}}
        return await all_of(client.chat.completions.create(**asks(), **more))

    last = both.same(case)[-1]
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] > 5


def test_the_stream_helper_puts_the_answer_together(both: Both) -> None:
    async def case(client: Client) -> Any:
        async with entered(client.chat.completions.stream(**asks(sim(text="one two three")))) as stream:
            kinds = [event.type async for event in each(stream)]
            return kinds, await now(stream.get_final_completion())

    kinds, final = both.same(case)
    assert final["choices"][0]["message"]["content"] == "one two three"
    assert kinds.count("content.delta") >= 3
    assert kinds[-1] == "content.done"


@cells("stream", [False, True])
def test_the_raw_response_shows_the_useful_headers_and_no_others(both: Both, stream: bool) -> None:
    async def case(client: Client) -> Any:
        response = await now(client.chat.completions.with_raw_response.create(**asks(), stream=stream))
        parsed = await now(response.parse())
        return dict(response.headers), response.request_id, await all_of(parsed) if stream else parsed

    (relayed, request_id, answer), (direct, _, same_answer) = both.pair(case)
    assert comparable(answer) == comparable(same_answer)
    assert request_id == relayed["x-request-id"]
    useful = {name for name in direct if name.startswith("x-ratelimit-")}
    useful |= {"apim-request-id", "x-ms-region", "openai-processing-ms", "content-type", "x-request-id"}
    own = {"date", "cache-control", "x-accel-buffering", "x-backend", "x-attempts"}
    assert len(useful) == 11
    assert set(relayed) == useful | own | {"transfer-encoding" if stream else "content-length"}
    for name in ("x-ms-region", "openai-processing-ms", "content-type", "x-ratelimit-limit-tokens"):
        assert relayed[name] == direct[name]


def test_the_streaming_response_gives_the_body_as_it_comes(both: Both) -> None:
    async def case(client: Client) -> Any:
        async with entered(client.chat.completions.with_streaming_response.create(**asks())) as response:
            whole = await now(response.json())
        async with entered(client.chat.completions.with_streaming_response.create(**asks(), stream=True)) as response:
            lines = [line async for line in each(response.iter_lines()) if line]
        return response.status_code, whole, len(lines), lines[-1]

    status, whole, lines, last = both.same(case)
    assert (status, last) == (200, "data: [DONE]")
    assert lines > len(whole["choices"][0]["message"]["content"].split())


def test_a_tool_call(both: Both) -> None:
    found = both.same(lambda client: now(client.chat.completions.create(**asks(CALLS_TWICE), tools=[WEATHER])))
    choice = found["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert [call["function"]["name"] for call in choice["message"]["tool_calls"]] == ["weather", "weather"]


def test_the_pieces_of_a_streamed_tool_call_make_one(both: Both) -> None:
    async def case(client: Client) -> Any:
        calls: dict[int, dict[str, str]] = {}
        stream = await now(client.chat.completions.create(**asks(CALLS_TWICE), tools=[WEATHER], stream=True))
        async for chunk in each(stream):
            for choice in chunk.choices:
                for piece in (choice.delta and choice.delta.tool_calls) or []:
                    call = calls.setdefault(piece.index, {"name": "", "arguments": "", "call_id": ""})
                    call["call_id"] += piece.id or ""
                    call["name"] += piece.function.name or ""
                    call["arguments"] += piece.function.arguments or ""
        return list(calls.values())

    first, second = both.same(case)
    assert (first["name"], json.loads(first["arguments"])) == ("weather", CITY)
    assert (second["name"], json.loads(second["arguments"])) == ("weather", {"city": "Rom"})


def test_the_stream_helper_parses_the_arguments_of_a_tool_call(both: Both) -> None:
    async def case(client: Client) -> Any:
        prompt = sim(tool_call={"name": "weather", "arguments": CITY})
        async with entered(client.chat.completions.stream(**asks(prompt), tools=[WEATHER])) as stream:
            return await now(stream.get_final_completion())

    call = both.same(case)["choices"][0]["message"]["tool_calls"][0]
    assert call["function"]["parsed_arguments"] == CITY


def test_the_answer_to_a_tools_result(both: Both) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "The weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]
    more = {"messages": messages, "tools": [WEATHER]}
    found = both.same(lambda client: now(client.chat.completions.create(**asks() | more)))
    assert found["choices"][0]["finish_reason"] == "stop"


@cells("streams", [False, True])
def test_an_answer_is_parsed_by_its_schema(both: Both, streams: bool) -> None:
    async def case(client: Client) -> Any:
        if not streams:
            return await now(client.chat.completions.parse(**asks(), response_format=Forecast))
        async with entered(client.chat.completions.stream(**asks(), response_format=Forecast)) as stream:
            return await now(stream.get_final_completion())

    found = both.same(case)["choices"][0]["message"]["parsed"]
    assert Forecast.model_validate(found).sunny is True


@cells("stream", [False, True])
def test_two_choices_with_their_logprobs(both: Both, stream: bool) -> None:
    async def case(client: Client) -> Any:
        more: dict[str, Any] = {"n": 2, "logprobs": True, "top_logprobs": 2, "stream": stream}
        answer = await now(client.chat.completions.create(**asks("two"), **more))
        return await all_of(answer) if stream else [answer]

    choices = [choice for chunk in both.same(case) for choice in chunk["choices"]]
    assert {choice["index"] for choice in choices} == {0, 1}
    told = [choice["logprobs"]["content"][0] for choice in choices if choice.get("logprobs")]
    assert len(told) >= 2
    assert all(one["bytes"] and len(one["top_logprobs"]) == 2 for one in told)


def test_an_image_in_a_message(both: Both, upstream: Any) -> None:
    parts = [
        {"type": "text", "text": "What is it? sunrise"},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
    ]
    both.same(lambda client: now(client.chat.completions.create(**asks(parts))))
    assert len(upstream.requests(contains=PIXEL)) == 2


@cells(
    ("behaviour", "reason"),
    [
        ({"refusal": "I would rather not."}, "stop"),
        ({"tokens": 3, "finish_reason": "content_filter"}, "content_filter"),
    ],
    ids=["refused", "filtered"],
)
@cells("stream", [False, True])
def test_what_the_model_may_not_say(both: Both, behaviour: dict[str, Any], reason: str, stream: bool) -> None:
    async def case(client: Client) -> Any:
        answer = await now(client.chat.completions.create(**asks(sim(**behaviour)), stream=stream))
        return await all_of(answer) if stream else [answer]

    reasons = [choice["finish_reason"] for chunk in both.same(case) for choice in chunk["choices"]]
    assert [found for found in reasons if found] == [reason]


def test_the_token_limit_ends_an_answer(both: Both) -> None:
    more = {"max_completion_tokens": 3}
    found = both.same(lambda client: now(client.chat.completions.create(**asks(), **more)))
    assert (found["choices"][0]["finish_reason"], found["usage"]["completion_tokens"]) == ("length", 3)


def test_strange_chunks_pass_as_they_are(both: Both) -> None:
    odd = ["missing_delta", "null_delta", "null_content", "empty_choices", "unknown_field"]

    async def case(client: Client) -> Any:
        prompt = sim(tokens=6, odd=odd, empty_before=2, comments=2, cut_seed=1, line_end="\r\n")
        return await all_of(client.chat.completions.create(**asks(prompt), stream=True))

    assert any(chunk.get("sparkle") for chunk in both.same(case))


@cells("stream", [False, True])
def test_a_legacy_completion(both: Both, stream: bool) -> None:
    async def case(client: Client) -> Any:
        more: dict[str, Any] = {"model": "gpt-35-turbo-instruct", "prompt": "hello", "n": 2, "stream": stream}
        answer = await now(client.completions.create(**more))
        return await all_of(answer) if stream else [answer]

    choices = [choice for chunk in both.same(case) for choice in chunk["choices"]]
    for index in (0, 1):
        assert len("".join(choice["text"] for choice in choices if choice["index"] == index)) > 20


@pytest.mark.parametrize("form", [None, "float"])
def test_embeddings(both: Both, upstream: Any, form: str | None) -> None:
    async def case(client: Client) -> Any:
        more = {"encoding_format": form} if form else {}
        answer = await now(client.embeddings.create(model="text-embedding-3-small", input=["one", "zwei"], **more))
        return [list(one.embedding) for one in answer.data], answer.usage

    vectors, usage = both.same(case)
    assert [len(vector) for vector in vectors] == [1536, 1536]
    assert sum(value * value for value in vectors[0]) == pytest.approx(1)
    assert usage["prompt_tokens"] > 0
    asked = upstream.requests(contains='"encoding_format":"base64"' if form is None else '"encoding_format":"float"')
    assert len(asked) == 2  # without being told, the client asks for base64


def test_the_models_are_listed_and_told_one_by_one(mapped_both: Both) -> None:
    async def case(client: Client) -> Any:
        models = await all_of(client.models.list())
        return models, [await now(client.models.retrieve(model.id)) for model in models]

    (models, alone), (same_models, _) = mapped_both.pair(case)
    assert [model.id for model in models] == [model.id for model in same_models]
    assert {model.object for model in models} == {"model"}
    assert models == alone
