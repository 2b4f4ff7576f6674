"""What the worker library keeps of each invocation, and how long the two halves of a request wait for each other."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from shared.errors import InvocationLost

type _Wait = Callable[[str], Awaitable[Any]]

OTHER_HALF_SECONDS = 10.0
"""How long an invocation waits for its HTTP request, and the request for its invocation.

The host sends both at once, over two connections; its retries of a request end after 1.9 s.
"""


class InvocationMemory:
    """The worker library's memory of invocations, about 2 KB each, which it never releases itself."""

    def __init__(self) -> None:
        """Know of no memory yet."""
        self.references: dict[str, Any] = {}
        """The library's own dictionary, by invocation id, once it is known."""

    def release(self, invocation_id: str) -> None:
        """Drop what is kept of an invocation whose response has begun; do nothing where the library's memory is not known."""
        self.references.pop(invocation_id, None)


MEMORY = InvocationMemory()
release_invocation = MEMORY.release


class RequestNeverArrived(Exception):
    """The host sent an invocation without its HTTP request: what the invocation fails with."""


def memory_problem(coordinator: Any) -> str:
    """Return how the memory of the library's `HttpCoordinator` differs from the one known, '' where it does not."""
    if not isinstance(getattr(coordinator, "_context_references", None), dict):
        return "its HttpCoordinator has no dictionary _context_references"
    return ""


def waits_problem(coordinator: Any) -> str:
    """Return how the waits of the library's `HttpCoordinator` differ from those known, '' where they do not."""
    for name in ("get_http_request_async", "await_http_response_async"):
        wait = getattr(coordinator, name, None)
        if not inspect.iscoroutinefunction(wait) or list(inspect.signature(wait).parameters) != ["invoc_id"]:
            return f"its HttpCoordinator has no coroutine {name}(invoc_id)"
    return memory_problem(coordinator)


def bound_waits(coordinator: Any, seconds: float = OTHER_HALF_SECONDS) -> None:
    """Bound how long the worker library's `HttpCoordinator` waits for the other half of a request.

    The host sends an invocation even where its request never arrives: the host's HTTP client does not send a header value
    outside ASCII, the worker's server answers 400 to a control byte, a client resets its connection. The library waits
    until functionTimeout, when the host kills the worker with every stream in it. Bounded, that invocation fails alone:
    the host logs it once and answers a client that still waits with an empty 500.

    A request whose invocation has failed, or never asks for it, gets a 503. A handler that has its request is not bounded.
    `waits_problem` has to have returned ''.
    """
    if isinstance(getattr(coordinator.get_http_request_async, "__self__", None), _BoundedWaits):
        return
    bounded = _BoundedWaits(coordinator, seconds)
    coordinator.get_http_request_async = bounded.request
    coordinator.await_http_response_async = bounded.response


class _BoundedWaits:
    """The coordinator's two waits with an end, after which nothing of the request stays in its memory."""

    def __init__(self, coordinator: Any, seconds: float) -> None:
        self._references: dict[str, Any] = coordinator._context_references
        self._request: _Wait = coordinator.get_http_request_async
        self._response: _Wait = coordinator.await_http_response_async
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
