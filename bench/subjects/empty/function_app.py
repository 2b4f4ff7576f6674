"""An empty function: what the worker itself costs per request."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import PlainTextResponse, Request, Response

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="empty", methods=["POST"])
async def empty(req: Request) -> Response:
    """Reads its request and says one mark, as the shortest answer does."""
    await req.body()
    return PlainTextResponse("@00000000")
