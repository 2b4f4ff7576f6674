"""A response that is read whole: asked for again while it goes on, and while one that has just ended is missing."""

import asyncio
from collections.abc import Callable
from typing import Any

from shared.errors import UpstreamErrorResponse, UpstreamFailure
from shared.resume.link import GONE, OPENING_SECONDS, Link

POLLING_PAUSES = (1.0, 2.0, 4.0)
"""The seconds before a response that goes on is asked for again; the last one repeats."""
MISSING_SECONDS = 35.0
"""How long a response may be missing (404) before that is believed: one that has just ended is missing for a while."""
MAX_FAILURES = 3
"""In a row."""


async def ended_response(link: Link, response_id: str, *, on_sign: Callable[[], None]) -> dict[str, Any] | None:
    """Return the response once it has ended; None where it is gone, cannot be read, or never was one in the background.

    `on_sign` is called whenever the service says that it goes on.
    """
    now = asyncio.get_running_loop().time
    missing_until, polls, failures = now() + MISSING_SECONDS, 0, 0
    while failures <= MAX_FAILURES:
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                response = await link.whole(response_id)
        except UpstreamErrorResponse as error:
            if error.status in GONE and (error.status != 404 or now() >= missing_until):
                return None
            failures += error.status != 404
        except (UpstreamFailure, TimeoutError):
            failures += 1
        else:
            failures = 0
            on_sign()
            if response.get("background") is False:  # its stream never could be taken up, and its client is told so
                return None
            if response.get("status") not in ("queued", "in_progress"):
                return response
        await asyncio.sleep(POLLING_PAUSES[min(polls, len(POLLING_PAUSES) - 1)])
        polls += 1
    return None
