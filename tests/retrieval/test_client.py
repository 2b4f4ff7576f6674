"""The connection to the search service, over real sockets: what goes up, tokens, bounds, and what is left behind."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from shared.config.settings import Settings
from shared.errors import (
    IdentityUnavailable,
    ServerStopping,
    UpstreamCut,
    UpstreamErrorResponse,
    UpstreamFrameTooLarge,
    UpstreamUnreachable,
)
from shared.retrieval import client
from shared.retrieval.client import SearchClient
from tests.harness.cells import cells
from tests.harness.search import SEARCH
from tests.upstream.credentials import Credential, until
from tests.upstream.loopback import Handler, Replies, read_request, response, serving

REJECTED = response(b"", status="401 Unauthorized")


def run[T](handler: Handler, case: Callable[[SearchClient], Awaitable[T]], credential: Credential | None = None) -> T:
    async def main() -> T:
        async with serving(handler) as address:
            settings = Settings.from_env(
                {"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", **SEARCH, "SEARCH_ENDPOINT": address}
            )
            searching = SearchClient(settings, address, credential or Credential())
            try:
                return await case(searching)
            finally:
                await searching.aclose()
                await searching.aclose()

    return asyncio.run(main())


async def ask(searching: SearchClient) -> bytes:
    return await searching.post("/indexes('docs')/docs/search.post.search", b'{"search":"a"}')


def test_the_request_is_keyless_and_names_the_version() -> None:
    server = Replies([response(b'{"value":[]}')])
    assert run(server, ask) == b'{"value":[]}'
    head, _, body = server.requests[0].decode().partition("\r\n\r\n")
    lines = head.lower().split("\r\n")
    assert lines[0].startswith("post /indexes('docs')/docs/search.post.search?api-version=2026-04-01")
    assert {"authorization: bearer t1", "content-type: application/json", "accept-encoding: identity"} <= set(lines)
    assert not [line for line in lines if line.startswith(("api-key", "cookie"))]
    assert json.loads(body) == {"search": "a"}


def test_one_token_and_one_connection_serve_one_search_after_the_other() -> None:
    server, credential = Replies([response(b"{}")]), Credential()

    async def case(searching: SearchClient) -> None:
        for _ in range(5):
            await ask(searching)

    run(server, case, credential)
    assert (server.connections, credential.asked) == (1, 1)
    assert credential.is_closed


def test_a_rejected_token_is_replaced_once() -> None:
    server = Replies([REJECTED, response(b"{}")])
    assert run(server, ask) == b"{}"
    assert [b"Bearer t1" in request or b"bearer t1" in request for request in server.requests] == [True, False]
    server = Replies([REJECTED])
    with pytest.raises(UpstreamErrorResponse):
        run(server, ask)
    assert len(server.requests) == 2


def test_a_token_that_cannot_be_had_is_a_failure_of_the_search() -> None:
    with pytest.raises(IdentityUnavailable):
        run(Replies([response(b"{}")]), ask, Credential(replies=[RuntimeError("no")]))


def test_a_partial_answer_is_an_answer() -> None:
    assert run(Replies([response(b"{}", status="206 Partial Content")]), ask) == b"{}"


@cells("status", ["302 Found", "400 Bad Request", "403 Forbidden", "429 Too Many Requests", "503 Unavailable"])
def test_any_other_status_is_an_error_response(status: str) -> None:
    with pytest.raises(UpstreamErrorResponse) as caught:
        run(
            Replies([response(b"{}", status=status, headers="retry-after: 3\r\nlocation: http://127.0.0.1:1/\r\n")]),
            ask,
        )
    assert caught.value.pause_seconds == 3


def test_half_an_answer_is_cut() -> None:
    with pytest.raises(UpstreamCut):
        run(Replies([response(b"x" * 100)[:-50]], closes=True), ask)


def test_an_answer_that_is_too_large_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_ANSWER_BYTES", 1000)
    with pytest.raises(UpstreamFrameTooLarge):
        run(Replies([response(b"x" * 100_000)]), ask)


def test_a_service_that_is_not_there_is_unreachable() -> None:
    settings = Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", **SEARCH})

    async def main() -> None:
        searching = SearchClient(settings, "http://127.0.0.1:9", Credential())
        with pytest.raises(UpstreamUnreachable):
            await ask(searching)
        await searching.aclose()
        with pytest.raises(ServerStopping):
            await ask(searching)

    asyncio.run(main())


@cells("says", [b"", response(b"x" * 100)[:-50]], ids=["nothing", "half an answer"])
def test_whoever_leaves_closes_the_connection(says: bytes) -> None:
    closed = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        asked.set()
        writer.write(says)
        try:
            await reader.read()
        finally:
            closed.set()

    asked = asyncio.Event()

    async def case(searching: SearchClient) -> None:
        task = asyncio.create_task(ask(searching))
        await until(asked.is_set)
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(closed.is_set)

    run(handler, case)
