"""The OpenAI API in this process, before accounts that keep responses in a dict; and what a caller gets of it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.types import Message

from shared.config.backends import Backend
from shared.config.settings import Settings
from shared.errors import ErrorObject, UpstreamErrorResponse
from shared.http.context import RequestContext
from shared.http.open_streams import OpenStreams
from shared.openai_api.endpoint import OpenAIEndpoint
from shared.state.signing_key import SECRET_BYTES, KeyRing, KeyStore, KeyStoreError
from shared.upstream.attempts import Upstream
from shared.upstream.call import UpstreamCall, UpstreamResponse
from shared.upstream.pool import BackendPool

JSON = {"content-type": "application/json"}
SECRET = bytes(range(SECRET_BYTES))


class Keys:
    """A store in memory; the same one for every process that is given it. `failure`: what each access raises."""

    def __init__(self) -> None:
        self.secrets: dict[int, bytes] = {1: SECRET}
        self.failure: KeyStoreError | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.reads = 0
        self.is_read = asyncio.Event()

    async def read(self) -> Mapping[int, bytes]:
        self.reads += 1
        self.is_read.set()
        await self.gate.wait()
        if self.failure:
            raise self.failure
        return dict(self.secrets)

    async def add(self, number: int, secret: bytes) -> None:
        self.secrets.setdefault(number, secret)


class Body:
    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def read(self) -> bytes:
        await asyncio.sleep(0)
        return self._pieces.pop(0) if self._pieces else b""

    def at_end(self) -> bool:
        return not self._pieces

    def hang_up(self) -> None:
        """Nobody is there."""

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Accounts:
    """The clients of all backends. Each keeps what it answered, by id."""

    stored: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    calls: list[tuple[str, str, str, Any]] = field(default_factory=list)
    """Backend, method, path and body of each call."""
    down: dict[str, UpstreamErrorResponse] = field(default_factory=dict)

    async def load(self) -> None:
        """Nothing is slow."""

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        raw = call.body(backend, deployment)
        body: Any = json.loads(raw) if raw else None
        self.calls.append((backend.name, call.method, call.path, body))
        if backend.name in self.down:
            raise self.down[backend.name]
        responses = self.stored.setdefault(backend.name, {})
        if call.path == "responses":
            return self._answer(backend.name, responses, body)
        if not call.path.startswith("responses/"):
            return _whole({"id": "chatcmpl_1", "choices": []})
        _, response_id, *rest = call.path.split("/")
        if response_id not in responses:
            raise _error(404, f"Response with id '{response_id}' not found.", None)
        found = responses[response_id]
        if call.method == "DELETE":
            del responses[response_id]
            return _whole({"id": response_id, "object": "response", "deleted": True})
        if rest == ["input_items"]:
            items = {"object": "list", "data": [{"id": "msg_1"}], "first_id": "msg_1", "last_id": response_id}
            return _whole(items | {"query": list(call.query)})
        return _stream(found) if call.streams else _whole(found)

    async def aclose(self) -> None:
        """Nothing is open."""

    def _answer(self, name: str, responses: dict[str, Any], body: dict[str, Any]) -> UpstreamResponse:
        previous = body.get("previous_response_id")
        if previous is not None and previous not in responses:
            raise _error(400, f"Previous response with id '{previous}' not found.", "previous_response_not_found")
        response_id = f"resp_{name}{sum(map(len, self.stored.values())):032x}"
        made = {"id": response_id, "object": "response", "status": "completed", "previous_response_id": previous}
        made["output"] = [{"type": "message", "content": [{"type": "output_text", "text": response_id}]}]
        if body.get("store") is not False:
            responses[response_id] = made
        return _stream(made) if body.get("stream") else _whole(made)


def _error(status: int, message: str, code: str | None) -> UpstreamErrorResponse:
    error = ErrorObject(message, "invalid_request_error", code)
    return UpstreamErrorResponse(
        status=status, error=error, raw_body=json.dumps({"error": {"message": message}}).encode()
    )


def _whole(value: Any) -> UpstreamResponse:
    data = json.dumps(value, indent=1).encode()
    headers = {"content-type": "application/json", "content-length": str(len(data))}
    return UpstreamResponse(200, headers, Body([data[:40], data[40:]]))


DELTA = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"resp_hi"}\n\n'


def _stream(made: dict[str, Any]) -> UpstreamResponse:
    def event(kind: str) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, 'response': made})}\n\n".encode()

    pieces = [event("response.created"), event("response.in_progress"), DELTA, event("response.completed")]
    return UpstreamResponse(200, {"content-type": "text/event-stream"}, Body(pieces))


@dataclass(frozen=True, slots=True)
class Reply:
    """What a caller got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        lines = self.body.decode().split("\n")
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

    @property
    def code(self) -> str | None:
        return str(self.json["error"]["code"])


class Process:
    """One process of the app: what it knows is gone with it. Its accounts and keys are not its own."""

    def __init__(
        self, accounts: Accounts, keys: KeyStore, *, names: tuple[str, ...] = ("a", "b", "c"), **env: str
    ) -> None:
        backends = json.dumps([{"name": name, "endpoint": f"https://{name}.openai.azure.com"} for name in names])
        self.settings = Settings.from_env({"AZURE_OPENAI_BACKENDS": backends, "AZURE_OPENAI_DEPLOYMENT": "m", **env})
        upstream = Upstream(accounts, BackendPool(self.settings.backends), self.settings)
        self.key_ring = KeyRing(lambda: keys, read_seconds=0.2)
        self._endpoint = OpenAIEndpoint(self.settings, upstream, OpenStreams(0), self.key_ring)

    async def ask(
        self, method: str, path: str, body: Any = None, *, query: str = "", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request, to its end."""
        raw = [(name.encode(), value.encode("latin-1")) for name, value in {**JSON, **(headers or {})}.items()]
        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": raw}
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        received = [{"type": "http.request", "body": data, "more_body": False}]
        sent: list[Message] = []

        async def receive() -> Message:
            if not received:
                await asyncio.Event().wait()
            return received.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        response = self._endpoint.respond(RequestContext.of(Request(scope), "i", {}))
        await response({"type": "http"}, receive, send)
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Reply(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))

    async def make(self, body: Any = None, **more: Any) -> Reply:
        """A new response."""
        return await self.ask("POST", "/v1/responses", {"input": "hi", **(body or {})}, **more)
