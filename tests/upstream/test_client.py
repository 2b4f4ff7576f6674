"""The clients of all backends, with the real openai package, before servers of the test's own."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.config.settings import Settings
from shared.errors import (
    IdentityUnavailable,
    ServerStopping,
    UpstreamCut,
    UpstreamErrorResponse,
    UpstreamFailure,
    UpstreamUnreachable,
)
from shared.upstream import client as clients_module
from shared.upstream.call import UpstreamCall, UpstreamResponse
from shared.upstream.client import OpenAIClients
from tests.harness.cells import cells
from tests.upstream.credentials import Credential, until
from tests.upstream.loopback import EVENTS, JSON, OK, Replies, response, serving

CALL = UpstreamCall(path="chat/completions", body=lambda _backend, _deployment: b'{"model":"m"}')
WHOLE = UpstreamCall(path="embeddings", body=CALL.body, streams=False)
UNAUTHORIZED = response(b'{"error":{"message":"no","code":"401"}}', status="401 Unauthorized")


def settings(url: str, **env: str) -> Settings:
    return Settings.from_env({"AZURE_OPENAI_ENDPOINT": url, "IDENTITY_ENDPOINT": "x", "IDENTITY_HEADER": "h"} | env)


def with_clients(
    server: Replies,
    case: Callable[[OpenAIClients, Callable[[UpstreamCall], Awaitable[bytes]]], Awaitable[None]],
    credential: Credential | None = None,
    **env: str,
) -> None:
    async def main() -> None:
        async with serving(server) as url:
            known = settings(url, **env) if "OPENAI_BASE_URL" not in env else settings(url, OPENAI_BASE_URL=f"{url}/v1")
            clients = OpenAIClients(known, credential or Credential())
            await clients.load()

            async def ask(call: UpstreamCall) -> bytes:
                return await read_all(await clients.open(known.backends[0], call, "d"))

            try:
                await case(clients, ask)
            finally:
                await clients.aclose()

    asyncio.run(main())


async def read_all(reply: UpstreamResponse) -> bytes:
    found = b""
    try:
        while data := await reply.body.read():
            found += data
    finally:
        reply.body.close()
    return found


def test_a_call_goes_up_with_the_identitys_token_and_comes_back_as_it_is() -> None:
    server = Replies([response(b"data: x\n\n", headers=EVENTS)])

    async def case(_clients: OpenAIClients, ask: Any) -> None:
        assert await ask(CALL) == b"data: x\n\n"

    with_clients(server, case)
    head = server.requests[0].lower()
    assert head.startswith(b"post /openai/v1/chat/completions http/1.1\r\n")
    assert b"authorization: bearer t1\r\n" in head
    assert b"accept-encoding: identity\r\n" in head


def test_a_server_that_is_not_azures_gets_no_token() -> None:
    server = Replies([response()])

    async def case(_clients: OpenAIClients, ask: Any) -> None:
        await ask(CALL)

    credential = Credential()
    with_clients(server, case, credential, OPENAI_BASE_URL="")
    assert b"authorization: bearer none\r\n" in server.requests[0].lower()
    assert credential.asked == 0


def test_a_rejected_token_is_replaced_and_the_call_sent_once_more() -> None:
    server = Replies([response(), UNAUTHORIZED, response()])

    async def case(_clients: OpenAIClients, ask: Any) -> None:
        assert await ask(CALL) == OK
        assert await ask(CALL) == OK

    credential = Credential()
    with_clients(server, case, credential)
    sent = [request.lower().partition(b"bearer ")[2].partition(b"\r\n")[0] for request in server.requests]
    assert sent == [b"t1", b"t1", b"t2"]
    assert credential.claims == [None, "{}"]


def test_an_upstream_that_rejects_every_token_costs_the_identity_endpoint_one_request_a_minute() -> None:
    server = Replies([UNAUTHORIZED])

    async def case(_clients: OpenAIClients, ask: Any) -> None:
        for _ in range(5):
            with pytest.raises(UpstreamErrorResponse) as caught:
                await ask(CALL)
            assert caught.value.status == 401

    credential = Credential()
    with_clients(server, case, credential)
    assert (credential.asked, len(server.requests)) == (2, 6)


@cells("status", ["403 Forbidden", "429 Busy"])
def test_no_other_status_replaces_a_token(status: str) -> None:
    async def case(_clients: OpenAIClients, ask: Any) -> None:
        with pytest.raises(UpstreamErrorResponse):
            await ask(CALL)

    credential = Credential()
    with_clients(Replies([response(b"{}", status=status)]), case, credential)
    assert credential.asked == 1


def test_an_identity_endpoint_that_hangs_is_blamed_before_the_backend_is() -> None:
    async def case(_clients: OpenAIClients, ask: Any) -> None:
        async with asyncio.timeout(5):
            with pytest.raises(IdentityUnavailable):
                await ask(CALL)

    server = Replies([response()])
    with_clients(server, case, Credential(replies=["hang"]), FIRST_CONTENT_SECONDS="0.2")
    assert server.requests == []


ODD_TYPES = ["application/json; charset=utf-16", "text/html; charset=utf-7", "; ;", "\xe9"]


@cells("content_type", ODD_TYPES)
def test_an_error_response_is_read_whatever_its_content_type(content_type: str) -> None:
    body = json.dumps({"error": {"message": "SECRET", "code": "busy"}}).encode()
    server = Replies([response(body, status="503 Busy", headers=f"content-type: {content_type}\r\n")])

    async def case(_clients: OpenAIClients, ask: Any) -> None:
        with pytest.raises(UpstreamFailure) as caught:
            await ask(CALL)
        assert (caught.value.status, caught.value.code) == (503, "busy")
        assert caught.value.__cause__ is None

    with_clients(server, case)


def test_json_that_ends_early_is_a_cut_only_where_the_connections_end_is_all_there_is() -> None:
    unframed = f"HTTP/1.1 200 OK\r\n{JSON}\r\n".encode() + OK[:-3]

    async def case(_clients: OpenAIClients, ask: Any) -> None:
        with pytest.raises(UpstreamCut):
            await ask(WHOLE)
        assert await ask(CALL) == OK[:-3], "a stream's own translation knows its end"

    with_clients(Replies([unframed], closes=True), case)


def test_a_header_that_cannot_go_up_goes_without_what_is_wrong_with_it() -> None:
    call = UpstreamCall(
        path="chat/completions", body=CALL.body, headers={"x-client-request-id": "a\x01\x7f\u00e9b\r\n"}
    )
    server = Replies([response()])

    async def case(_clients: OpenAIClients, ask: Any) -> None:
        await ask(call)

    with_clients(server, case)
    assert b"x-client-request-id: ab\r\n" in server.requests[0].lower()


def test_an_import_that_fails_once_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bool] = []

    def import_all(*, managed: bool) -> None:
        calls.append(managed)
        if len(calls) == 1:
            raise OSError(24, "Too many open files")

    async def case() -> None:
        clients = OpenAIClients(settings("https://a.openai.azure.com"))
        results = await asyncio.gather(*(clients.load() for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [OSError] * 3
        await asyncio.gather(*(clients.load() for _ in range(3)))
        await clients.load()
        assert len(calls) == 2

    monkeypatch.setattr(clients_module, "_import_all", import_all)
    asyncio.run(case())


def test_closing_closes_everything_and_may_be_repeated() -> None:
    credential = Credential(replies=[None, "hang"], lifetime=200)

    async def case(clients: OpenAIClients, ask: Any) -> None:
        await ask(CALL)
        (tokens,) = clients._tokens.values()
        tokens._renew_at = 0.0
        await tokens.token()
        await until(lambda: credential.asked == 2)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(clients.aclose(), clients.aclose())
        await clients.aclose()
        assert (credential.cancelled, credential.is_closed) == (1, True)
        assert clients._transport is not None
        assert clients._transport._session is not None
        assert clients._transport._session.closed
        assert all(client.is_closed() for client in clients._clients.values())
        assert sum(task.done() for task in others) >= 1
        with pytest.raises(ServerStopping):
            await ask(CALL)

    with_clients(Replies([response()]), case, credential)


def test_clients_that_were_never_asked_close_too() -> None:
    asyncio.run(OpenAIClients(settings("https://a.openai.azure.com")).aclose())


def test_one_part_that_does_not_close_keeps_no_other_open(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(Credential):
        async def close(self) -> None:
            raise RuntimeError("SECRET")

    async def case(clients: OpenAIClients, ask: Any) -> None:
        await ask(CALL)
        await clients.aclose()

    with_clients(Replies([response()]), case, Stuck())
    assert "could be closed: RuntimeError" in caplog.text
    assert "SECRET" not in caplog.text


def test_an_upstream_that_cannot_be_reached_is_told_apart_from_its_client() -> None:
    async def case() -> None:
        known = settings("http://127.0.0.1:1")
        clients = OpenAIClients(known, Credential())
        await clients.load()
        with pytest.raises(UpstreamUnreachable) as caught:
            await clients.open(known.backends[0], CALL, "d")
        assert caught.value.cause == "connection refused"
        await clients.aclose()

    asyncio.run(case())
