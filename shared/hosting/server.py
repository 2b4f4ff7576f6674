"""The worker process that this app runs in: what its published libraries leave open, closed from here.

Each change is guarded: where a library has changed its inside, only the improvement is lost, and a line in the log says so.
"""

import asyncio
import gc
import inspect
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.errors import InvocationLost

type Answer = Callable[[Receive, Send], Awaitable[None]]
"""What is left of a response when its request has been routed."""
type _Wait = Callable[[str], Awaitable[Any]]

_log = logging.getLogger(__name__)

_OUTSIDE = "shared.hosting.server.outside"

KEEP_ALIVE_SECONDS = 150
"""Longer than the host keeps an idle connection in its pool, so that it never writes to one that is being closed."""

OTHER_HALF_SECONDS = 10.0
"""How long an invocation waits for its HTTP request, and the request for its invocation.

The host sends both at once, over two connections; its retries of a request end after 1.9 s.
"""


def tune(
    drain: Callable[[], Coroutine[Any, Any, None]],
    warm_up: Callable[[], Awaitable[None]],
    wind_down: Callable[[], Awaitable[None]],
) -> None:
    """Serves with httptools, without the access log (it prints the query, `?code=KEY` included), and drains on SIGTERM.

    No invocation waits for ever.
    """
    bound_waits(_coordinator())
    for chatty in ("httpx2", "azure.identity", "azure.core"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        import uvicorn
        from azurefunctions.extensions.http.fastapi import WebServer
    except ImportError:
        _log.warning("The HTTP streaming extension has changed: its server is used as it is")
        return

    class DrainingServer(uvicorn.Server):
        """Lets the open streams finish when the process is told to stop, and ends the rest honestly."""

        loop: asyncio.AbstractEventLoop
        draining: asyncio.Task[None] | None = None

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """A signal handler: it may only ask the loop to act."""
            self.loop.call_soon_threadsafe(self.drain)
            super().handle_exit(sig, frame)

        def drain(self) -> None:
            """Once, however many signals come."""
            if self.draining is None:
                self.draining = self.loop.create_task(drain())

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """All answers have ended after it; what comes after it, the signal that is raised again cuts off."""
            await super().shutdown(sockets)
            await wind_down()

    async def serve(self: Any) -> None:
        web_app = self.web_app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            outside: list[Answer] = []
            # A copy without a name: what the framework adds to it ends with the framework.
            await web_app({**scope, "path": routable(scope["path"]), _OUTSIDE: outside}, receive, send)
            for answer in outside:
                await answer(receive, send)

        config = uvicorn.Config(
            app,
            host=self.hostname,
            port=self.port,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        server = DrainingServer(config)
        server.loop = asyncio.get_running_loop()
        warming = asyncio.ensure_future(warm_up())
        try:
            await server.serve()
        finally:
            warming.cancel()

    WebServer.serve = serve  # type: ignore[method-assign]


@contextmanager
def importing() -> Iterator[None]:
    """While much is made that stays: no garbage is looked for meanwhile, and never among it.

    Every full collection would look through the hundred thousand objects of imported modules (about 40 ms), and every
    stream would wait for it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


def routable(path: str) -> str:
    """The path in a form that the framework's one route, `/{path:path}`, matches.

    NOTE: its pattern stops at a line feed and needs the slash. The framework would answer 404 by itself, the invocation would
    wait for a request that never comes, and its timeout would kill the worker with every stream in it.
    """
    if "\n" in path:
        path = path.replace("\n", "%0A")
    return path if path.startswith("/") else "/" + path


async def run_outside(scope: Scope, receive: Receive, send: Send, answer: Answer) -> None:
    """Runs the answer once the framework's layers have returned, where the server is ours; right here where it is not.

    A stream has no use for those layers, and they would hold several kilobytes for as long as it is open.
    """
    outside: list[Answer] | None = scope.get(_OUTSIDE)
    if outside is None:
        await answer(receive, send)
    else:
        outside.append(answer)


def forget_invocation(invocation_id: str) -> None:
    """Drops what the worker library would remember of every request for ever (about 2 KB)."""
    references = _references(_coordinator())
    if references is not None:
        references.pop(invocation_id, None)
    else:
        _say_that_requests_are_kept()


class RequestNeverArrived(Exception):
    """The host sent an invocation without its HTTP request: what the invocation fails with."""


def bound_waits(coordinator: Any, seconds: float = OTHER_HALF_SECONDS) -> None:
    """Bound how long the worker library's `HttpCoordinator` waits for the other half of a request.

    The host sends an invocation even where its request never arrives: the host's HTTP client does not send a header value
    outside ASCII, the worker's server answers 400 to a control byte, a client resets its connection. The library waits
    until functionTimeout, when the host kills the worker with every stream in it. Bounded, that invocation fails alone:
    the host logs it once and answers a client that still waits with an empty 500.

    A request whose invocation has failed, or never asks for it, gets a 503. A handler that has its request is not bounded.
    """
    references = _references(coordinator)
    request: Any = getattr(coordinator, "get_http_request_async", None)
    response: Any = getattr(coordinator, "await_http_response_async", None)
    if isinstance(getattr(request, "__self__", None), _BoundedWaits):
        return
    if references is None or not (_takes_invocation_id(request) and _takes_invocation_id(response)):
        _log.warning(
            "The worker library has changed: an invocation whose HTTP request never arrives waits until functionTimeout, "
            "when the host kills this worker with every stream in it"
        )
        return
    bounded = _BoundedWaits(references, request, response, seconds)
    coordinator.get_http_request_async = bounded.request
    coordinator.await_http_response_async = bounded.response


class _BoundedWaits:
    """The coordinator's two waits with an end, after which nothing of the request stays in `references`."""

    def __init__(self, references: dict[str, Any], request: _Wait, response: _Wait, seconds: float) -> None:
        self._references = references
        self._request, self._response = request, response
        self._seconds = seconds

    async def request(self, invoc_id: str) -> Any:
        """Return the HTTP request of the invocation, or raise RequestNeverArrived."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._request(invoc_id)
        except TimeoutError:
            # Kept for as long again: the library stores the failure there, where a late request finds it at once.
            asyncio.get_running_loop().call_later(self._seconds, self._references.pop, invoc_id, None)
            message = f"The HTTP request of this invocation did not arrive within {self._seconds:g} s"
            raise RequestNeverArrived(message) from None

    async def response(self, invoc_id: str) -> Any:
        """Return what the handler returned or raised, or a 503 where no handler is at work."""
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._response(invoc_id)
        except TimeoutError:
            reference = self._references.get(invoc_id)
            if reference is not None and getattr(reference, "http_request", None) is None:
                return await self._response(invoc_id)  # the handler has taken the request, and is at work
            self._references.pop(invoc_id, None)
            return _no_invocation()
        return _no_invocation() if isinstance(response, RequestNeverArrived) else response


def _no_invocation() -> Response:
    error = InvocationLost("The Functions host started no invocation for this request in time. Try again.")
    return Response(error.body(), error.status, media_type="application/json")


def _coordinator() -> Any:
    return getattr(sys.modules.get("azure_functions_runtime.http_v2"), "http_coordinator", None)


def _references(coordinator: Any) -> dict[str, Any] | None:
    references = getattr(coordinator, "_context_references", None)
    return references if isinstance(references, dict) else None


def _takes_invocation_id(wait: Any) -> bool:
    return inspect.iscoroutinefunction(wait) and list(inspect.signature(wait).parameters) == ["invoc_id"]


@cache
def _say_that_requests_are_kept() -> None:
    """Once."""
    _log.warning("The worker library has changed: it keeps about 2 KB of every request for ever")
