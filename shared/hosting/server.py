"""The app's own HTTP server inside the worker process, in place of the one that the streaming extension starts."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import partialmethod
from types import FrameType
from typing import Any, Protocol

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

type Layer = Callable[[ASGIApp], ASGIApp]
"""What is put around the framework's app."""

KEEP_ALIVE_SECONDS = 150
"""Longer than the host keeps an idle connection in its pool, so that it never writes to one that is being closed."""


class Lifecycle(Protocol):
    """What belongs to the start and the end of the process."""

    async def warm_up(self) -> None:
        """Load what is slow to load, while requests are served already."""

    async def drain(self) -> None:
        """Let the open streams finish, then end the rest."""

    async def wind_down(self) -> None:
        """Close what is open, within seconds: every answer has ended."""


def install_server(server_class: Any, lifecycle: Lifecycle, layers: Sequence[Layer]) -> None:
    """Make the extension's `WebServer` serve with `serve`. The layers are read when it does, the first innermost."""
    server_class.serve = partialmethod(serve, lifecycle, layers)


def close_pages(app_class: Any) -> None:
    """Make the extension's `WebApp` begin without the framework's own pages: /docs, /redoc, /openapi.json.

    What the framework answers by itself leaves an invocation behind that waits for its request.
    """
    build = app_class.__init__

    def build_without_pages(web_app: Any) -> None:
        build(web_app)
        web_app.get_app().router.routes.clear()

    app_class.__init__ = build_without_pages


async def serve(web_server: Any, lifecycle: Lifecycle, layers: Sequence[Layer]) -> None:
    """Serve with httptools, without the access log, and drain on SIGTERM."""
    app: ASGIApp = web_server.web_app
    for layer in layers:
        app = layer(app)
    config = uvicorn.Config(
        app,
        host=web_server.hostname,
        port=web_server.port,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    await DrainingServer(config, lifecycle).serve()


class DrainingServer(uvicorn.Server):
    """Lets the open streams finish when the process is told to stop, and ends the rest honestly.

    Where its event loop is not on the main thread uvicorn installs no signal handlers, and nothing drains.
    """

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle) -> None:
        """Take part in the `lifecycle` of the process."""
        super().__init__(config)
        self._lifecycle = lifecycle
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal comes, and warm up meanwhile."""
        self._loop = asyncio.get_running_loop()
        warming = self._loop.create_task(self._lifecycle.warm_up())
        try:
            await super().serve(sockets)
        finally:
            warming.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle a signal: that may only ask the loop to act."""
        self._loop.call_soon_threadsafe(self._drain)
        super().handle_exit(sig, frame)

    def _drain(self) -> None:
        """Drain once, however many signals come."""
        if self._draining is None:
            self._draining = self._loop.create_task(self._lifecycle.drain())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wind down once all answers have ended; what would come after it, the signal that is raised again cuts off."""
        await super().shutdown(sockets)
        await self._lifecycle.wind_down()


class NormalizedPaths:
    """An ASGI app around the framework's that passes only paths which the framework's one route matches."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand around `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Change the path of the scope in place."""
        scope["path"] = normalize_path(scope["path"])
        await self._app(scope, receive, send)


def normalize_path(path: str) -> str:
    """Return the path in a form that the framework's one route, `/{path:path}`, matches.

    NOTE: its pattern stops at a line feed and needs the slash. The framework would answer 404 by itself, the invocation would
    wait for a request that never comes, and its timeout would kill the worker with every stream in it.
    """
    if "\n" in path:
        path = path.replace("\n", "%0A")
    return path if path.startswith("/") else "/" + path
