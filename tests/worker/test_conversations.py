"""Conversations over accounts, callers and worker processes, on the real worker."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import Seen, ask
from shared.config.caller_keys import make_caller_key
from tests.app_process import JSON, App

NAMES = ("a", "b")
ONE, ONE_ENTRY = make_caller_key("one")
TWO, TWO_ENTRY = make_caller_key("two")
CALLERS = {"AUTH_MODE": "keys", "CALLER_KEYS": f"{ONE_ENTRY},{TWO_ENTRY}"}
INCLUDE = ["reasoning.encrypted_content"]
PREFIX = "Say it as it is. " * 256


@pytest.fixture(scope="module")
def accounts_process() -> Iterator[Simulator]:
    with Simulator.start(backends=NAMES) as simulator:
        yield simulator


@pytest.fixture
def accounts(accounts_process: Simulator) -> Simulator:
    """Two accounts, without behaviours or records."""
    accounts_process.reset()
    return accounts_process


def start(accounts: Simulator, **more: str) -> App:
    backends = json.dumps([{"name": name, "endpoint": accounts.backends[name]} for name in NAMES])
    env: dict[str, Any] = {**accounts.identity_environment, **CALLERS, "AZURE_OPENAI_BACKENDS": backends, **more}
    return App.start(None, **env)


@pytest.fixture(scope="module")
def processes(accounts_process: Simulator) -> Iterator[tuple[App, App]]:
    """Two worker processes of one app."""
    with start(accounts_process) as one, start(accounts_process) as other:
        yield one, other


def send(app: App, method: str, path: str, body: Any = None, *, key: str = ONE) -> Seen:
    return ask(app.url + path, body, method=method, headers={**JSON, "authorization": f"Bearer {key}"})


def respond(app: App, key: str = ONE, **body: Any) -> Seen:
    return send(app, "POST", "/v1/responses", {"model": "m", **body}, key=key)


def backends(accounts: Simulator) -> list[str]:
    return [record["backend"] for record in accounts.requests()]


def every_use(app: App, response_id: str, key: str) -> list[Seen]:
    at = f"/v1/responses/{response_id}"
    return [
        send(app, "GET", at, key=key),
        send(app, "GET", f"{at}?stream=true", key=key),
        send(app, "GET", f"{at}/input_items", key=key),
        send(app, "POST", f"{at}/cancel", {}, key=key),
        respond(app, key, input="more", previous_response_id=response_id),
        respond(app, key, input="more", previous_response_id=response_id, stream=True),
        send(app, "DELETE", at, key=key),
    ]


@pytest.mark.parametrize("body", [{}, {"stream": True}, {"background": True, "store": True}], ids=str)
def test_a_stored_response_is_its_callers_in_every_process_and_nobody_elses(
    accounts: Simulator, processes: tuple[App, App], body: dict[str, Any]
) -> None:
    one, other = processes
    made = respond(one, input="hello", **body)
    response_id = (made.events[-1]["response"] if "stream" in body else made.json)["id"]
    for app in processes:
        for seen in every_use(app, response_id, TWO):
            assert (seen.status, seen.json["error"]["code"]) == (404, "response_not_found")
    assert len(backends(accounts)) == 1, "an account was asked to do it"
    found = send(other, "GET", f"/v1/responses/{response_id}")
    assert (found.status, found.json["id"]) == (200, response_id)
    again = respond(other, input="and now?", previous_response_id=response_id)
    assert (again.status, again.json["previous_response_id"]) == (200, response_id)
    deleted = send(other, "DELETE", f"/v1/responses/{response_id}")
    assert deleted.json["id"] == response_id
    assert send(one, "GET", f"/v1/responses/{response_id}").json["error"]["code"] == "response_not_found"
    assert len(set(backends(accounts))) == 1


def test_a_stored_response_is_found_where_it_is_by_every_process(
    accounts: Simulator, processes: tuple[App, App]
) -> None:
    accounts.behave(a={"status": 503, "repeat": True})
    made = respond(processes[0], model="made at b", input="hello")
    response_id = made.json["id"]
    for app in processes:
        assert send(app, "GET", f"/v1/responses/{response_id}").json["id"] == response_id
    assert (made.headers["x-backend"], backends(accounts)[-2:]) == ("b", ["b", "b"])
    unknown = send(processes[1], "GET", "/v1/responses/resp_unknown")
    assert (unknown.status, unknown.json["error"]["type"]) == (404, "invalid_request_error")


def test_a_forged_a_truncated_and_a_raw_id_never_were(accounts: Simulator, processes: tuple[App, App]) -> None:
    response_id = respond(processes[0], input="hello").json["id"]
    never_was = respond(processes[0], input="more", previous_response_id="resp_none")
    for at in range(0, len(response_id), 7):
        forged = response_id[:at] + ("A" if response_id[at] != "A" else "B") + response_id[at + 1 :]
        for text in (forged, response_id[:at]):
            if text:
                seen = respond(processes[1], input="more", previous_response_id=text)
                assert (seen.status, seen.body) == (404, never_was.body)
                assert send(processes[1], "GET", f"/v1/responses/{text}").json["error"]["code"] == "response_not_found"
    assert len(backends(accounts)) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("code", [None, "invalid_encrypted_content"])
def test_every_turn_with_encrypted_reasoning_is_answered(
    accounts: Simulator, processes: tuple[App, App], code: str | None, *, stream: bool
) -> None:
    accounts.set_accounts({"encrypts": True, "unverified_code": code})
    body: dict[str, Any] = {"store": False, "include": INCLUDE, "stream": stream}
    for number, owner in enumerate(NAMES * 2):
        base = {"model": "m", **body, "stream": False, "input": f"hello {number}"}
        made = ask(f"{accounts.base_url(owner)}responses", base, headers=JSON | bearer(accounts)).json
        history = [{"role": "user", "content": f"hello {number}"}, *made["output"], {"role": "user", "content": "more"}]
        for turn in range(3):
            seen = respond(processes[turn % 2], **body, input=history)
            assert seen.status == 200
            assert seen.headers["x-backend"] == owner


def bearer(accounts: Simulator) -> dict[str, str]:
    return {"authorization": f"Bearer {accounts.token()}"}


def test_the_limit_of_the_owner_is_what_the_caller_sees(accounts: Simulator, processes: tuple[App, App]) -> None:
    accounts.set_accounts({"encrypts": True})
    body: dict[str, Any] = {"model": "limited", "store": False, "include": INCLUDE, "input": "hello"}
    made = ask(f"{accounts.base_url('a')}responses", body, headers=JSON | bearer(accounts)).json
    history = [{"role": "user", "content": "hello"}, *made["output"], {"role": "user", "content": "more"}]
    accounts.behave(a={"status": 429, "headers": {"retry-after": "30"}, "repeat": True})
    for _ in range(3):
        seen = respond(processes[0], **{**body, "input": history})
        assert (seen.status, seen.headers["retry-after"]) == (429, "30")


OBJECTS: list[dict[str, Any]] = [
    {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]},
    {"conversation": "conv_1"},
    {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
]


@pytest.mark.parametrize("body", OBJECTS, ids=lambda body: next(iter(body)))
def test_an_object_that_one_account_knows_is_found_there(
    accounts: Simulator, processes: tuple[App, App], body: dict[str, Any]
) -> None:
    accounts.set_accounts(a={"objects": ["vs_1", "conv_1", "f"]}, b={"objects": []})
    for number in range(10):
        seen = respond(processes[number % 2], **{"input": f"hello {number}", "stream": True, **body})
        assert (seen.status, seen.headers["x-backend"]) == (200, "a")
    accounts.set_accounts({"objects": []})
    before = len(backends(accounts))
    seen = respond(processes[0], **{"input": "hello", "stream": True, **body})
    assert (seen.status, "not found" in seen.json["error"]["message"]) == (404, True)
    assert len(backends(accounts)) == before + 2


def test_a_deployment_that_one_account_lacks_is_found_at_the_other(
    accounts: Simulator, processes: tuple[App, App]
) -> None:
    accounts.set_accounts(a={"deployments": ["other"]})
    for number in range(10):
        body = {"model": "m", "messages": [{"role": "user", "content": f"hello {number}"}]}
        assert send(processes[number % 2], "POST", "/v1/chat/completions", body).headers["x-backend"] == "b"
        assert send(processes[number % 2], "POST", "/chat", {"input": f"hello {number}"}).status == 200


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions", "/chat"])
def test_one_conversation_asks_one_account_and_forty_ask_both(
    accounts: Simulator, processes: tuple[App, App], path: str
) -> None:
    def turn(number: int, session: str) -> None:
        said = [{"role": "system", "content": PREFIX + session}, {"role": "user", "content": session}]
        said += [{"role": "assistant", "content": "yes"}, {"role": "user", "content": f"more {number}"}] * (number > 0)
        name = "input" if path == "/v1/responses" else "messages"
        named = {} if path == "/chat" else {"prompt_cache_key": session}
        assert send(processes[number % 2], "POST", path, {"model": "m", name: said, **named}).status == 200

    for number in range(12):
        turn(number, "session-1")
    assert len(set(backends(accounts))) == 1
    for number in range(40):
        turn(0, f"session-{number}")
    assert min(Counter(backends(accounts)[12:])[name] for name in NAMES) > 4


def test_the_openai_client_goes_on_from_its_own_ids(accounts: Simulator, processes: tuple[App, App]) -> None:
    clients = [openai.OpenAI(base_url=f"{app.url}/v1", api_key=ONE, max_retries=0) for app in processes]
    with clients[0].responses.create(model="m", input="hello", background=True, stream=True) as begun:
        made = next(event.response for event in begun if event.type == "response.created")
    with clients[1].responses.retrieve(made.id, stream=True, starting_after=0) as stream:
        resumed = next(iter(stream))
    assert (resumed.type, resumed.sequence_number) == ("response.queued", 1)
    cancelled = clients[1].responses.cancel(made.id)
    assert cancelled.id == made.id
    again = clients[0].responses.create(model="m", input="more", previous_response_id=made.id)
    assert again.previous_response_id == made.id
    stranger = openai.OpenAI(base_url=f"{processes[0].url}/v1", api_key=TWO, max_retries=0)
    with pytest.raises(openai.NotFoundError):
        stranger.responses.retrieve(made.id)
    for client in (*clients, stranger):
        client.close()


def test_without_its_storage_the_app_serves_all_but_stored_ids(accounts: Simulator, processes: tuple[App, App]) -> None:
    response_id = respond(processes[0], input="hello").json["id"]
    nowhere = "BlobEndpoint=http://127.0.0.1:9/devstoreaccount1;AccountName=devstoreaccount1;AccountKey=bm9uZQ=="
    with start(accounts, AzureWebJobsStorage=nowhere) as app:
        assert respond(app, input="hello").json["status"] == "completed"
        assert respond(app, input="hello", stream=True).events[-1]["type"] == "response.completed"
        assert respond(app, input="hello", store=False).status == 200
        assert send(app, "POST", "/chat", {"input": "hello"}).status == 200
        for seen in (*every_use(app, response_id, ONE), respond(app, input="hello", background=True)):
            assert (seen.status, seen.json["error"]["code"]) == (503, "state_unavailable")
        assert app.has_logged("Stored responses are answered with 503")
        assert "bm9uZQ" not in app.log


def test_a_process_that_is_killed_between_two_turns_changes_nothing(
    accounts: Simulator, processes: tuple[App, App]
) -> None:
    accounts.set_accounts({"encrypts": True, "knows_items": True})
    one, other = processes
    first = respond(one, input="hello", include=INCLUDE).json
    one.kill()
    history = [{"role": "user", "content": "hello"}, *first["output"], {"role": "user", "content": "and now?"}]
    references = [
        history[0],
        *({"type": "item_reference", "id": item["id"]} for item in first["output"]),
        history[-1],
    ]
    for body in (
        {"input": "and now?", "previous_response_id": first["id"]},
        {"input": history, "store": False},
        {"input": references},
    ):
        assert respond(other, **body).status == 200
    assert len(set(backends(accounts))) == 1
