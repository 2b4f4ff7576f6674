"""What only one account of the simulated service has, once the control API says so."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from dev.simulator.control import ControlError, Simulator
from dev.simulator.probe import Seen, ask

PREFIX = "All of this has been said before. " * 130
"""4420 characters: 1,024 tokens and a bit."""
INCLUDE = ["reasoning.encrypted_content"]


@pytest.fixture(scope="module")
def process() -> Iterator[Simulator]:
    with Simulator.start(open=True, backends=("a", "b")) as simulator:
        yield simulator


@pytest.fixture
def simulator(process: Simulator) -> Simulator:
    process.reset()
    return process


def respond(simulator: Simulator, backend: str = "a", **body: Any) -> Seen:
    return ask(f"{simulator.base_url(backend)}responses", {"model": "m", "input": "Hello", **body})


def chat(simulator: Simulator, backend: str = "a", **body: Any) -> Seen:
    messages = [{"role": "user", "content": PREFIX}]
    return ask(f"{simulator.base_url(backend)}chat/completions", {"model": "m", "messages": messages, **body})


def question(text: str = "And then?") -> dict[str, Any]:
    return {"role": "user", "content": text}


# Encrypted reasoning.


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("code", [None, "invalid_encrypted_content"])
def test_only_the_account_that_made_an_encrypted_item_takes_it(
    simulator: Simulator, code: str | None, *, stream: bool
) -> None:
    simulator.set_accounts({"encrypts": True, "unverified_code": code})
    seen = respond(simulator, store=False, stream=stream, include=INCLUDE)
    whole = seen.events[-1]["response"] if stream else seen.json
    item = whole["output"][0]
    assert (item["type"], item["summary"]) == ("reasoning", [])
    if stream:
        done = [event for event in seen.events if event["type"] == "response.output_item.done"]
        assert done[0]["item"] == item
    history = [question("Hello"), item, question()]
    assert respond(simulator, store=False, include=INCLUDE, input=history).status == 200
    refused = respond(simulator, "b", store=False, include=INCLUDE, input=history)
    assert refused.status == 400
    message = f"The encrypted content for item {item['id']} could not be verified."
    expected = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    assert refused.json == {"error": expected}


def test_encrypted_content_that_nobody_made_and_that_has_no_id_is_refused_too(simulator: Simulator) -> None:
    simulator.set_accounts({"encrypts": True})
    refused = respond(simulator, input=[{"type": "reasoning", "summary": [], "encrypted_content": "gAAAnonsense"}])
    assert refused.json["error"]["message"] == "The encrypted content gAAA...ense could not be verified."


def test_a_summary_and_encrypted_content_come_in_one_item(simulator: Simulator) -> None:
    simulator.set_accounts({"encrypts": True})
    seen = respond(simulator, include=INCLUDE, reasoning={"summary": "auto"})
    item = seen.json["output"][0]
    assert item["summary"]
    assert item["encrypted_content"].startswith("gAAAA")


def test_an_item_is_encrypted_only_where_the_request_includes_it(simulator: Simulator) -> None:
    simulator.set_accounts({"encrypts": True})
    assert [item["type"] for item in respond(simulator).json["output"]] == ["message"]


# Items.


def test_an_item_is_known_where_its_answer_is_stored(simulator: Simulator) -> None:
    simulator.set_accounts({"knows_items": True})
    for store, status in ((True, 200), (False, 400)):
        item = respond(simulator, store=store).json["output"][0]
        history = [{"type": "item_reference", "id": item["id"]}, question()]
        assert respond(simulator, input=history).status == status
        refused = respond(simulator, "b", input=history)
        assert refused.status == 400
        message = f"Item with id '{item['id']}' not found."
        expected = {"message": message, "type": "invalid_request_error", "param": "input", "code": None}
        assert refused.json == {"error": expected}


def test_an_item_can_be_unknown_for_a_while(simulator: Simulator) -> None:
    simulator.set_accounts({"knows_items": True, "item_delay": 2})
    history = [{"type": "item_reference", "id": respond(simulator).json["output"][0]["id"]}, question()]
    assert respond(simulator, input=history).status == 400
    time.sleep(2)
    assert respond(simulator, input=history).status == 200


# Files and the like.


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"tools": [{"type": "file_search", "vector_store_ids": ["mine", "vs_1"]}]},
            "Vector store with id [vs_1] not found.",
        ),
        ({"conversation": "conv_1"}, "Conversation with id 'conv_1' not found."),
        ({"conversation": {"id": "conv_1"}}, "Conversation with id 'conv_1' not found."),
        ({"prompt": {"id": "pmpt_1"}}, "Prompt with id 'pmpt_1' not found."),
        ({"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, "Container with id 'cntr_1' not found."),
        (
            {"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["f"]}}]},
            "File with id 'f' not found.",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
            "File with id 'f' not found.",
        ),
    ],
)
def test_an_object_is_known_where_it_is(simulator: Simulator, body: dict[str, Any], message: str) -> None:
    ids = ["mine", "vs_1", "conv_1", "pmpt_1", "cntr_1", "f"]
    simulator.set_accounts(a={"objects": ids}, b={"objects": ["mine"]})
    assert respond(simulator, **body).status == 200
    refused = respond(simulator, "b", **body)
    assert refused.status == 404
    expected = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    assert refused.json == {"error": expected}


def test_a_file_in_a_chat_message_is_an_object_too(simulator: Simulator) -> None:
    simulator.set_accounts(b={"objects": []})
    messages = [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]
    assert chat(simulator, messages=messages).status == 200
    assert chat(simulator, "b", messages=messages).status == 404


# Deployments.


def test_a_deployment_can_be_missing_in_one_account(simulator: Simulator) -> None:
    simulator.set_accounts(b={"deployments": ["other"]})
    assert respond(simulator).status == 200
    refused = respond(simulator, "b")
    assert (refused.status, refused.json["error"]["code"]) == (404, "DeploymentNotFound")
    listed = ask(f"{simulator.base_url('b')}models").json["data"]
    assert [model["id"] for model in listed] == ["other"]


# The cache of prompts.


def cached(seen: Seen) -> int:
    usage = seen.json["usage"]
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    assert details["cached_tokens"] <= (usage.get("prompt_tokens") or usage["input_tokens"])
    return int(details["cached_tokens"])


def test_a_prompts_beginning_is_cached_by_the_account_that_was_asked(simulator: Simulator) -> None:
    simulator.set_accounts({"caches": True})
    body: dict[str, Any] = {"instructions": PREFIX, "input": [question("one")]}
    assert cached(respond(simulator, **body)) == 0
    assert cached(respond(simulator, instructions=PREFIX, input=[question("two")])) == 1024
    assert cached(respond(simulator, "b", **body)) == 0
    longer = [question("one"), {"role": "assistant", "content": PREFIX}, question("three")]
    assert cached(respond(simulator, instructions=PREFIX, input=longer)) == 1024
    assert cached(respond(simulator, instructions=PREFIX, input=[*longer, question("four")])) > 2048


def test_chat_completions_show_the_cache_streamed_or_not(simulator: Simulator) -> None:
    simulator.set_accounts({"caches": True})
    assert [cached(chat(simulator)) for _ in range(2)] == [0, 1024]
    seen = chat(simulator, stream=True, stream_options={"include_usage": True})
    assert seen.events[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 1024}


def test_a_short_prompt_and_another_deployment_are_not_cached(simulator: Simulator) -> None:
    simulator.set_accounts({"caches": True})
    short: dict[str, Any] = {"messages": [{"role": "user", "content": PREFIX[:4000]}]}
    assert [cached(chat(simulator, **short)) for _ in range(2)] == [0, 0]
    assert [cached(chat(simulator, model=model)) for model in ("m", "n", "m")] == [0, 0, 1024]


# Opting in.


def test_an_account_has_everything_until_it_is_told_otherwise_and_after_a_reset(simulator: Simulator) -> None:
    body: dict[str, Any] = {
        "include": INCLUDE,
        "conversation": "conv_1",
        "input": [
            {"type": "item_reference", "id": "rs_1"},
            {"type": "reasoning", "summary": [], "encrypted_content": "foreign"},
            question(PREFIX),
        ],
    }
    settings = {"encrypts": True, "knows_items": True, "objects": [], "deployments": [], "caches": True}
    for _ in range(2):
        for _ in range(2):
            seen = respond(simulator, **body)
            assert (seen.status, cached(seen)) == (200, 0)
        simulator.set_accounts(settings)
        assert respond(simulator, **body).status == 404
        assert simulator.accounts() == {"a": settings, "b": settings}
        simulator.reset()
    assert simulator.accounts() == {"a": {}, "b": {}}


def test_a_typo_in_an_account_is_refused_and_changes_nothing(simulator: Simulator) -> None:
    with pytest.raises(ControlError, match="not an account"):
        simulator.set_accounts(a={"caches": True}, b={"cashes": True})
    with pytest.raises(ControlError, match="no backend is called 'c'"):
        simulator.set_accounts(c={"caches": True})
    assert simulator.accounts() == {"a": {}, "b": {}}
