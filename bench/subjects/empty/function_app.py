"""An empty function: the cost of the worker itself per request."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import PlainTextResponse, Request, Response

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="empty", methods=["POST"])
async def empty(req: Request) -> Response:
    """Read the request and return one mark, like the shortest answer."""
    await req.body()
    return PlainTextResponse("@00000000")
