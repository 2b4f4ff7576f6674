"""The app as a server calls it: scope, handler, and the server's side of one request."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from shared.http.response import AnswerResponse
from shared.service import Service
from tests.fuzz.case import Asked, Pause, Step, raw
from tests.fuzz.seen import Seen


async def call(service: Service, asked: Asked, client: "Client", seen: Seen) -> None:
    """Answer one request."""
    scope = scope_of(asked)
    response = handler_of(service, asked)(Request(scope), "an-invocation")
    seen.is_answer = isinstance(response, AnswerResponse)
    await response(scope, client.receive, client.send)


class Client:
    """The server's side of one request, as strict as the servers that the app runs behind."""

    def __init__(self, asked: Asked, seen: Seen) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked, self._seen = asked, seen
        self._steps: list[Step] = [*asked.body, ""]
        self._gone = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        if asked.leaves_after_seconds is not None:
            self._timer = self._loop.call_later(asked.leaves_after_seconds, self._leave)

    def _leave(self) -> None:
        if not self._gone.is_set():
            self._seen.left_at, self._seen.has_left = self._loop.time(), True
            self._go()

    def _go(self) -> None:
        self._gone.set()
        for over in self._waiting:
            _set(over)

    def finish(self) -> None:
        """Note how long the answer went on for nobody."""
        if self._timer is not None:
            self._timer.cancel()
        self._seen.seconds_after_leaving = max(self._loop.time() - self._seen.left_at, 0.0)

    async def receive(self) -> dict[str, Any]:
        """See ASGI."""
        while self._steps and not self._gone.is_set():
            step = self._steps.pop(0)
            if isinstance(step, Pause):
                await self._pause(step.seconds)
            else:
                return {"type": "http.request", "body": raw(step), "more_body": bool(self._steps)}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _pause(self, seconds: float) -> None:
        # No `asyncio.timeout`, which needs a task: the server's `send` does without one, and is called without one.
        over = self._loop.create_future()
        timer = self._loop.call_later(seconds, _set, over)
        self._waiting.append(over)
        if self._gone.is_set():
            _set(over)
        try:
            await over
        finally:
            timer.cancel()
            self._waiting.remove(over)

    async def send(self, message: Any) -> None:
        """See ASGI."""
        seen = self._seen
        if seen.has_left:
            return
        if message["type"] == "http.response.start":
            if seen.status:
                seen.problems.append("a second head")
            seen.status = message["status"]
            seen.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
        elif not seen.status or seen.is_complete:
            seen.problems.append("a body without a head" if not seen.status else "a body after the end")
        else:
            await self._send_body(message)

    async def _send_body(self, message: Any) -> None:
        seen, asked = self._seen, self._asked
        data = message.get("body", b"")
        if not isinstance(data, bytes):
            seen.problems.append(f"a body of type {type(data).__name__}")
        seen.body += data
        seen.is_complete = not message.get("more_body", False)
        if seen.is_complete:
            self._go()
        elif asked.leaves_after_bytes is not None and len(seen.body) >= asked.leaves_after_bytes:
            self._leave()
        elif data and asked.seconds_per_block:
            await self._pause(asked.seconds_per_block)


def _set(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)


def handler_of(service: Service, asked: Asked) -> Callable[[Request, str], Response]:
    """Return the method that function_app.py calls for such an address."""
    path = unquote(asked.path.split("?")[0]).split("?")[0]
    if asked.method == "OPTIONS":
        return service.preflight
    if path.startswith(("/v1", "/openai")):
        return service.openai
    if path.startswith(("/chat/stream", "/stream")):
        return lambda request, invocation: service.chat(request, invocation, must_stream=True)
    if path.startswith("/chat"):
        return service.chat
    if path.startswith("/health"):
        return service.health
    return service.page if path.startswith("/page") else service.home


def scope_of(asked: Asked) -> dict[str, Any]:
    """Return the ASGI scope, as uvicorn makes it."""
    raw_path = asked.path.encode("latin-1")
    headers = [(name.lower().encode("latin-1"), value.strip(" \t").encode("latin-1")) for name, value in asked.headers]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "scheme": "http",
        "method": asked.method,
        "root_path": "",
        "path": unquote(raw_path.decode("ascii", "replace")),
        "raw_path": raw_path,
        "query_string": asked.query.encode("latin-1"),
        "headers": headers,
    }
