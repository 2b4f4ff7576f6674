"""A credential that does what a test says, in the place of azure.identity's."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from azure.core.credentials import AccessToken


@dataclass
class Credential:
    """Issues `t1`, `t2`, …, each valid for so many seconds; or does what the test says instead."""

    lifetime: float = 3600
    replies: list[Any] = field(default_factory=list)
    """For the next requests: a token, an exception, or "hang"."""
    asked: int = 0
    claims: list[str | None] = field(default_factory=list)
    cancelled: int = 0
    is_closed: bool = False

    async def get_token(self, *_scopes: str, claims: str | None = None, **_options: Any) -> AccessToken:
        self.asked += 1
        self.claims.append(claims)
        reply = self.replies.pop(0) if self.replies else None
        try:
            await (asyncio.Event().wait() if reply == "hang" else asyncio.sleep(0.01))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(reply, BaseException):
            raise reply
        return reply or AccessToken(f"t{self.asked}", int(time.time() + self.lifetime))

    async def close(self) -> None:
        self.is_closed = True

    async def __aenter__(self) -> "Credential":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a few steps of the loop
            await asyncio.sleep(0.005)
