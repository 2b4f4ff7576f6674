"""A minimal relay on this worker: forward aiohttp's bytes as they arrive. No identity, errors, retries or receipts."""

import os
from collections.abc import AsyncIterator

import aiohttp
import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, StreamingResponse

ADDRESS = os.environ["AZURE_OPENAI_ENDPOINT"] + "/openai/v1/chat/completions"
HEADERS = {"authorization": f"Bearer {os.environ['AZURE_OPENAI_API_KEY']}", "content-type": "application/json"}
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
_sessions: list[aiohttp.ClientSession] = []


def session() -> aiohttp.ClientSession:
    """Return the session of all requests, created on the running loop."""
    if not _sessions:
        _sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
    return _sessions[0]


async def pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the bytes as they arrive."""
    async with response:
        async for piece in response.content.iter_any():
            yield piece


@app.route(route="relay", methods=["POST"])
async def relay(req: Request) -> StreamingResponse:
    """Forward the request's body and the answer unchanged."""
    response = await session().post(ADDRESS, data=await req.body(), headers=HEADERS)
    return StreamingResponse(pieces(response), status_code=response.status, media_type="text/event-stream")
