"""The openai client over the transport, against an upstream on this machine: what goes up, and what errors become."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from shared.config.settings import Settings
from shared.errors import AnswerError, UpstreamErrorResponse, UpstreamUnreachable
from shared.upstream.call import UpstreamCall, UpstreamResponse
from shared.upstream.client import OpenAIClients
from tests.upstream.loopback import serving
from tests.worker.raw_upstream import HANG, RESET, RawUpstream, answer, chunked

PATIENCE_SECONDS = 30.0
CALL = UpstreamCall(path="chat/completions", body=lambda _backend, deployment: f'{{"model":"{deployment}"}}'.encode())
JSON = "content-type: application/json\r\n"
CLOSE = "connection: close\r\n"


@pytest.fixture(scope="module")
def raw() -> Iterator[RawUpstream]:
    with RawUpstream() as upstream:
        yield upstream


def run[T](env: dict[str, str], case: Callable[[OpenAIClients, Settings], Awaitable[T]]) -> T:
    async def main() -> T:
        settings = Settings.from_env({"AUTH_MODE": "anonymous"} | env)
        clients = OpenAIClients(settings)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await clients.load()
                return await case(clients, settings)
        finally:
            await clients.aclose()

    return asyncio.run(main())


def ask(raw: RawUpstream, call: UpstreamCall = CALL, **env: str) -> tuple[UpstreamResponse, bytes]:
    """Send one call; return the response and its whole body."""

    async def case(clients: OpenAIClients, settings: Settings) -> tuple[UpstreamResponse, bytes]:
        response = await clients.open(settings.backends[0], call, "gpt-east")
        found = b""
        while data := await response.body.read():
            found += data
        response.body.close()
        return response, found

    return run({"OPENAI_BASE_URL": f"{raw.url}/v1"} | env, case)


def failure(raw: RawUpstream, call: UpstreamCall = CALL) -> AnswerError:
    with pytest.raises(AnswerError) as caught:
        ask(raw, call)
    return caught.value


def test_a_call_goes_up_once_with_its_body_and_comes_back_as_a_stream(raw: RawUpstream) -> None:
    raw.play(chunked(b"data: x\n\n"))
    response, body = ask(raw)
    assert (response.status, response.headers["content-type"], body) == (200, "text/event-stream", b"data: x\n\n")
    (sent,) = raw.requests
    assert sent.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert sent.endswith(b'\r\n\r\n{"model":"gpt-east"}')
    assert b"accept-encoding: identity" in sent.lower()


def test_azure_is_asked_at_its_own_address_with_the_key_of_a_developer(raw: RawUpstream) -> None:
    raw.play(answer(b"{}"))
    run(
        {"AZURE_OPENAI_ENDPOINT": raw.url, "AZURE_OPENAI_API_KEY": "developers-key"},
        lambda clients, settings: clients.open(settings.backends[0], CALL, "gpt-east"),
    )
    (sent,) = raw.requests
    assert sent.startswith(b"POST /openai/v1/chat/completions HTTP/1.1\r\n")
    assert b"authorization: bearer developers-key\r\n" in sent.lower()


def test_the_identitys_token_goes_up_and_is_fetched_once(raw: RawUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawUpstream() as identity:
        token = {
            "access_token": "token-of-the-identity",
            "expires_on": "4102444800",
            "resource": "r",
            "token_type": "Bearer",
        }
        identity.play(answer(json.dumps(token).encode(), headers=JSON))
        endpoint = {"IDENTITY_ENDPOINT": f"{identity.url}/msi/token", "IDENTITY_HEADER": "h"}
        for name, value in endpoint.items():
            monkeypatch.setenv(name, value)

        async def case(clients: OpenAIClients, settings: Settings) -> None:
            for backend in (settings.backends[0], settings.backends[0]):
                (await clients.open(backend, CALL, "gpt-east")).body.close()

        raw.play(answer(b"{}", headers=CLOSE))
        run({"AZURE_OPENAI_ENDPOINT": raw.url} | endpoint, case)
        assert len(identity.requests) == 1
        assert b"resource=https://cognitiveservices.azure.com " in identity.requests[0]
    assert all(b"authorization: bearer token-of-the-identity\r\n" in sent.lower() for sent in raw.requests)
    assert len(raw.requests) == 2


def test_a_query_may_name_a_value_more_than_once(raw: RawUpstream) -> None:
    raw.play(answer(b"{}", headers=JSON))
    call = UpstreamCall(method="GET", path="responses/r/input_items", query=[("include[]", "a"), ("include[]", "b")])
    ask(raw, call)
    assert raw.requests[0].startswith(b"GET /v1/responses/r/input_items?include%5B%5D=a&include%5B%5D=b HTTP/1.1\r\n")


def test_a_delete_is_read_at_once(raw: RawUpstream) -> None:
    raw.play(answer(b'{"deleted":true}', headers=JSON))
    response, body = ask(raw, UpstreamCall(method="DELETE", path="responses/r"))
    assert (response.status, body) == (200, b'{"deleted":true}')
    assert raw.requests[0].startswith(b"DELETE /v1/responses/r HTTP/1.1\r\n")


def test_an_error_status_keeps_its_body_and_its_retry_after_and_is_not_retried(raw: RawUpstream) -> None:
    body = b'{"error":{"message":"Slow down.","code":"429"}}'
    raw.play(answer(body, status="429 Too Many Requests", headers=JSON + "retry-after-ms: 1500\r\n"))
    error = failure(raw)
    assert isinstance(error, UpstreamErrorResponse)
    assert (error.status, error.code, error.raw_body) == (429, "rate_limit_exceeded", body)
    assert error.headers["retry-after-ms"] == "1500"
    assert len(raw.requests) == 1


@pytest.mark.parametrize("steps", [(RESET,), (b"",), (b"\x00nonsense\r\n\r\n",)], ids=["RST", "FIN", "no HTTP"])
def test_a_connection_that_fails_is_unreachable_and_not_retried(
    raw: RawUpstream, steps: tuple[bytes | str, ...]
) -> None:
    raw.play(*steps)
    error = failure(raw)
    assert isinstance(error, UpstreamUnreachable)
    assert raw.url.removeprefix("http://") not in error.message
    assert len(raw.requests) == 1


def test_no_cookie_of_one_answer_goes_up_with_the_next(raw: RawUpstream) -> None:
    async def case(clients: OpenAIClients, settings: Settings) -> None:
        for _ in range(2):
            (await clients.open(settings.backends[0], CALL, "gpt")).body.close()

    raw.play(answer(b"{}", headers=CLOSE + "set-cookie: affinity=secret; Path=/\r\n"))
    run({"OPENAI_BASE_URL": f"{raw.url}/v1"}, case)
    assert not [sent for sent in raw.requests if b"affinity" in sent]


def test_loading_is_done_once_and_outlives_who_asked_for_it_first() -> None:
    async def case(clients: OpenAIClients, _: Settings) -> None:
        again = OpenAIClients(Settings.from_env({"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}))
        first = asyncio.create_task(again.load())
        await asyncio.sleep(0)
        first.cancel()
        await again.load()
        await clients.load()
        await again.aclose()

    run({"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, case)


def test_closing_the_clients_closes_their_connections(raw: RawUpstream) -> None:
    async def case(clients: OpenAIClients, settings: Settings) -> None:
        await clients.open(settings.backends[0], CALL, "gpt")

    raw.play(chunked(b"first", is_complete=False), HANG)
    run({"OPENAI_BASE_URL": f"{raw.url}/v1"}, case)


class Form:
    """A form in two pieces; `times`: how often it was asked for."""

    content_type = "multipart/form-data; boundary=x-y"
    size = 6
    times = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.times += 1
        yield b"--x"
        yield b"-y."


def test_a_form_goes_up_in_pieces_with_its_length_and_its_own_type_to_a_whole_address(raw: RawUpstream) -> None:
    form = Form()
    raw.play(answer(b"{}", headers=JSON))
    call = UpstreamCall(
        path="images/edits",
        address=lambda _backend, deployment: f"{raw.url}/openai/deployments/{deployment}/images/edits?api-version=v",
        upload=lambda _backend, _deployment: form,
        streams=False,
    )
    assert ask(raw, call)[1] == b"{}"
    (sent,) = raw.requests
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /openai/deployments/gpt-east/images/edits?api-version=v HTTP/1.1\r\n")
    lines = [line for line in head.lower().split(b"\r\n") if line.startswith((b"content-", b"transfer-", b"x-form"))]
    assert sorted(lines) == [b"content-length: 6", b"content-type: multipart/form-data; boundary=x-y"]
    assert (body, form.times) == (b"--x-y.", 1)


def test_an_answer_that_comes_while_the_form_goes_up_is_read(raw: RawUpstream) -> None:
    class Endless(Form):
        size = 1 << 30

        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65536

    early = answer(b'{"error":{"code":"too_large","message":"No."}}', status="413 Too Large", headers=JSON + CLOSE)

    async def case(clients: OpenAIClients, settings: Settings) -> AnswerError:
        async with serving(refusing) as url:
            call = UpstreamCall(path=f"{url}/v1/images/edits", upload=lambda _backend, _deployment: Endless())
            with pytest.raises(AnswerError) as caught:
                await clients.open(settings.backends[0], call, "d")
            return caught.value

    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(early)
        await writer.drain()
        while await reader.read(1 << 16):  # until the client gives up its form
            pass

    error = run({"OPENAI_BASE_URL": f"{raw.url}/v1"}, case)
    assert (error.status, error.code) == (413, "too_large")
