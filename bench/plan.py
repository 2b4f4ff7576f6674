"""What the upstream plays to every request until it is told otherwise."""

import json
from dataclasses import asdict, dataclass

ENDLESS = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds` between chunks of one stream (0 never pauses), and how many chunks it has (0 never ends)."""

    seconds: float = 0.0
    chunks: int = 1

    def to_json(self) -> bytes:
        """For the way to the upstream."""
        return json.dumps(asdict(self)).encode()


PACED_SECONDS = 0.02
SHORT = Plan()
"""An answer of one chunk, sent whole at once."""
