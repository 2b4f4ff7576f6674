"""Routes for the Functions host to index, and nothing else. The product is in `shared`.

Rules of this file: every route names its methods (without them an unexpected method hangs the invocation, and its timeout
kills the worker with every stream in it); no route reaches FastAPI's own pages; annotations are plain classes, because the
worker resolves them at run time.
"""

import os

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

from shared.hosting.installation import install
from shared.service import service_from_env

service = service_from_env(os.environ)
install(service, os.environ)
app = func.FunctionApp()
CALLERS = func.AuthLevel.FUNCTION if service.host_checks_keys else func.AuthLevel.ANONYMOUS
ANYONE = func.AuthLevel.ANONYMOUS


@app.route(route="chat", methods=["POST"], auth_level=CALLERS)
async def chat(req: Request, context: func.Context) -> Response:
    """Answer a chat request in the format the caller accepts, streaming or not."""
    return service.chat(req, context.invocation_id)


@app.route(route="chat/stream", methods=["POST"], auth_level=CALLERS)
async def chat_stream(req: Request, context: func.Context) -> Response:
    """Answer like `chat`, always as a stream."""
    return service.chat(req, context.invocation_id, must_stream=True)


@app.route(route="stream", methods=["POST"], auth_level=CALLERS)
async def stream(req: Request, context: func.Context) -> Response:
    """Answer like `chat`, always as a stream."""
    return service.chat(req, context.invocation_id, must_stream=True)


@app.route(route="v1/{*path}", methods=["GET", "POST", "DELETE"], auth_level=CALLERS)
async def openai(req: Request, context: func.Context) -> Response:
    """Serve OpenAI's API at OpenAI's paths."""
    return service.openai(req, context.invocation_id)


@app.route(route="openai/{*path}", methods=["GET", "POST", "DELETE"], auth_level=CALLERS)
async def openai_azure_paths(req: Request, context: func.Context) -> Response:
    """Serve OpenAI's API at Azure OpenAI's paths."""
    return service.openai(req, context.invocation_id)


@app.route(route="health", methods=["GET"], auth_level=ANYONE)
async def health(req: Request, context: func.Context) -> Response:
    """Report whether this instance can serve requests."""
    return service.health(req, context.invocation_id)


@app.route(route="{ignored:maxlength(0)?}", methods=["GET"], auth_level=ANYONE)
async def home(req: Request, context: func.Context) -> Response:
    """Serve the chat page at the root, which the host matches by a parameter that can only be empty."""
    return service.home(req, context.invocation_id)


@app.route(route="page/{*file}", methods=["GET"], auth_level=ANYONE)
async def page(req: Request, context: func.Context) -> Response:
    """Serve the chat page's files; the page itself is at the root."""
    return service.page(req, context.invocation_id)


@app.route(route="{*path}", methods=["OPTIONS"], auth_level=ANYONE)
async def preflight(req: Request, context: func.Context) -> Response:
    """Answer CORS preflight requests. Browsers send them without credentials, so none are required."""
    return service.preflight(req, context.invocation_id)
