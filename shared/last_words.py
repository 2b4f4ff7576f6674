"""How an answer fails once its status has been sent: the error event, then a clean end or a cut, as its format has it."""

import asyncio
from contextlib import suppress

from starlette.types import Receive, Send

from shared.translation import ErrorEnding

LAST_WORDS_SECONDS = 5.0
"""How long the error event may take to leave when the client reads slowly; then the connection is cut."""
CUT_DELAY_SECONDS = 0.1
"""Between the last bytes and the cut: the Functions host may lose what was written less than 10 ms before it."""


async def send_error_ending(ending: ErrorEnding, receive: Receive, send: Send) -> None:
    """Send the error event, then complete the response, or wait until it may be cut.

    A cut is the server's answer to a call that returns without completing its response: no closing chunk, and the connection
    is closed. So the caller must send nothing more. Raise `TimeoutError` when the client reads too slowly for the event.
    """
    if ending.frames or not ending.is_cut:
        async with asyncio.timeout(LAST_WORDS_SECONDS):
            await send({"type": "http.response.body", "body": ending.frames, "more_body": ending.is_cut})
    if ending.is_cut:
        await _let_leave(receive)


async def _let_leave(receive: Receive) -> None:
    """Wait `CUT_DELAY_SECONDS`, or until the client has left."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CUT_DELAY_SECONDS):
            while (await receive())["type"] != "http.disconnect":
                pass
