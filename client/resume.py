"""One answer over as many connections as it takes: what is lost is taken up again where it broke.

The service offers that where `/health` says `"resume": true`, in the formats that number their events.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any

import httpx

from client.failures import Cut, ErrorResponse, Failure, Unreachable
from client.formats import Event
from client.stream import ask, stop, take_up

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each attempt of which none brings anything; then the failure is told."""
HEALTH_SECONDS = 5.0
FORMATS = frozenset({"sse", "ndjson"})


class Resumed:
    """One answer. `id` is known once it has begun."""

    def __init__(self, http: httpx.AsyncClient, url: str, *, key: str, wire_format: str) -> None:
        """Begin with no answer."""
        self._http = http
        self._url = url
        self._key = key
        self._wire_format = wire_format
        self._position = 0
        self.id = ""

    async def events(self, request: dict[str, Any], *, on_lost: Callable[[], None]) -> AsyncGenerator[Event]:
        """Yield the events of the answer. Raise what `ask` raises, where the answer cannot be taken up again.

        `on_lost` is called before each attempt at that.
        """
        failures = 0
        source = ask(self._http, self._url, {**request, "resume": True}, key=self._key, wire_format=self._wire_format)
        while True:
            try:
                async with aclosing(source) as events:
                    async for event in events:
                        failures = 0
                        if event["type"] == "moved":
                            break
                        self._note(event)
                        yield event
                    else:
                        return
            except Failure as failure:
                if not self.id or failures >= len(PAUSES) or not _may_pass(failure):
                    raise
            on_lost()
            await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            failures += 1
            source = take_up(
                self._http, self._url, self.id, self._position, key=self._key, wire_format=self._wire_format
            )

    async def stop(self) -> None:
        """End the answer at the model, as far as it has begun and the service hears of it."""
        if self.id:
            with suppress(Failure):
                await stop(self._http, self._url, self.id, key=self._key)

    def _note(self, event: Event) -> None:
        if event["type"] == "started":
            self.id = event.pop("resume", "")
        self._position = int(event.pop("seq", self._position))


async def is_offered(http: httpx.AsyncClient, url: str, wire_format: str) -> bool:
    """Return whether answers can be taken up again; False where nobody says so."""
    if wire_format not in FORMATS:
        return False
    try:
        response = await http.get(f"{url}/health", timeout=HEALTH_SECONDS)
        told = response.json()
    except (httpx.RequestError, ValueError):
        return False
    return isinstance(told, dict) and told.get("resume") is True


def _may_pass(failure: Failure) -> bool:
    if isinstance(failure, ErrorResponse):
        return failure.status >= 500 or failure.status == 429
    return isinstance(failure, Cut | Unreachable)
