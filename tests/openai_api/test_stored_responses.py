"""Stored responses belong to one caller and one account, on every instance; what is no caller's own never was."""

import asyncio
import base64
import json
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.config.caller_keys import make_caller_key
from shared.errors import ErrorObject, UpstreamErrorResponse
from shared.state.signing_key import KeyStoreError, SigningKey
from shared.state.stored_ids import StoredIds
from tests.harness.cells import cells
from tests.openai_api.accounts import DELTA, SECRET, Accounts, Keys, Process, Reply

ALICE_KEY, ALICE_ENTRY = make_caller_key("alice")
BOB_KEY, BOB_ENTRY = make_caller_key("bob")
KEYS: dict[str, Any] = {"AUTH_MODE": "keys", "CALLER_KEYS": f"{ALICE_ENTRY},{BOB_ENTRY}"}
ALICE, BOB = {"api-key": ALICE_KEY}, {"api-key": BOB_KEY}


def run[T](main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(main)


async def every_use(process: Process, response_id: str, headers: dict[str, str]) -> list[Reply]:
    """Reading it, as JSON and as a stream, its input, cancelling, continuing, and in the end deleting it."""
    at = f"/v1/responses/{response_id}"
    return [
        await process.ask("GET", at, headers=headers),
        await process.ask("GET", at, query="stream=true&starting_after=1", headers=headers),
        await process.ask("GET", f"{at}/input_items", headers=headers),
        await process.ask("POST", f"{at}/cancel", {}, headers=headers),
        await process.make({"previous_response_id": response_id}, headers=headers),
        await process.make({"previous_response_id": response_id, "stream": True}, headers=headers),
        await process.ask("POST", "/v1/responses/compact", {"previous_response_id": response_id}, headers=headers),
        await process.ask("DELETE", at, headers=headers),
    ]


def test_a_response_is_its_callers_on_every_instance_and_nobody_elses() -> None:
    async def case() -> None:
        accounts, keys = Accounts(), Keys()
        one, other = Process(accounts, keys, **KEYS), Process(accounts, keys, **KEYS)
        response_id = (await one.make(headers=ALICE)).json["id"]
        before = len(accounts.calls)
        for process in (one, other):
            for reply in await every_use(process, response_id, BOB):
                assert (reply.status, reply.code) == (404, "response_not_found")
        assert len(accounts.calls) == before, "an account was asked"
        owner = accounts.calls[0][0]
        for reply in (await every_use(other, response_id, ALICE))[:-2]:
            assert reply.status == 200
        assert {name for name, *_ in accounts.calls} == {owner}
        gone = await one.ask("GET", f"/v1/responses/{response_id}", headers=ALICE)
        assert (gone.status, gone.code) == (404, "response_not_found")
        again = await one.make({"previous_response_id": response_id}, headers=ALICE)
        assert (again.status, again.code) == (404, "response_not_found")

    run(case())


def test_the_callers_id_is_in_the_response_object_and_nothing_else_changes() -> None:
    async def case() -> None:
        accounts = Accounts()
        process = Process(accounts, Keys(), **KEYS)
        first = await process.make(headers=ALICE)
        response_id = first.json["id"]
        (raw_id,) = next(iter(accounts.stored.values()))
        stored = next(iter(accounts.stored.values()))[raw_id]
        assert first.json == stored | {"id": response_id}
        assert first.headers["content-length"] == str(len(first.body))
        assert response_id.startswith("resp_")
        assert raw_id not in response_id
        stream = await process.make({"previous_response_id": response_id, "stream": True}, headers=ALICE)
        assert DELTA in stream.body
        objects = [event["response"] for event in stream.events if "response" in event]
        assert {one["id"] for one in objects} == {objects[0]["id"]}
        assert {one["previous_response_id"] for one in objects} == {response_id}
        assert [line for line in stream.body.split(b"\n") if line.startswith(b"event: ")] == [
            b"event: response.created", b"event: response.in_progress",
            b"event: response.output_text.delta", b"event: response.completed",
        ]  # fmt: skip
        at = f"/v1/responses/{response_id}"
        assert (await process.ask("GET", at, headers=ALICE)).json["id"] == response_id
        items = await process.ask("GET", f"{at}/input_items", query=f"after={response_id}&limit=3", headers=ALICE)
        assert items.json["query"] == [["after", raw_id], ["limit", "3"]]
        assert (items.json["first_id"], items.json["last_id"]) == ("msg_1", response_id)
        bad = await process.ask("GET", f"{at}/input_items", query=f"after={raw_id}", headers=ALICE)
        assert (bad.status, bad.json["error"]["param"]) == (404, "after")
        deleted = await process.ask("DELETE", at, headers=ALICE)
        assert deleted.json == {"id": response_id, "object": "response", "deleted": True}

    run(case())


def test_what_is_not_stored_passes_byte_for_byte_and_asks_for_no_key() -> None:
    async def case() -> None:
        accounts, keys = Accounts(), Keys()
        process = Process(accounts, keys, **KEYS)
        for body in ({"store": False}, {"store": False, "stream": True}):
            reply = await process.make(body, headers=ALICE)
            assert b"resp_" + accounts.calls[-1][0].encode() + b"0" * 32 in reply.body
        await process.ask("POST", "/v1/chat/completions", {"messages": []}, headers=ALICE)
        await process.ask("POST", "/v1/embeddings", {"input": "x"}, headers=ALICE)
        assert keys.reads == 0

    run(case())


type Stored = tuple[Process, Accounts, str, str]


@pytest.fixture(scope="module")
def opened() -> Stored:
    """A process, its accounts, and a response's two ids: Alice's and the account's."""
    accounts = Accounts()
    process = Process(accounts, Keys(), **KEYS)
    response_id = run(process.make(headers=ALICE)).json["id"]
    (raw_id,) = next(iter(accounts.stored.values()))
    return process, accounts, response_id, raw_id


def never(opened: Stored, response_id: str) -> None:
    """There never was such a response, and no account is asked for it."""
    process, accounts, _, _ = opened

    async def case() -> None:
        never_was = await process.make({"previous_response_id": "resp_none"}, headers=ALICE)
        reply = await process.make({"previous_response_id": response_id}, headers=ALICE)
        assert (reply.status, reply.body) == (404, never_was.body)
        if response_id and "/" not in response_id and response_id[0] != ".":
            read = await process.ask("GET", f"/v1/responses/{response_id}", headers=ALICE)
            assert (read.status, read.code) == (404, "response_not_found")
            assert read.json["error"]["message"] == never_was.json["error"]["message"]
        assert len(accounts.calls) == 1, "an account was asked"

    run(case())


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_an_id_with_a_byte_changed_never_was(opened: Stored, data: st.DataObject) -> None:
    _, _, response_id, _ = opened
    at = data.draw(st.integers(0, len(response_id) - 1))
    sign = data.draw(st.characters(min_codepoint=33, max_codepoint=255))
    if sign != response_id[at]:
        never(opened, response_id[:at] + sign + response_id[at + 1 :])


def test_an_id_with_a_bit_of_what_is_signed_changed_never_was(opened: Stored) -> None:
    encoded = opened[2].removeprefix("resp_")
    packed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    for at in range(len(packed)):
        changed = packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]
        never(opened, "resp_" + base64.urlsafe_b64encode(changed).decode().rstrip("="))


def test_a_truncated_a_raw_and_a_foreign_id_never_were(opened: Stored) -> None:
    _, _, response_id, raw_id = opened
    foreign = StoredIds([SigningKey(1, b"f" * 32)]).sign(raw_id, backend="a", caller="keys:alice")
    for text in (
        response_id[:-1],
        response_id[:-9],
        response_id[:5] + response_id[6:],
        response_id + "A",
        raw_id,
        foreign,
    ):
        never(opened, text)
    climbing = StoredIds([SigningKey(1, SECRET)]).sign("../files", backend="a", caller="keys:alice")
    never(opened, climbing)


def test_a_response_of_a_backend_that_is_gone_never_was() -> None:
    async def case() -> None:
        accounts, keys = Accounts(), Keys()
        response_id = (await Process(accounts, keys, **KEYS).make(headers=ALICE)).json["id"]
        left = tuple(name for name in "abc" if name != accounts.calls[0][0])
        reply = await Process(accounts, keys, names=left, **KEYS).ask(
            "GET", f"/v1/responses/{response_id}", headers=ALICE
        )
        assert (reply.status, reply.code) == (404, "response_not_found")
        assert len(accounts.calls) == 1

    run(case())


def test_the_owners_failure_is_the_answer_and_never_another_account() -> None:
    async def case() -> None:
        accounts, keys = Accounts(), Keys()
        process = Process(accounts, keys, **KEYS)
        response_id = (await process.make(headers=ALICE)).json["id"]
        owner = accounts.calls[0][0]
        limited = ErrorObject("slow down", "rate_limit_error", "rate_limit_exceeded")
        accounts.down[owner] = UpstreamErrorResponse(
            status=429, error=limited, headers={"retry-after": "30"}, pause_seconds=30
        )
        for _ in range(2):
            for reply in (
                await process.make({"previous_response_id": response_id}, headers=ALICE),
                await process.ask("GET", f"/v1/responses/{response_id}", headers=ALICE),
            ):
                assert (reply.status, reply.headers["retry-after"]) == (429, "30")
        assert {name for name, *_ in accounts.calls} == {owner}

    run(case())


@cells(
    "body",
    [
        b'{"model":"m","input":"hi","previous_response_id":"%b","previous_response_id":null}',
        b'{"model":"m","previous_response_id":"%b","input":"hi","previous\\u005fresponse_id":"","store":false}',
    ],
)
def test_an_id_does_not_go_up_as_one_of_two_fields_with_one_name(body: bytes) -> None:
    async def case() -> None:
        accounts, keys = Accounts(), Keys()
        process = Process(accounts, keys, names=("a",), **KEYS)
        await process.make(headers=ALICE)
        (raw_id,) = accounts.stored["a"]
        sent: list[bytes] = []
        real = accounts.open

        async def seen(backend: Any, call: Any, deployment: str) -> Any:
            sent.append(call.body(backend, deployment))
            return await real(backend, call, deployment)

        accounts.open = seen  # type: ignore[method-assign]
        await process.ask("POST", "/v1/responses", body.replace(b"%b", raw_id.encode()), headers=BOB)
        assert len(sent) == 1
        assert raw_id.encode() not in sent[0]

    run(case())


MODES: dict[str, tuple[dict[str, Any], list[dict[str, str]]]] = {
    "keys": (KEYS, [ALICE, BOB]),
    "entra": (
        {"AUTH_MODE": "entra", "WEBSITE_AUTH_ENABLED": "True"},
        [{"x-ms-client-principal-id": "user"}, {"x-ms-client-principal-id": "app"}],
    ),
    "function": ({"AUTH_MODE": "function"}, [{"x-functions-key": "k1"}, {"x-functions-key": "k2"}]),
}


@cells("mode", MODES)
def test_each_mode_tells_its_callers_apart(mode: str) -> None:
    env, (mine, other) = MODES[mode]

    async def case() -> None:
        process = Process(Accounts(), Keys(), **env)
        at = f"/v1/responses/{(await process.make(headers=mine)).json['id']}"
        assert (await process.ask("GET", at, headers=other)).code == "response_not_found"
        assert (await process.ask("GET", at, headers=mine)).status == 200

    run(case())


def test_a_function_key_in_the_query_is_the_same_caller_as_in_the_header() -> None:
    async def case() -> None:
        process = Process(Accounts(), Keys(), AUTH_MODE="function")
        at = f"/v1/responses/{(await process.make(query='code=k1')).json['id']}"
        assert (await process.ask("GET", at, headers={"x-functions-key": "k1"})).status == 200
        assert (await process.ask("GET", at, query="code=k2")).code == "response_not_found"

    run(case())


def test_without_authentication_who_has_the_id_has_the_response() -> None:
    async def case() -> None:
        accounts, keys = Accounts(), Keys()
        at = f"/v1/responses/{(await Process(accounts, keys, AUTH_MODE='anonymous').make()).json['id']}"
        assert (await Process(accounts, keys, AUTH_MODE="anonymous").ask("GET", at)).status == 200
        assert (await Process(accounts, keys, **KEYS).ask("GET", at, headers=ALICE)).code == "response_not_found"

    run(case())


def test_what_is_no_conversation_is_spread_by_chance() -> None:
    async def case() -> None:
        accounts = Accounts()
        process = Process(accounts, Keys(), **KEYS)
        for path in ("embeddings", "chat/completions"):
            accounts.calls.clear()
            for _ in range(40):
                await process.ask("POST", f"/v1/{path}", {"input": "x", "messages": []}, headers=ALICE)
            assert (len({name for name, *_ in accounts.calls}) > 1) == (path == "embeddings")

    run(case())


# Storage.


def test_without_storage_all_but_stored_ids_is_served() -> None:
    async def case() -> None:
        accounts, keys = Accounts(), Keys()
        response_id = (await Process(accounts, keys, **KEYS).make(headers=ALICE)).json["id"]
        process = Process(accounts, keys, **KEYS)
        keys.failure = KeyStoreError("no")
        for body in ({}, {"stream": True}, {"store": False}):
            assert (await process.make(body, headers=ALICE)).status == 200
        before = len(accounts.calls)
        for reply in await every_use(process, response_id, ALICE):
            assert (reply.status, reply.code) == (503, "state_unavailable")
        background = await process.make({"background": True, "store": True}, headers=ALICE)
        assert (background.status, background.code) == (503, "state_unavailable")
        assert len(accounts.calls) == before, "an account was asked"

    run(case())


def test_an_answer_waits_for_the_key_a_bounded_time_and_after_a_failure_not_at_all() -> None:
    async def case() -> list[float]:
        accounts, keys = Accounts(), Keys()
        process = Process(accounts, keys, **KEYS)
        keys.gate.clear()  # the storage never answers
        times = []
        for _ in range(3):
            began = asyncio.get_running_loop().time()
            reply = await process.make(headers=ALICE)
            assert reply.json["id"] in accounts.stored[accounts.calls[-1][0]], "it stays as it came"
            times.append(asyncio.get_running_loop().time() - began)
            process.key_ring._failed_until = 0.0  # the next call may read again
        return times

    first, *later = run(case())
    assert 0.15 < first < 3
    assert max(later) < 0.15


def test_a_slow_storage_is_not_a_slow_account() -> None:
    async def case() -> None:
        accounts, keys = Accounts(), Keys()
        process = Process(accounts, keys, FIRST_CONTENT_SECONDS="0.05", **KEYS)
        keys.gate.clear()  # the storage never answers, for 0.2 s
        assert (await process.make({"stream": True}, headers=ALICE)).status == 200
        assert len(accounts.calls) == 1

    run(case())


def test_the_key_is_read_while_the_account_is_asked() -> None:
    async def case() -> None:
        accounts, keys = Accounts(), Keys()
        real = accounts.open

        async def slow(*asked: Any) -> Any:
            async with asyncio.timeout(5):
                await keys.is_read.wait()  # or it never answers
            return await real(*asked)

        accounts.open = slow  # type: ignore[assignment, method-assign]
        made = await Process(accounts, keys, **KEYS).make(headers=ALICE)
        assert made.json["id"] not in accounts.stored[accounts.calls[0][0]]

    run(case())


def test_a_response_that_is_too_large_to_be_held_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.openai_api.relay.MAX_BUFFERED_BYTES", 100)
    reply = run(Process(Accounts(), Keys(), **KEYS).make(headers=ALICE))
    assert (reply.status, reply.code) == (502, "upstream_frame_too_large")


def test_json_values_keep_their_spelling_where_an_id_is_signed() -> None:
    async def case() -> Reply:
        accounts = Accounts()
        odd = b'{ "big": 1e400, "id" : "resp_1", "text": "\\ud800 \\u0041", "object":"response" }'
        accounts.open = lambda *_: respond(odd)  # type: ignore[method-assign]
        return await Process(accounts, Keys(), **KEYS).make(headers=ALICE)

    async def respond(body: bytes) -> Any:
        from shared.upstream.call import UpstreamResponse
        from tests.openai_api.accounts import Body

        return UpstreamResponse(200, {"content-type": "application/json"}, Body([body]))

    reply = run(case())
    assert b"1e400" in reply.body
    assert b'"\\ud800 \\u0041"' in reply.body
    assert b'"resp_1"' not in reply.body
    assert json.loads(reply.body.replace(b"1e400", b"1"))["object"] == "response"
