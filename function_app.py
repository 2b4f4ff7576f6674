"""Routes for the Functions host to index, and nothing else. The product is in `shared`.

Rules of this file: every route names its methods (for one that the worker's server or framework does not take, such as
PROPFIND, the host would start an invocation that waits for its request in vain); `unmatched` stays the last name, because the
host asks the functions in the order of their names; annotations are plain classes, because they are resolved at run time.
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
    return service.chat(req, context.invocation_id, context.trace_context)


@app.route(route="chat/stream", methods=["POST"], auth_level=CALLERS)
async def chat_stream(req: Request, context: func.Context) -> Response:
    """Answer like `chat`, always as a stream."""
    return service.chat(req, context.invocation_id, context.trace_context, must_stream=True)


@app.route(route="stream", methods=["POST"], auth_level=CALLERS)
async def stream(req: Request, context: func.Context) -> Response:
    """Answer like `chat`, always as a stream."""
    return service.chat(req, context.invocation_id, context.trace_context, must_stream=True)


@app.route(route="chat/{*rest}", methods=["GET"], auth_level=ANYONE)
async def chat_by_get(req: Request, context: func.Context) -> Response:
    """Say how to ask, to whoever opens the address in a browser: without a key, the host's own answer would be an empty 401."""
    return service.unmatched(req, context.invocation_id)


@app.route(route="chat/answers/{*rest}", methods=["GET"], auth_level=CALLERS)
async def answer_again(req: Request, context: func.Context) -> Response:
    """Take an answer up again; its name comes before that of `chat_by_get`, which asks for no key."""
    return service.unmatched(req, context.invocation_id, context.trace_context)


@app.route(route="chat/{id}/stream", methods=["GET"], auth_level=CALLERS)
async def answer_of_chat_again(req: Request, context: func.Context) -> Response:
    """Take an answer up again as `useChat` asks."""
    return service.unmatched(req, context.invocation_id, context.trace_context)


@app.route(route="stream", methods=["GET"], auth_level=ANYONE)
async def stream_by_get(req: Request, context: func.Context) -> Response:
    """Say how to ask."""
    return service.unmatched(req, context.invocation_id)


@app.route(route="v1/{*path}", methods=["GET", "HEAD", "POST", "DELETE"], auth_level=CALLERS)
async def openai(req: Request, context: func.Context) -> Response:
    """Serve OpenAI's API at OpenAI's paths."""
    return service.openai(req, context.invocation_id, context.trace_context)


@app.route(route="openai/{*path}", methods=["GET", "HEAD", "POST", "DELETE"], auth_level=CALLERS)
async def openai_azure_paths(req: Request, context: func.Context) -> Response:
    """Serve OpenAI's API at Azure OpenAI's paths."""
    return service.openai(req, context.invocation_id, context.trace_context)


@app.route(route="usage", methods=["GET", "HEAD"], auth_level=CALLERS)
async def caller_usage(req: Request, context: func.Context) -> Response:
    """Tell what the caller has used, and what is left of its limits."""
    return service.usage(req, context.invocation_id)


@app.route(route="health", methods=["GET", "HEAD"], auth_level=ANYONE)
async def health(req: Request, context: func.Context) -> Response:
    """Report whether this instance can serve requests."""
    return service.health(req, context.invocation_id)


@app.route(route="{ignored:maxlength(0)?}", methods=["GET", "HEAD"], auth_level=ANYONE)
async def home(req: Request, context: func.Context) -> Response:
    """Serve the chat page at the root, which the host matches by a parameter that can only be empty."""
    return service.home(req, context.invocation_id)


@app.route(route="page/{*file}", methods=["GET", "HEAD"], auth_level=ANYONE)
async def page(req: Request, context: func.Context) -> Response:
    """Serve the chat page's files; the page itself is at the root."""
    return service.page(req, context.invocation_id)


@app.route(route="{*path}", methods=["OPTIONS"], auth_level=ANYONE)
async def preflight(req: Request, context: func.Context) -> Response:
    """Answer CORS preflight requests. Browsers send them without credentials, so none are required."""
    return service.preflight(req, context.invocation_id)


@app.route(route="{*path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], auth_level=CALLERS)
async def unmatched(req: Request, context: func.Context) -> Response:
    """Answer every other address that the host hands over, so that each gets an error in JSON or what it means."""
    return service.unmatched(req, context.invocation_id, context.trace_context)
