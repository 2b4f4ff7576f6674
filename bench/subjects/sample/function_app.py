"""Microsoft's sample for HTTP streams in Python: forward the text of the openai client's typed chunks.

https://learn.microsoft.com/azure/azure-functions/functions-reference-python (HTTP streams), without the sample's pause per
chunk and with its prompt taken from the request.
"""

import os
from collections.abc import AsyncIterator

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, StreamingResponse
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk

client = AsyncOpenAI(
    base_url=os.environ["AZURE_OPENAI_ENDPOINT"] + "/openai/v1/",
    api_key=os.environ["AZURE_OPENAI_API_KEY"],
)
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


async def deltas(chunks: AsyncStream[ChatCompletionChunk]) -> AsyncIterator[str]:
    """Yield the text of the answer in pieces."""
    async for chunk in chunks:
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


@app.route(route="stream", methods=["POST"])
async def stream(req: Request) -> StreamingResponse:
    """Answer the request's messages."""
    body = await req.json()
    chunks = await client.chat.completions.create(
        model=os.environ["AZURE_OPENAI_DEPLOYMENT"], messages=body["messages"], stream=True
    )
    return StreamingResponse(deltas(chunks), media_type="text/event-stream")
