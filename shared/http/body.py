"""The request's body, off the wire: bounded in size and time, and aware of a client that leaves while sending it."""

import asyncio
from collections.abc import Awaitable, Callable
from io import BytesIO
from math import inf

from starlette.types import Receive

from shared.errors import RequestTimeout, RequestTooLarge

BODY_SILENCE_SECONDS = 30.0
"""How long a client may send nothing of a body that it has begun."""
MIN_BODY_BYTES_PER_SECOND = 240.0
"""The average rate that a body must keep after its first `BODY_SILENCE_SECONDS`: as low as the Functions host's own
(Kestrel's `MinRequestBodyDataRate`), so that a byte now and then does not hold a request open."""


class ClientLeft(Exception):
    """The client has gone: nobody is to be answered. `ended` is what the receipt says."""

    ended = "client_left"


async def read_body(receive: Receive, max_bytes: int, *, until: float = inf) -> bytes:
    """Return the complete body. Raise `RequestTooLarge`, `RequestTimeout` or `ClientLeft`.

    `until`: when the body must be complete, on the loop's clock, however fast it arrives.
    """
    body = BytesIO()  # a list of pieces would take the memory of a large body twice; this gives out its own bytes

    def keep(piece: bytes) -> None:
        body.write(piece)

    await take_body(receive, max_bytes, keep, until=until)
    return body.getvalue()


async def take_body(
    receive: Receive, max_bytes: int, take: Callable[[bytes], Awaitable[None] | None], *, until: float = inf
) -> None:
    """Hand each piece of the body to `take`, and await what that returns. Raise what `read_body` does, and what `take` does."""
    now = asyncio.get_running_loop().time
    began_at, size = now(), 0
    try:
        async with asyncio.timeout_at(min(until, began_at + BODY_SILENCE_SECONDS)) as deadline:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeft
                piece: bytes = message.get("body", b"")
                size += len(piece)
                if size > max_bytes:
                    raise RequestTooLarge(f"The body is larger than the {max_bytes} bytes that are accepted here.")
                if (taking := take(piece)) is not None:
                    await taking
                if not message.get("more_body", False):
                    return
                if piece:
                    slowest = began_at + size / MIN_BODY_BYTES_PER_SECOND
                    deadline.reschedule(min(until, min(now(), slowest) + BODY_SILENCE_SECONDS))
    except TimeoutError:
        raise RequestTimeout("The body did not arrive in time.") from None
