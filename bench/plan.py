"""The answer that the upstream gives to every request until changed."""

import json
from dataclasses import asdict, dataclass

ENDLESS = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Seconds between chunks of one stream (0: no pauses), and number of chunks (0: endless)."""

    seconds: float = 0.0
    chunks: int = 1

    def to_json(self) -> bytes:
        """Encode for the upstream."""
        return json.dumps(asdict(self)).encode()


PACED_SECONDS = 0.02
SHORT = Plan()
"""An answer of one chunk, sent in one piece."""
