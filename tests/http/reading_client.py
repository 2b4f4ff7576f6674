"""A client whose side has room, or has not; what is sent to it, and from where."""

import asyncio
from typing import Any


class Client:
    """What is sent to it, and whether it has room; like uvicorn's `send` it waits first and writes then."""

    def __init__(self) -> None:
        self.is_sending = False
        self.has_room = asyncio.Event()
        self.has_room.set()
        self.bodies: list[bytes] = []
        self.tasks: list[object] = []
        self.failure: Exception | None = None

    async def send(self, message: Any) -> None:
        assert not self.is_sending, "one send at a time"
        self.is_sending = True
        try:
            await self.has_room.wait()
        finally:
            self.is_sending = False
        if self.failure is not None:
            raise self.failure
        if message["type"] == "http.response.body":
            self.bodies.append(message["body"])
            self.tasks.append(asyncio.current_task())


async def never() -> Any:
    await asyncio.Event().wait()
