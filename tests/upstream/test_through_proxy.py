"""A forward proxy between this app and the model's service."""

import asyncio
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

import httpx2
import pytest
from azure.core.credentials_async import AsyncTokenCredential

from dev.simulator.control import Simulator
from shared.config.proxies import DIRECT, Proxies
from shared.errors import UpstreamFailure, UpstreamUnreachable
from shared.upstream.identity import make_credential
from shared.upstream.transport import AiohttpTransport
from tests.certificates import write_certificate
from tests.harness.cells import cells
from tests.upstream.loopback import OK, Replies, response, serving

ROOT = Path(__file__).resolve().parents[2]
SECRET = "user:secret"


def test_an_account_is_asked_through_the_proxy_by_connect_and_only_the_proxy_gets_its_credentials(
    tmp_path: Path,
) -> None:
    certificate = write_certificate(tmp_path / "account.pem", "account.example")
    done = subprocess.run(
        [sys.executable, "-m", "tests.upstream.through_proxy", str(certificate)],
        cwd=ROOT,
        env=os.environ | {"SSL_CERT_FILE": str(certificate)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    (connect,) = seen["connects"]
    assert connect.startswith("CONNECT account.example:443 HTTP/1.1\r\n")
    assert "proxy-authorization: basic dXNlcjpwYXNz".lower() in connect.lower()
    assert "of-this-app" not in connect
    assert seen["bodies"] == ["data: 1\n\n"] * 2
    assert [request.partition(" HTTP")[0] for request in seen["asked"]] == ["POST /openai/v1/x"] * 2
    assert all("Bearer of-this-app" in request and "roxy-" not in request for request in seen["asked"])


async def failure(proxies: Proxies, url: str = "https://account.example/x") -> UpstreamFailure:
    transport = AiohttpTransport(proxies)
    try:
        with pytest.raises(UpstreamFailure) as caught:
            await transport.handle_async_request(httpx2.Request("POST", url, content=b"{}"))
        return caught.value
    finally:
        await transport.aclose()


@cells("status", ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway"])
def test_a_proxy_that_refuses_is_named_as_the_cause_and_nothing_of_it_is_shown(status: str) -> None:
    async def case() -> None:
        page = b"<html>proxy.internal denies user</html>"
        async with serving(Replies([response(page, status=status)])) as address:
            error = await failure(Proxies({"https": address.replace("://", f"://{SECRET}@")}))
            assert isinstance(error, UpstreamUnreachable)
            assert error.is_retryable
            assert error.cause == f"the proxy refused the connection (HTTP status {status[:3]})"
            assert error.message == "The model's service could not be reached."
            shown = "".join(traceback.format_exception(error)) + error.cause + error.body().decode()
            assert not [one for one in ("secret", address.removeprefix("http://"), "denies") if one in shown]

    asyncio.run(case())


@cells(
    ("proxy", "cause"),
    [
        (f"http://{SECRET}@127.0.0.1:1", "proxy: connection refused"),
        ("http://proxy.invalid:1", "proxy: name not known"),
    ],
)
def test_a_proxy_that_cannot_be_reached_is_the_cause_and_not_the_account(proxy: str, cause: str) -> None:
    error = asyncio.run(failure(Proxies({"https": proxy})))
    assert (type(error), error.cause) == (UpstreamUnreachable, cause)


def test_what_is_on_this_machine_and_what_no_proxy_lists_is_asked_directly() -> None:
    async def case() -> None:
        async with serving(Replies([response(OK)])) as address:
            transport = AiohttpTransport(Proxies({"http": "http://127.0.0.1:1"}))
            assert (
                await transport.handle_async_request(httpx2.Request("POST", f"{address}/x", content=b"{}"))
            ).status_code == 200
            await transport.aclose()
        direct = await failure(
            Proxies({"https": "http://127.0.0.1:1"}, frozenset({".invalid"})), "https://account.invalid/x"
        )
        assert direct.cause == "name not known"

    asyncio.run(case())


def test_the_environment_is_not_read_again_and_no_netrc_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def case() -> None:
        server = Replies([response(OK)])
        async with serving(server) as address:
            transport = AiohttpTransport(DIRECT)
            await transport.handle_async_request(httpx2.Request("POST", f"{address}/x", content=b"{}"))
            await transport.aclose()
        assert b"uthorization" not in server.requests[0]

    asyncio.run(case())


def test_a_token_is_asked_for_directly_whatever_the_proxies_are(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request carries the identity's secret and the reply a token, in plain HTTP, and both stay on this machine."""
    for name, value in simulator.identity_environment.items():
        monkeypatch.setenv(name, value)  # azure.identity reads them there
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    async def case() -> None:
        proxy = Replies([response(b"", status="502 Bad Gateway")])
        async with serving(proxy) as address:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, address)
            credential: AsyncTokenCredential = make_credential(managed=True, client_id="")
            token = await credential.get_token("https://cognitiveservices.azure.com/.default")
            await credential.close()
        assert token.token
        assert proxy.connections == 0

    asyncio.run(case())
