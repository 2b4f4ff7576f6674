"""A body that plays its script, in the place of a connection."""

import asyncio
from dataclasses import dataclass

from shared.errors import UpstreamCut


@dataclass
class Body:
    """A body that plays its script and knows whether it was closed."""

    pieces: list[bytes]
    end: str
    is_closed: bool = False

    async def read(self) -> bytes:
        assert not self.is_closed
        await asyncio.sleep(0)
        if self.pieces:
            return self.pieces.pop(0)
        if self.end == "reset":
            raise UpstreamCut("reset")
        return b""

    def at_end(self) -> bool:
        return not self.pieces and self.end == "eof"

    def hang_up(self) -> None:
        """What is left to play had arrived."""

    def close(self) -> None:
        self.is_closed = True
