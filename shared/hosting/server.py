"""The worker process that this app runs in: what its published libraries leave open, closed from here.

Each change is guarded: where a library has changed its inside, only the improvement is lost, and a line in the log says so.
"""

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any

from starlette.types import Receive, Scope, Send

type Answer = Callable[[Receive, Send], Awaitable[None]]
"""What is left of a response when its request has been routed."""

_log = logging.getLogger(__name__)

_OUTSIDE = "shared.hosting.server.outside"

KEEP_ALIVE_SECONDS = 150
"""Longer than the host keeps an idle connection in its pool, so that it never writes to one that is being closed."""


def tune(
    drain: Callable[[], Coroutine[Any, Any, None]],
    warm_up: Callable[[], Awaitable[None]],
    wind_down: Callable[[], Awaitable[None]],
) -> None:
    """Serves with httptools, without the access log (it prints the query, `?code=KEY` included), and drains on SIGTERM."""
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
    http_v2 = sys.modules.get("azure_functions_runtime.http_v2")
    references = getattr(getattr(http_v2, "http_coordinator", None), "_context_references", None)
    if isinstance(references, dict):
        references.pop(invocation_id, None)
    else:
        _say_that_requests_are_kept()


@cache
def _say_that_requests_are_kept() -> None:
    """Once."""
    _log.warning("The worker library has changed: it keeps about 2 KB of every request for ever")
