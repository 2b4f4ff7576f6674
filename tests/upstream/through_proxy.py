"""An account with TLS, asked through a proxy, all on this machine: run with SSL_CERT_FILE, prints what each saw as JSON."""

import asyncio
import json
import ssl
import sys

import httpx2
import uvloop

from shared.config.proxies import Proxies
from shared.upstream.transport import AiohttpTransport, body_of
from tests.upstream.loopback import EVENTS, Replies, read_request, response, serving


async def main(certificate: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    account = Replies([response(b"data: 1\n\n", headers=EVENTS)])
    connects: list[str] = []

    async def tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.start_tls(context)
        await account(reader, writer)

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connects.append((await read_request(reader)).decode())
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await tls(reader, writer)

    async with serving(proxy) as address:
        proxies = Proxies.from_env(
            {"HTTPS_PROXY": address.replace("://", "://user:pass@"), "NO_PROXY": "other.example"}
        )
        transport = AiohttpTransport(proxies)
        bodies = []
        for _ in range(2):  # the second over the same tunnel
            request = httpx2.Request("POST", "https://account.example/openai/v1/x", content=b"{}")
            request.headers["authorization"] = "Bearer of-this-app"
            body, read = body_of(await transport.handle_async_request(request)), b""
            while data := await body.read():
                read += data
            body.close()
            bodies.append(read.decode())
        await transport.aclose()
    print(json.dumps({"connects": connects, "bodies": bodies, "asked": [one.decode() for one in account.requests]}))


uvloop.run(main(sys.argv[1]))
