"""What the Functions host indexes: routes, and nothing else. The product is in `shared`.

Rules of this file: every route names its methods (without them an odd verb hangs the invocation, and its timeout kills
the worker with every stream in it); no route reaches FastAPI's own pages; annotations are plain classes, since the worker
resolves them at run time.
"""

import os

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

from shared.service import Service

service = Service.from_env(os.environ)
app = func.FunctionApp()
CALLERS = func.AuthLevel.FUNCTION if service.host_checks_keys else func.AuthLevel.ANONYMOUS
ANYONE = func.AuthLevel.ANONYMOUS


@app.route(route="chat", methods=["POST"], auth_level=CALLERS)
async def chat(req: Request, context: func.Context) -> Response:
    """The answer's deltas, in the format that the caller asks for."""
    return service.chat(req, context.invocation_id)


@app.route(route="chat/stream", methods=["POST"], auth_level=CALLERS)
async def chat_stream(req: Request, context: func.Context) -> Response:
    """As `chat`, and always a stream."""
    return service.chat(req, context.invocation_id, must_stream=True)


@app.route(route="stream", methods=["POST"], auth_level=CALLERS)
async def stream(req: Request, context: func.Context) -> Response:
    """As `chat`, and always a stream."""
    return service.chat(req, context.invocation_id, must_stream=True)


@app.route(route="v1/{*path}", methods=["GET", "POST", "DELETE"], auth_level=CALLERS)
async def openai(req: Request, context: func.Context) -> Response:
    """OpenAI's API, as its clients call it."""
    return service.openai(req, context.invocation_id)


@app.route(route="openai/{*path}", methods=["GET", "POST", "DELETE"], auth_level=CALLERS)
async def openai_azure_paths(req: Request, context: func.Context) -> Response:
    """The same, at the addresses of Azure OpenAI."""
    return service.openai(req, context.invocation_id)


@app.route(route="health", methods=["GET"], auth_level=ANYONE)
async def health(req: Request, context: func.Context) -> Response:
    """Whether this instance can serve."""
    return service.health(req, context.invocation_id)


@app.route(route="{ignored:maxlength(0)?}", methods=["GET"], auth_level=ANYONE)
async def home(req: Request, context: func.Context) -> Response:
    """The root: the host matches it by a parameter that can only be empty."""
    return service.home(req, context.invocation_id)


@app.route(route="page/{*file}", methods=["GET"], auth_level=ANYONE)
async def page(req: Request, context: func.Context) -> Response:
    """The chat page's files; the page itself is at the root."""
    return service.page(req, context.invocation_id)


@app.route(route="{*path}", methods=["OPTIONS"], auth_level=ANYONE)
async def preflight(req: Request, context: func.Context) -> Response:
    """A browser asks before it sends; it brings no key, so no key is asked for."""
    return service.preflight(req, context.invocation_id)
