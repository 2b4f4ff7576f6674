"""Accounts that keep files, vector stores and conversations, in this process, and two callers of theirs."""

import json
from dataclasses import dataclass, field
from typing import Any

from openai.types import FileObject

from shared.config.backends import Backend
from shared.config.caller_keys import make_caller_key
from shared.openai_api.form import text_part
from shared.upstream.call import UpstreamCall, UpstreamResponse
from shared.upstream.errors import error_from_status
from tests.openai_api.accounts import Accounts, Body, Process

ALICE_KEY, ALICE_ENTRY = make_caller_key("alice")
BOB_KEY, BOB_ENTRY = make_caller_key("bob")
ON: dict[str, Any] = {
    "AUTH_MODE": "keys",
    "CALLER_KEYS": f"{ALICE_ENTRY},{BOB_ENTRY}",
    "OPENAI_STATEFUL": "on",
}
ALICE, BOB = {"api-key": ALICE_KEY}, {"api-key": BOB_KEY}
FORM = {"content-type": "multipart/form-data; boundary=x-y"}
UPLOAD = text_part(b"x-y", "purpose", "user_data") + (
    b'--x-y\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n{"usage":1}\r\n--x-y--\r\n'
)


@dataclass
class ObjectAccounts(Accounts):
    """Accounts that keep objects. Whatever a body names has to be theirs."""

    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By account, then by its own id."""
    asked: list[tuple[str, str, str, Any]] = field(default_factory=list)

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        kept = self.kept.setdefault(backend.name, {})
        raw = call.body(backend, deployment)
        if call.upload is not None:
            raw = b"".join([piece async for piece in call.upload(backend, deployment)])
        body: Any = raw if call.upload is not None else json.loads(raw) if raw else {}
        self.asked.append((backend.name, call.method, call.path, body))
        if backend.name in self.down:
            raise self.down[backend.name]
        known = {"file-own", *kept}
        for word in json.dumps(body if isinstance(body, dict) else {}).split('"') + call.path.split("/"):
            if word.startswith(("assistant-", "vs_", "conv_", "file-")) and word not in known:
                raise error_from_status(404, {}, json.dumps({"error": {"message": f"{word} not found"}}).encode())
        match call.method, call.path.split("/"):
            case "POST", ["files"]:
                return self._make(
                    backend, "assistant-", {"object": "file", "purpose": "user_data", "status": "processed"}
                )
            case "POST", ["vector_stores"]:
                return self._make(backend, "vs_", {"object": "vector_store", "metadata": body.get("metadata")})
            case "POST", ["conversations"]:
                return self._make(backend, "conv_", {"object": "conversation", "metadata": {}})
            case "GET", ["files", _, "content"]:
                return UpstreamResponse(200, {"content-type": "text/html"}, Body([b'{"usage"', b":1}"]))
            case "POST", ["vector_stores", store, "files"]:
                kept[store].setdefault("files", []).append(body["file_id"])
                return json_reply(self._file(store, body["file_id"]))
            case "GET", ["vector_stores", store, "files"]:
                files = kept[store].get("files", [])
                page = {"object": "list", "data": [self._file(store, one) for one in files], "has_more": False}
                return json_reply(page | {"first_id": files[0], "last_id": files[-1], "query": list(call.query)})
            case "POST", ["vector_stores", store, "search"]:
                found = [{"file_id": one, "score": 1, "attributes": body["attributes"]} for one in kept[store]["files"]]
                return json_reply({"object": "vector_store.search_results.page", "data": found})
            case "DELETE", [kind, one]:
                return json_reply({"id": one, "object": f"{kind}.deleted", "deleted": bool(kept.pop(one))})
            case _, ["conversations", talk, "items", *_]:
                return json_reply(
                    {"object": "list", "data": [{"id": "msg_1", "conversation": talk}], "first_id": "msg_1"}
                )
            case _, ["responses"]:
                return json_reply({"id": "resp_1", "object": "response", "sent": body})
            case _, [_, one]:
                return json_reply(kept[one])
        raise AssertionError(call.path)

    def _make(self, backend: Backend, prefix: str, fields: dict[str, Any]) -> UpstreamResponse:
        made = {"id": f"{prefix}{backend.name}{len(self.asked):04}", "created_at": 1, "status": "completed", **fields}
        self.kept[backend.name][made["id"]] = made
        return json_reply(made)

    def _file(self, store: str, file: str) -> dict[str, Any]:
        kept = {"id": file, "object": "vector_store.file", "vector_store_id": store, "usage_bytes": 1e400}
        return {**kept, "usage_bytes": 7, "created_at": 1, "status": "completed", "last_error": None}


def json_reply(value: Any) -> UpstreamResponse:
    data = json.dumps(value).encode()
    return UpstreamResponse(200, {"content-type": "application/json", "content-length": str(len(data))}, Body([data]))


async def upload(process: Process, headers: dict[str, str] = ALICE) -> str:
    made = await process.ask("POST", "/v1/files", UPLOAD, headers={**headers, **FORM})
    assert made.status == 200, made.body
    return str(FileObject.model_validate(made.json | {"bytes": 1, "filename": "a.txt"}).id)
