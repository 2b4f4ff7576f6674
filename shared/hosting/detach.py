"""An answer that runs after the web framework has returned: both ends of the detachment.

A stream has no use for the framework's layers, and they would hold several kilobytes for as long as it is open. The response,
called by the framework, puts the rest of itself aside with `detach`; `Detaching`, around the framework, runs it.
"""

import logging
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

type Answer = Callable[[Receive, Send], Awaitable[None]]
"""What is left of a response once its request has been routed."""

_log = logging.getLogger(__name__)

_PLACE = "shared.hosting.detach"


class Detaching:
    """An ASGI app around the framework's."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand around `app`."""
        self._app = app
        self._has_complained = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the framework, then the answer that was detached, if one was."""
        place = _Place(send)
        try:
            # A copy of the scope, without a name here: what the framework adds to it ends with the framework.
            await self._app({**scope, _PLACE: place}, receive, place.send)
        except Exception as error:
            if place.answer is None:
                raise
            self._complain(f"it raised {type(error).__name__}")
        if place.answer is not None:
            if place.has_dropped:
                self._complain("it answered itself")
            await place.answer(receive, send)

    def _complain(self, what: str) -> None:
        if not self._has_complained:
            self._has_complained = True
            _log.warning(
                "Unsupported fastapi: %s although an answer was detached; the answer is sent nevertheless", what
            )


class _Place:
    """Where one request's answer is put aside; from then on the framework sends nothing."""

    __slots__ = ("_send", "answer", "has_dropped")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.answer: Answer | None = None
        self.has_dropped = False

    async def send(self, message: Message) -> None:
        if self.answer is None:
            await self._send(message)
        else:
            self.has_dropped = True


async def detach(scope: Scope, receive: Receive, send: Send, answer: Answer) -> None:
    """Let the answer run once the framework has returned; run it at once where nothing around the framework would."""
    place: _Place | None = scope.get(_PLACE)
    if place is None:
        await answer(receive, send)
    else:
        place.answer = answer
