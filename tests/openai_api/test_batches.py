"""A batch belongs to its caller and to its file's account; its files can be read, its lines are not. In-process."""

import asyncio
import json
import logging
from typing import Any

import pytest
from openai.types import Batch

from shared.config.backends import Backend
from shared.errors import UpstreamUnreachable
from shared.state.signing_key import KeyStoreError, SigningKey
from shared.state.stored_ids import BATCH, FILE, StoredIds
from shared.upstream.call import UpstreamCall, UpstreamResponse
from shared.upstream.errors import error_from_status
from tests.harness.cells import cells
from tests.openai_api.accounts import SECRET, Keys, Process, Reply
from tests.openai_api.object_accounts import ALICE, BOB, FORM, ON, UPLOAD, ObjectAccounts, json_reply, upload

NEW = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}


class BatchAccounts(ObjectAccounts):
    """Accounts whose batches are complete as soon as they are looked at."""

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        if not call.path.startswith("batches"):
            return await super().open(backend, call, deployment)
        raw = call.body(backend, deployment)
        body = json.loads(raw) if raw else {}
        self.asked.append((backend.name, call.method, call.path, body))
        if backend.name in self.down:
            raise self.down[backend.name]
        kept = self.kept[backend.name]
        _, batch_id, *rest = [*call.path.split("/"), ""]
        if not batch_id:
            assert body["input_file_id"] in kept
            batch_id = f"batch_{backend.name}-{len(self.asked)}"
            kept[batch_id] = {"id": batch_id, "object": "batch", "created_at": 1, "status": "validating", **body}
            kept[batch_id] |= {"output_file_id": None, "error_file_id": ""}
        elif rest[0] == "cancel":
            kept[batch_id] |= {"status": "cancelling"}
        else:
            output = f"file-{batch_id}-output"
            kept[output] = {"id": output, "object": "file", "purpose": "batch_output"}
            kept[batch_id] |= {"status": "completed", "output_file_id": output, "error_file_id": output}
        return json_reply(kept[batch_id])


def _process(accounts: BatchAccounts, keys: Keys | None = None, **settings: str) -> Process:
    return Process(accounts, keys or Keys(), **{**ON, **settings})


async def make(process: Process, file: str, headers: dict[str, str] = ALICE, **more: Any) -> Reply:
    return await process.ask("POST", "/v1/batches", {**NEW, "input_file_id": file, **more}, headers=headers)


def test_a_batch_and_its_files_are_its_callers_on_every_instance_and_nobody_elses() -> None:
    async def scene() -> None:
        accounts, keys = BatchAccounts(), Keys()
        one, other = _process(accounts, keys), _process(accounts, keys)
        file = await upload(one)
        metadata = {"source": file, "id": "file-own"}
        made = await make(one, file, metadata=metadata, output_expires_after={"anchor": "created_at", "seconds": 3600})
        batch = Batch.model_validate(made.json)
        assert (batch.status, batch.input_file_id, batch.output_file_id) == ("validating", file, None)
        assert made.json["metadata"] == metadata, "what the caller wrote stays as it was"
        name, _, _, sent = accounts.asked[-1]
        assert sent["input_file_id"] in accounts.kept[name]
        assert {key: sent[key] for key in NEW} == NEW
        assert sent["output_expires_after"] == {"anchor": "created_at", "seconds": 3600}

        before = len(accounts.asked)
        forged = StoredIds([SigningKey(1, bytes(len(SECRET)))], BATCH)
        nobodys = [
            forged.sign("batch_a-2", backend="a", caller="keys:alice"),
            StoredIds([SigningKey(1, SECRET)], FILE).sign("batch_a-2", backend="a", caller="keys:alice"),
            "batch_never",
            next(own for own in accounts.kept[name] if own.startswith("batch_")),
        ]
        said = set()
        for path in (f"/v1/batches/{one_id}" for one_id in nobodys):
            said.add((await other.ask("GET", path, headers=ALICE)).body)
        for process in (one, other):
            for method, path in (("GET", f"/v1/batches/{batch.id}"), ("POST", f"/openai/batches/{batch.id}/cancel")):
                reply = await process.ask(method, path, headers=BOB)
                assert (reply.status, reply.code) == (404, "object_not_found")
                said.add(reply.body)
        assert len(said) == 1, "a foreign, a forged and an unknown id are told apart"
        assert (await make(one, file, BOB)).code == "object_not_found"
        assert len(accounts.asked) == before, "an account was asked"

        done = Batch.model_validate((await other.ask("GET", f"/openai/v1/batches/{batch.id}", headers=ALICE)).json)
        assert (done.id, done.input_file_id, done.status) == (batch.id, file, "completed")
        assert done.output_file_id == done.error_file_id != None  # noqa: E711 - one comparison of three
        content = f"/v1/files/{done.output_file_id}/content"
        assert (await one.ask("GET", content, headers=ALICE)).body == b'{"usage":1}'
        assert (await one.ask("GET", content, headers=BOB)).code == "object_not_found"
        cancelled = await other.ask("POST", f"/v1/batches/{batch.id}/cancel", headers=ALICE)
        assert (cancelled.json["id"], cancelled.json["status"]) == (batch.id, "cancelling")

    asyncio.run(scene())


@cells(
    ("env", "mine", "theirs"),
    [
        ({"AUTH_MODE": "function"}, {"x-functions-key": "k-1"}, {"x-functions-key": "k-2"}),
        (
            {"AUTH_MODE": "entra", "WEBSITE_AUTH_ENABLED": "True"},
            {"x-ms-client-principal-id": "p-1"},
            {"x-ms-client-principal-id": "p-2"},
        ),
        ({"AUTH_MODE": "anonymous"}, {}, None),
    ],
    ids=["function", "entra", "anonymous"],
)
def test_whose_a_batch_is_depends_on_the_mode_as_for_stored_responses(
    env: dict[str, Any], mine: dict[str, str], theirs: dict[str, str] | None
) -> None:
    async def scene() -> None:
        process = _process(BatchAccounts(), **env)
        made = await make(process, await upload(process, mine), mine)
        at = f"/v1/batches/{made.json['id']}"
        assert (await process.ask("GET", at, headers=mine)).status == 200
        if theirs is not None:
            assert (await process.ask("GET", at, headers=theirs)).code == "object_not_found"

    asyncio.run(scene())


def test_a_batch_goes_to_the_account_of_its_file_and_to_no_other() -> None:
    async def scene() -> None:
        accounts = BatchAccounts()
        process = _process(accounts)
        first = await upload(process)
        home = accounts.asked[0][0]
        accounts.down[home] = error_from_status(503, {}, b"{}")
        second = await upload(process)
        elsewhere = accounts.asked[-1][0]
        assert elsewhere != home
        made = await make(process, second)
        await process.ask("POST", f"/v1/batches/{made.json['id']}/cancel", headers=ALICE)
        assert [name for name, *_ in accounts.asked[-2:]] == [elsewhere, elsewhere]
        refused = await make(process, first)
        assert (refused.status, refused.headers.get("x-should-retry")) == (503, None)
        assert accounts.asked[-1][0] == home

    asyncio.run(scene())


def test_a_batch_is_not_made_twice_where_the_connection_failed() -> None:
    async def scene() -> None:
        accounts = BatchAccounts()
        process = _process(accounts)
        file = await upload(process)
        home = accounts.asked[0][0]
        accounts.down[home] = UpstreamUnreachable("It broke.")  # type: ignore[assignment]
        before = len(accounts.asked)
        made = await make(process, file)
        assert (made.code, made.headers["x-should-retry"]) == ("upstream_unreachable", "false")
        assert len(accounts.asked) == before + 1
        read = await process.ask("GET", f"/v1/files/{file}", headers=ALICE)
        assert (read.code, read.headers.get("x-should-retry")) == ("upstream_unreachable", None)
        assert len(accounts.asked) == before + 3, "reading is tried again"

    asyncio.run(scene())


def test_the_accounts_own_identity_reads_and_writes_no_blob_for_a_caller_and_no_file_of_another() -> None:
    async def scene() -> None:
        accounts = BatchAccounts()
        process = _process(accounts)
        file = await upload(process)
        (own,) = accounts.kept[accounts.asked[0][0]]
        before = len(accounts.asked)
        blob = "https://own.blob.core.windows.net/in/x.jsonl"
        refused: list[tuple[Any, int, str | None]] = [
            ({"input_blob": blob, "input_file_id": None, "output_folder": {"url": blob}}, 400, "input_blob"),
            ({"input_file_id": file, "Input_Blob": blob}, 400, "input_blob"),
            ({"input_file_id": file, "output_folder": {"url": blob}}, 400, "output_folder"),
            ({"input_file_id": file, "Input_File_Id": own}, 400, "input_file_id"),
            ({}, 400, "input_file_id"),
            ({"input_file_id": [file]}, 400, "input_file_id"),
            ({"input_file_id": own}, 404, "input_file_id"),
            (
                b'{"input_file_id":"%b","input\\u005ffile_id":"%b"}' % (file.encode(), own.encode()),
                404,
                "input_file_id",
            ),
            (b"", 400, None),
        ]
        for body, status, param in refused:
            reply = await process.ask("POST", "/v1/batches", body, headers=ALICE)
            assert (reply.status, reply.json["error"]["param"]) == (status, param), body
        assert len(accounts.asked) == before

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("limits", "mode", "allowed"),
    [
        ({"*": {"tokens_per_minute": 1000}}, "enforce", {"alice": False, "bob": False}),
        ({"alice": {"streams": 2}}, "enforce", {"alice": False, "bob": True}),
        ({"*": {"tokens_per_day": 5}, "alice": {}}, "enforce", {"alice": True, "bob": False}),
        ({"*": {"tokens_per_minute": 1000}}, "shadow", {"alice": True, "bob": True}),
    ],
    ids=["of everybody", "of one", "of everybody but one", "tried out"],
)
def test_who_has_limits_makes_no_batch_but_may_look_after_one(
    limits: dict[str, Any], mode: str, allowed: dict[str, bool], caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        accounts, keys = BatchAccounts(), Keys()
        before = _process(accounts, keys)
        now = _process(accounts, keys, CALLER_LIMITS=json.dumps(limits), LIMITS_MODE=mode)
        for name, headers in (("alice", ALICE), ("bob", BOB)):
            file = await upload(now, headers)
            made = await make(before, file, headers)
            asked = len(accounts.asked)
            reply = await make(now, file, headers)
            if allowed[name]:
                assert reply.status == 200
            else:
                error = reply.json["error"]
                assert (reply.status, error["code"], error["type"]) == (
                    403,
                    "batch_not_allowed",
                    "invalid_request_error",
                )
                assert len(accounts.asked) == asked
            assert (await now.ask("POST", f"/v1/batches/{made.json['id']}/cancel", headers=headers)).status == 200

    with caplog.at_level(logging.INFO, "shared.openai_api.batches"):
        asyncio.run(scene())
    told = [record.getMessage() for record in caplog.records if "a batch" in record.getMessage()]
    shadow = ["Would have been refused: caller alice, a batch", "Would have been refused: caller bob, a batch"]
    assert told == (shadow if mode == "shadow" else [])


def test_a_batch_whose_id_could_not_be_signed_is_not_made() -> None:
    async def scene() -> None:
        accounts, keys = BatchAccounts(), Keys()
        file = await upload(_process(accounts, keys))
        keys.failure = KeyStoreError("No.")
        before = len(accounts.asked)
        reply = await make(_process(accounts, keys), file)
        assert (reply.status, reply.code) == (503, "state_unavailable")
        assert len(accounts.asked) == before

    asyncio.run(scene())


def test_a_file_for_a_batch_goes_up_as_any_other_does_unread() -> None:
    async def scene() -> None:
        accounts = BatchAccounts()
        process = _process(accounts)
        form = UPLOAD.replace(b"user_data", b"batch").replace(b'{"usage":1}', b'{"custom_id":"1"}\n\xff not JSON')
        made = await process.ask("POST", "/v1/files", form, headers={**ALICE, **FORM})
        assert made.status == 200
        assert accounts.asked[-1][3] == form

    asyncio.run(scene())
