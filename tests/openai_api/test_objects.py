"""Files, vector stores and conversations belong to one caller and one account, on every instance. In-process."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from openai.types.conversations import Conversation
from openai.types.vector_stores import VectorStoreFile

from shared.openai_api.objects import OBJECTS, find_object
from shared.state.signing_key import KeyStoreError, SigningKey
from shared.state.stored_ids import BATCH, CONVERSATION, FILE, RESPONSE, VECTOR_STORE, StoredIds
from shared.upstream.errors import error_from_status
from tests.harness.cells import cells
from tests.openai_api.accounts import SECRET, Keys, Process
from tests.openai_api.object_accounts import ALICE, BOB, FORM, ON, UPLOAD, ObjectAccounts, upload


def _own(accounts: ObjectAccounts) -> list[str]:
    return [name for kept in accounts.kept.values() for name in kept]


type Case = Callable[[Process, ObjectAccounts], Coroutine[Any, Any, None]]


def run(case: Case, **settings: str) -> ObjectAccounts:
    async def scene() -> ObjectAccounts:
        accounts = ObjectAccounts()
        await case(Process(accounts, Keys(), **{**ON, **settings}), accounts)
        return accounts

    return asyncio.run(scene())


async def store(process: Process, *files: str, headers: dict[str, str] = ALICE) -> str:
    made = await process.ask("POST", "/v1/vector_stores", {"file_ids": list(files)}, headers=headers)
    assert made.status == 200, made.body
    return str(made.json["id"])


def test_an_object_is_its_callers_on_every_instance_and_nobody_elses() -> None:
    async def scene() -> None:
        accounts, keys = ObjectAccounts(), Keys()
        one, other = Process(accounts, keys, **ON), Process(accounts, keys, **ON)
        file = await upload(one)
        vectors = await store(one, file)
        talk = (await one.ask("POST", "/v1/conversations", {}, headers=ALICE)).json["id"]
        assert [name[:5] for name in (file, vectors, talk)] == ["file-", vectors[:5], "conv_"]
        uses: list[tuple[str, str, Any]] = [
            ("GET", f"/v1/files/{file}", None),
            ("GET", f"/v1/files/{file}/content", None),
            ("POST", f"/v1/vector_stores/{vectors}", {"name": "x"}),
            ("POST", f"/v1/vector_stores/{vectors}/files", {"file_id": file}),
            ("GET", f"/openai/v1/vector_stores/{vectors}/files", None),
            ("POST", f"/v1/vector_stores/{vectors}/search", {"query": "x", "attributes": None}),
            ("POST", f"/v1/conversations/{talk}/items", {"items": []}),
            ("POST", "/v1/responses", {"input": "x", "conversation": talk}),
            (
                "POST",
                "/v1/responses",
                {"input": "x", "tools": [{"type": "file_search", "vector_store_ids": [vectors]}]},
            ),
            ("DELETE", f"/v1/conversations/{talk}", None),
        ]
        before = len(accounts.asked)
        for process in (one, other):
            for method, path, body in uses:
                reply = await process.ask(method, path, body, headers=BOB)
                assert (reply.status, reply.code) == (404, "object_not_found"), path
        assert len(accounts.asked) == before, "an account was asked"
        for method, path, body in uses:
            reply = await other.ask(method, path, body, headers=ALICE)
            assert reply.status == 200, (path, reply.body)
        assert len({name for name, *_ in accounts.asked}) == 1

    asyncio.run(scene())


def test_the_accounts_own_ids_are_nobodys() -> None:
    async def case(process: Process, accounts: ObjectAccounts) -> None:
        file = await upload(process)
        vectors = await store(process)
        seen = set(_own(accounts))
        await upload(process, BOB)
        (own,) = set(_own(accounts)) - seen
        before = len(accounts.asked)
        tries: list[tuple[str, str, Any]] = [
            ("GET", f"/v1/files/{own}", None),
            ("POST", "/v1/vector_stores", {"file_ids": [file, own]}),
            ("POST", f"/v1/vector_stores/{vectors}/files", {"file_id": own}),
            ("POST", f"/v1/vector_stores/{vectors}/file_batches", {"files": [{"file_id": own}]}),
            (
                "POST",
                f"/v1/vector_stores/{vectors}/files",
                b'{"file_id":"%b","file\\u005fid":"%b"}' % (file.encode(), own.encode()),
            ),
            ("GET", f"/v1/vector_stores/{file}", None),
            ("GET", f"/v1/files/{vectors}", None),
        ]
        for method, path, body in tries:
            reply = await process.ask(method, path, body, headers=ALICE)
            assert (reply.status, reply.code) == (404, "object_not_found"), path
        assert len(accounts.asked) == before
        # Of two fields the last counts, and goes up alone.
        twice = b'{"file_id":"%b","file_id":"%b"}' % (own.encode(), file.encode())
        assert (await process.ask("POST", f"/v1/vector_stores/{vectors}/files", twice, headers=ALICE)).status == 200
        assert accounts.asked[-1][3]["file_id"] in seen

    run(case)


def test_no_id_of_an_account_comes_down_but_what_the_caller_wrote() -> None:
    async def case(process: Process, accounts: ObjectAccounts) -> None:
        file = await upload(process)
        (own,) = _own(accounts)
        made = await process.ask("POST", "/v1/vector_stores", {"metadata": {"id": own, "file_id": own}}, headers=ALICE)
        vectors = made.json["id"]
        assert made.json["metadata"] == {"id": own, "file_id": own}, "an id that the caller wrote is not made its own"
        at = f"/v1/vector_stores/{vectors}"
        kept = (await process.ask("POST", f"{at}/files", {"file_id": file}, headers=ALICE)).json
        assert (kept["id"], kept["vector_store_id"]) == (file, vectors)
        VectorStoreFile.model_validate(kept)
        page = (await process.ask("GET", f"{at}/files", query=f"after={file}&limit=2", headers=ALICE)).json
        assert [page["data"][0]["id"], page["first_id"], page["last_id"]] == [file, file, file]
        assert page["query"] == [["after", own], ["limit", "2"]]
        found = (await process.ask("POST", f"{at}/search", {"attributes": {"id": own}}, headers=ALICE)).json["data"]
        assert found == [{"file_id": file, "score": 1, "attributes": {"id": own}}]
        talk = (await process.ask("POST", "/v1/conversations", {}, headers=ALICE)).json
        assert Conversation.model_validate(talk).id.startswith("conv_")
        items = await process.ask("GET", f"/v1/conversations/{talk['id']}/items", query="after=msg_0", headers=ALICE)
        assert items.json["first_id"] == "msg_1"
        gone = (await process.ask("DELETE", f"/v1/files/{file}", headers=ALICE)).json
        assert (gone["id"], gone["deleted"]) == (file, True)

    run(case)


def test_a_form_goes_up_as_it_came_and_a_file_comes_down_as_bytes_that_no_browser_runs() -> None:
    async def case(process: Process, accounts: ObjectAccounts) -> None:
        file = await upload(process)
        assert accounts.asked[-1][1:] == ("POST", "files", UPLOAD)
        content = await process.ask("GET", f"/v1/files/{file}/content", headers=ALICE)
        assert (content.status, content.body) == (200, b'{"usage":1}')
        assert "sandbox" in content.headers["content-security-policy"]
        refused = await process.ask("POST", "/v1/files", {"purpose": "x"}, headers=ALICE)
        assert (refused.status, refused.code) == (415, "unsupported_media_type")
        broken = await process.ask("POST", "/v1/files", UPLOAD[:-9], headers={**ALICE, **FORM})
        assert (broken.status, broken.code) == (400, "invalid_request")

    run(case)


def test_a_callers_objects_are_in_one_account_and_what_is_not_together_is_refused() -> None:
    async def case(process: Process, accounts: ObjectAccounts) -> None:
        files = [await upload(process) for _ in range(4)]
        (home,) = {name for name, *_ in accounts.asked}
        accounts.down[home] = error_from_status(503, {}, b"{}")
        elsewhere = await upload(process)
        assert accounts.asked[-1][0] != home
        reply = await process.ask("POST", "/v1/vector_stores", {"file_ids": [files[0], elsewhere]}, headers=ALICE)
        assert (reply.status, "different accounts" in reply.json["error"]["message"]) == (400, True)
        assert (await process.ask("GET", f"/v1/files/{files[0]}", headers=ALICE)).status == 503

    run(case)


@cells("stream", [True, False])
def test_a_model_is_asked_where_the_objects_are_with_the_ids_that_it_knows(*, stream: bool) -> None:
    async def case(process: Process, accounts: ObjectAccounts) -> None:
        file, vectors = await upload(process), await store(process)
        own = {
            kind: next(name for kept in accounts.kept.values() for name in kept if name.startswith(kind))
            for kind in ("a", "v")
        }
        said = [{"role": "user", "content": [{"type": "input_file", "file_id": file}, {"text": f'say "{file}"'}]}]
        tools = [{"type": "file_search", "vector_store_ids": [vectors, "file-own"]}]
        body = {"input": said, "tools": tools, "stream": stream, "store": False}
        await process.ask("POST", "/v1/responses", body, headers=ALICE)
        name, *_, sent = accounts.asked[-1]
        assert name == accounts.asked[0][0]
        assert sent["input"][0]["content"] == [{"type": "input_file", "file_id": own["a"]}, {"text": f'say "{file}"'}]
        assert sent["tools"][0]["vector_store_ids"] == [own["v"], "file-own"], "the operator's own go up as they came"

    run(case)


def test_a_response_and_an_object_of_two_accounts_are_not_asked_for_together() -> None:
    async def case(process: Process, accounts: ObjectAccounts) -> None:
        vectors = await store(process)
        home = accounts.asked[0][0]
        ids = StoredIds([SigningKey(1, SECRET)])
        tools = [{"type": "file_search", "vector_store_ids": [vectors]}]
        for backend in ("a", "b", "c"):
            previous = ids.sign("resp_0", backend=backend, caller="keys:alice")
            reply = await process.make({"previous_response_id": previous, "tools": tools}, headers=ALICE)
            assert reply.status == (200 if backend == home else 400)

    run(case)


def test_lists_of_all_callers_and_what_is_left_out_are_a_404_that_says_so() -> None:
    async def case(process: Process, accounts: ObjectAccounts) -> None:
        for path in ("/v1/files", "/v1/vector_stores", "/v1/batches", "/openai/files"):
            reply = await process.ask("GET", path, headers=ALICE)
            assert (reply.status, "whose they are" in reply.json["error"]["message"]) == (404, True)
        for path in ("/v1/uploads", "/v1/conversations/../x", "/v1/files/x/y"):
            assert (await process.ask("POST", path, {}, headers=ALICE)).code == "not_found"
        assert (await process.ask("GET", "/v1/conversations", headers=ALICE)).status == 405
        assert (await process.ask("POST", "/v1/conversations", {}, headers={"api-key": "x"})).status == 401
        assert accounts.asked == []

    run(case)


def test_nothing_is_made_that_could_not_be_asked_for_again() -> None:
    async def scene() -> None:
        keys = Keys()
        keys.failure = KeyStoreError("No.")
        accounts = ObjectAccounts()
        process = Process(accounts, keys, **ON)
        for path, body, headers in (("files", UPLOAD, FORM), ("vector_stores", {}, {}), ("conversations", {}, {})):
            reply = await process.ask("POST", f"/v1/{path}", body, headers={**ALICE, **headers})
            assert (reply.status, reply.code) == (503, "state_unavailable")
        assert accounts.asked == []

    asyncio.run(scene())


def test_where_the_setting_is_off_all_of_it_is_the_404_of_before() -> None:
    async def case(process: Process, accounts: ObjectAccounts) -> None:
        for path in ("/v1/files", "/v1/vector_stores/vs_1", "/v1/conversations", "/v1/batches"):
            reply = await process.ask("POST", path, {}, headers=ALICE)
            assert (reply.status, "does not serve" in reply.json["error"]["message"]) == (404, True)
        assert accounts.asked == []

    run(case, OPENAI_STATEFUL="off")


@given(st.text(max_size=80), st.sampled_from([FILE, VECTOR_STORE, CONVERSATION, BATCH, RESPONSE]))
def test_no_id_of_one_kind_is_one_of_another(text: str, kind: Any) -> None:
    keys = [SigningKey(1, SECRET)]
    signed = StoredIds(keys, kind).sign(text, backend="a", caller="c")
    for other in (FILE, VECTOR_STORE, CONVERSATION, BATCH, RESPONSE):
        opened = StoredIds(keys, other).open(other.prefix + signed.removeprefix(kind.prefix), caller="c")
        assert (opened is not None) == (other is kind and text != "")


def test_every_path_of_the_table_is_found_and_names_each_of_its_parts() -> None:
    for api in OBJECTS:
        found = find_object(api.path.replace("{", "").replace("}", ""))
        assert found is not None
        assert found.api is api
        assert all(value == name for name, value in found.parts.items())
