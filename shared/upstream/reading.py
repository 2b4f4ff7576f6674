"""Reading an answer's body at the two places where it may take only so long."""

import asyncio

from shared.errors import UpstreamCut
from shared.upstream.call import Body

EXPLANATION_SECONDS = 1.0
"""How long an announced failure waits for the event that explains it."""
LAST_BYTES_SECONDS = 0.25
"""How long a finished answer waits for the upstream's own end, so that the connection can be used again."""


async def read_failure_details(body: Body) -> bytes:
    """What comes after an announced failure; b'' where it stays unexplained, whatever became of the rest."""
    try:
        async with asyncio.timeout(EXPLANATION_SECONDS):
            return await body.read()
    except (TimeoutError, UpstreamCut):
        return b""


async def drain_trailer(body: Body) -> None:
    """The answer is complete; only the connection's reuse is at stake."""
    try:
        async with asyncio.timeout(LAST_BYTES_SECONDS):
            while await body.read():
                pass
    except (TimeoutError, UpstreamCut):
        pass
