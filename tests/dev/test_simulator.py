"""The simulated service as its clients see it: surfaces, credentials, chat, completions, embeddings, models."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity.aio import ManagedIdentityCredential, get_bearer_token_provider
from openai import AsyncOpenAI, AzureOpenAI, DefaultAioHttpClient, OpenAI
from pydantic import BaseModel

from dev.simulator.control import Simulator
from dev.simulator.probe import Seen, ask

SCOPE = "https://cognitiveservices.azure.com/.default"
KEY = "a-key"
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def process() -> Iterator[Simulator]:
    with Simulator.start(backends=("main", "second"), key=KEY) as simulator:
        yield simulator


@pytest.fixture
def simulator(process: Simulator) -> Simulator:
    process.reset()
    return process


@pytest.fixture
def client(simulator: Simulator) -> Iterator[OpenAI]:
    with OpenAI(base_url=simulator.base_url(), api_key=KEY, max_retries=0) as client:
        yield client


def chat(simulator: Simulator, *, plain: bool = False, **body: Any) -> Seen:
    wanted = {"model": "gpt-4.1-mini", "messages": HELLO, "stream": True, **body}
    url = f"{simulator.base_url(plain=plain)}chat/completions"
    return ask(url, wanted, headers={"api-key": KEY})


# Chat.


def test_a_chat_stream_has_azures_frames_in_azures_order(simulator: Simulator) -> None:
    simulator.behave({"tokens": ["Color", " me", " glad", "!"]})
    seen = chat(simulator, stream_options={"include_usage": True})
    first, role, *rest, finish, annotation, usage = seen.events
    assert first["choices"] == []
    assert first["id"] == first["model"] == ""
    assert first["prompt_filter_results"][0]["content_filter_results"]["hate"] == {
        "filtered": False,
        "severity": "safe",
    }
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    texts = [frame["choices"][0]["delta"]["content"] for frame in rest if "delta" in frame["choices"][0]]
    assert texts == ["Color", " me", " glad", "!"]
    between = [frame["choices"][0] for frame in rest if "delta" not in frame["choices"][0]]
    assert [choice["finish_reason"] for choice in between] == [None]
    assert "content_filter_offsets" in between[0]
    assert (finish["choices"][0]["finish_reason"], finish["choices"][0]["delta"]) == ("stop", {})
    assert "delta" not in annotation["choices"][0]
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 4
    assert seen.data[-1] == "[DONE]"
    assert all(frame["usage"] is None for frame in [first, role, *rest, finish, annotation])


def test_usage_comes_only_when_it_is_asked_for(simulator: Simulator) -> None:
    assert not any("usage" in frame for frame in chat(simulator).events)


def test_usage_can_be_withheld_and_can_be_dictated(simulator: Simulator, client: OpenAI) -> None:
    usage = {"prompt": 9, "completion": 12, "cached": 4, "reasoning": 7}
    simulator.behave({"usage": False}, {"usage": usage})
    assert not any(frame.get("usage") for frame in chat(simulator, stream_options={"include_usage": True}).events)
    told = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}]).usage
    assert told is not None
    assert (told.prompt_tokens, told.completion_tokens, told.total_tokens) == (9, 12, 21)
    assert told.prompt_tokens_details is not None
    assert told.prompt_tokens_details.cached_tokens == 4
    assert told.completion_tokens_details is not None
    assert told.completion_tokens_details.reasoning_tokens == 7


def test_the_plain_surface_knows_no_content_filter(simulator: Simulator) -> None:
    seen = chat(simulator, plain=True)
    assert "content_filter" not in seen.body.decode()
    assert seen.data[-1] == "[DONE]"


def test_an_answer_depends_on_the_prompt_alone_and_owns_up_to_being_simulated(client: OpenAI) -> None:
    def said(prompt: str) -> str:
        answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": prompt}])
        return answer.choices[0].message.content or ""

    assert said("How do I make a list in Python code?") == said("How do I make a list in Python code?")
    assert said("How do I make a list in Python code?") != said("Why is the sky blue?")
    assert "```" in said("How do I make a list in Python code?")
    assert "simulated model" in said("Hello!")


def test_a_stream_and_a_whole_answer_say_the_same(client: OpenAI) -> None:
    stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Why?"}], stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices and chunk.choices[0].delta)
    whole = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Why?"}])
    assert text == whole.choices[0].message.content


def test_two_choices_stream_side_by_side(simulator: Simulator) -> None:
    simulator.behave({"tokens": 3})
    frames = chat(simulator, n=2).events
    content = [frame["choices"][0]["index"] for frame in frames if _text(frame)]
    assert content == [0, 1, 0, 1, 0, 1]
    assert sum(1 for frame in frames if frame["choices"] and frame["choices"][0]["finish_reason"] == "stop") == 2


def test_tool_calls_stream_in_pieces(simulator: Simulator, client: OpenAI) -> None:
    call = {"name": "get_weather", "arguments": {"city": "Örebro", "days": 3}}
    simulator.behave({"tool_call": [call, {"name": "noop"}]})
    with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "?"}]) as stream:
        final = stream.get_final_completion()
    calls = final.choices[0].message.tool_calls or []
    assert final.choices[0].finish_reason == "tool_calls"
    assert [one.function.name for one in calls] == ["get_weather", "noop"]
    assert json.loads(calls[0].function.arguments) == call["arguments"]


def test_a_prompt_can_say_what_follows_the_results_of_its_calls(client: OpenAI) -> None:
    calls = [{"name": "weather"}, {"name": "clock"}]
    prompt = f"Look both up [[sim {json.dumps({'tool_call': calls, 'after_tools': 'It is noon.'})}]]"
    messages: Any = [{"role": "user", "content": prompt}]
    message = client.chat.completions.create(model="m", messages=messages).choices[0].message
    assert [call.function.name for call in message.tool_calls or []] == ["weather", "clock"]  # type: ignore[union-attr]
    for call in message.tool_calls or []:
        messages += [message] * (len(messages) == 1) + [{"role": "tool", "tool_call_id": call.id, "content": "?"}]
    answer = client.chat.completions.create(model="m", messages=messages)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("It is noon.", "stop")

    results: Any = [{"role": "user", "content": prompt}]
    made = client.responses.create(model="m", input=results)
    assert [item.type for item in made.output] == ["function_call", "function_call"]
    results += [item.model_dump(exclude_none=True) for item in made.output]
    results += [
        {"type": "function_call_output", "call_id": getattr(one, "call_id", ""), "output": "?"} for one in made.output
    ]
    assert client.responses.create(model="m", input=results).output_text == "It is noon."


def test_a_prompt_that_names_a_tool_gets_it_called_and_its_result_is_answered_in_words(client: OpenAI) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": parameters}}]
    messages: Any = [{"role": "user", "content": "Please get weather for me"}]
    message = client.chat.completions.create(model="m", messages=messages, tools=tools).choices[0].message
    assert message.tool_calls
    assert "city" in json.loads(message.tool_calls[0].function.arguments)  # type: ignore[union-attr]
    messages += [message, {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}]
    assert client.chat.completions.create(model="m", messages=messages, tools=tools).choices[0].message.content


def test_reasoning_and_refusals_have_their_own_deltas(simulator: Simulator) -> None:
    simulator.behave({"reasoning": "Let me think.", "text": "Yes."}, {"refusal": "I would rather not."})
    thinking = [frame["choices"][0].get("delta", {}) for frame in chat(simulator).events if frame["choices"]]
    assert "".join(delta.get("reasoning_content", "") for delta in thinking) == "Let me think."
    refusing = [frame["choices"][0].get("delta", {}) for frame in chat(simulator).events if frame["choices"]]
    assert "".join(delta.get("refusal") or "" for delta in refusing) == "I would rather not."


def test_logprobs_come_with_each_piece(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hi"}], logprobs=True, top_logprobs=2, stream=True
    )
    with_text = [chunk.choices[0] for chunk in stream if chunk.choices and getattr(chunk.choices[0], "logprobs", None)]
    assert with_text
    assert all(one.logprobs and one.logprobs.content for one in with_text)


def test_structured_outputs_parse(client: OpenAI) -> None:
    class Step(BaseModel):
        title: str
        minutes: int | None

    class Plan(BaseModel):
        name: str
        done: bool
        steps: list[Step]

    parsed = client.chat.completions.parse(
        model="m", messages=[{"role": "user", "content": "Plan!"}], response_format=Plan
    )
    assert isinstance(parsed.choices[0].message.parsed, Plan)
    assert parsed.choices[0].message.parsed.steps


@pytest.mark.parametrize("reason", ["length", "content_filter", "tool_calls"])
def test_a_finish_reason_can_be_dictated(simulator: Simulator, reason: str) -> None:
    simulator.behave({"finish_reason": reason, "tokens": 2})
    finish = next(frame["choices"][0] for frame in chat(simulator).events if _finish(frame))
    assert finish["finish_reason"] == reason
    assert ("delta" in finish) == (reason != "content_filter")


def test_a_token_limit_ends_an_answer_early(simulator: Simulator) -> None:
    frames = chat(simulator, max_completion_tokens=3).events
    assert sum(1 for frame in frames if _text(frame)) == 3
    assert next(frame["choices"][0]["finish_reason"] for frame in frames if _finish(frame)) == "length"


# The other operations.


def test_completions_stream_text(client: OpenAI) -> None:
    chunks = list(client.completions.create(model="m", prompt="Hello", stream=True))
    whole = client.completions.create(model="m", prompt="Hello")
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == whole.choices[0].text
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_embeddings_are_the_same_in_both_encodings(client: OpenAI) -> None:
    as_base64 = client.embeddings.create(model="m", input=["one", "two"], dimensions=8)
    as_floats = client.embeddings.create(model="m", input=["one", "two"], dimensions=8, encoding_format="float")
    assert len(as_floats.data) == 2
    assert as_floats.data[0].embedding != as_floats.data[1].embedding
    for one, other in zip(as_base64.data, as_floats.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert len(client.embeddings.create(model="m", input="one").data[0].embedding) == 1536


def test_models_can_be_listed_and_looked_up(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()]
    assert client.models.retrieve("gpt-4.1-mini").id == "gpt-4.1-mini"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("missing-model")


# Surfaces and refusals.


def test_the_older_surface_names_the_deployment_in_the_path(simulator: Simulator) -> None:
    with AzureOpenAI(azure_endpoint=simulator.backends["second"], api_key=KEY, api_version="2024-10-21") as client:
        answer = client.chat.completions.create(model="my-deployment", messages=[{"role": "user", "content": "Hi"}])
        assert answer.model.startswith("my-deployment")
        assert client.responses.create(model="my-deployment", input="Hi").output_text
        assert client.embeddings.create(model="my-deployment", input="Hi").data
        assert client.models.list().data
    assert [record["backend"] for record in simulator.requests()] == ["second"] * 4


def test_the_older_surface_wants_an_api_version(simulator: Simulator) -> None:
    url = f"{simulator.backends['main']}/openai/deployments/d/chat/completions"
    body = {"messages": HELLO}
    assert ask(url, body, headers={"api-key": KEY}).status == 404
    assert ask(f"{url}?api-version=2024-10-21", body, headers={"api-key": KEY}).status == 200


def test_an_unknown_deployment_is_azures_404(simulator: Simulator) -> None:
    seen = chat(simulator, model="missing-one")
    assert (seen.status, seen.json["error"]["code"]) == (404, "DeploymentNotFound")
    assert chat(simulator, model="missing-one", plain=True).json["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": "Hello"}, "messages", "invalid_type"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role", "missing_required_parameter"),
        ({"messages": [{"role": "robot"}]}, "messages[0].role", "invalid_value"),
        ({"sessionState": 1}, "sessionState", "unknown_parameter"),
        ({"temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"stream": False, "stream_options": {"include_usage": True}}, "stream_options", None),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"model": "gpt-5-mini", "max_tokens": 5}, "max_tokens", "unsupported_parameter"),
    ],
)
def test_a_wrong_request_is_a_400_that_names_the_parameter(
    simulator: Simulator, body: dict[str, Any], param: str, code: str | None
) -> None:
    seen = chat(simulator, **body)
    assert (seen.status, seen.json["error"]["param"], seen.json["error"]["code"]) == (400, param, code)


def test_bad_json_is_a_400(simulator: Simulator) -> None:
    seen = ask(f"{simulator.base_url()}chat/completions", b'{"model":', headers={"api-key": KEY})
    assert seen.status == 400
    assert "parse the JSON body" in seen.json["error"]["message"]


def test_headers_worth_relaying_come_with_headers_that_are_not(simulator: Simulator) -> None:
    headers = chat(simulator).headers
    worth = {"x-request-id", "apim-request-id", "x-ms-region", "x-ratelimit-remaining-tokens", "openai-processing-ms"}
    assert worth <= headers.keys()
    assert {"set-cookie", "server", "x-ms-internal-something"} <= headers.keys()


# Credentials.


@pytest.mark.parametrize("headers", [{}, {"api-key": "wrong"}, {"authorization": "Bearer wrong"}])
def test_a_stranger_is_refused(simulator: Simulator, headers: dict[str, str]) -> None:
    seen = ask(f"{simulator.base_url()}chat/completions", {"model": "m", "messages": HELLO}, headers=headers)
    assert (seen.status, seen.json["error"]["code"]) == (401, "401")


def test_a_managed_identity_streams_without_a_key(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> str:
        async with (
            ManagedIdentityCredential(client_id="11111111-2222-3333-4444-555555555555") as credential,
            AsyncOpenAI(
                base_url=simulator.base_url(),
                api_key=get_bearer_token_provider(credential, SCOPE),
                http_client=DefaultAioHttpClient(),
                max_retries=0,
            ) as client,
        ):
            stream = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "Hello"}], stream=True
            )
            return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices and c.choices[0].delta])

    for name, value in simulator.identity_environment.items():
        monkeypatch.setenv(name, value)
    assert "simulated model" in asyncio.run(run())
    (asked,) = simulator.identity_requests()
    assert asked["headers"]["x-identity-header"] == simulator.identity_header
    assert "client_id=11111111" in asked["query"]
    assert simulator.requests()[0]["audience"] == "https://cognitiveservices.azure.com"


def test_a_token_is_refused_for_a_wrong_audience_when_expired_and_when_revoked(simulator: Simulator) -> None:
    def status(token: str) -> int:
        url = f"{simulator.base_url()}models"
        return ask(url, headers={"authorization": f"Bearer {token}"}).status

    good = simulator.token("https://ai.azure.com")
    assert status(good) == 200
    assert status(simulator.token("https://vault.azure.net")) == 401
    simulator.behave_identity(expires_in=-1)
    assert status(simulator.token()) == 401
    simulator.revoke_tokens()
    assert status(good) == 401


@pytest.mark.parametrize(
    ("query", "header", "status"),
    [
        ("?resource=https://ai.azure.com&api-version=2019-08-01", "wrong", 401),
        ("?resource=https://ai.azure.com", None, 400),
        ("?api-version=2019-08-01", None, 400),
    ],
)
def test_the_identity_endpoint_is_strict(simulator: Simulator, query: str, header: str | None, status: int) -> None:
    headers = {"x-identity-header": header or simulator.identity_header}
    assert ask(f"{simulator.identity_endpoint}{query}", headers=headers).status == status


def test_a_failing_identity_fails_the_real_credential(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with ManagedIdentityCredential(retry_total=0) as credential:
            await credential.get_token(SCOPE)

    for name, value in simulator.identity_environment.items():
        monkeypatch.setenv(name, value)
    for status in (400, 500):
        simulator.behave_identity(status=status, times=1)
        with pytest.raises((ClientAuthenticationError, HttpResponseError)):
            asyncio.run(run())
    asyncio.run(run())


def test_a_client_that_leaves_a_slow_identity_endpoint_is_noticed(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with ManagedIdentityCredential() as credential, asyncio.timeout(0.3):
            await credential.get_token(SCOPE)

    for name, value in simulator.identity_environment.items():
        monkeypatch.setenv(name, value)
    simulator.behave_identity(never_answer=True)
    began = time.time()
    with pytest.raises(TimeoutError):
        asyncio.run(run())
    record = simulator.wait_for_identity(ended="client_gone")
    assert record["phase"] == "before_headers"
    assert record["gone_after"] <= time.time() - began


def _text(frame: Any) -> bool:
    return bool(frame["choices"] and (frame["choices"][0].get("delta") or {}).get("content"))


def _finish(frame: Any) -> bool:
    return bool(frame["choices"] and frame["choices"][0]["finish_reason"])
