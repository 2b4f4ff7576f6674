"""How long an answer took and what it cost: what `--verbose` tells."""

import time
from typing import Any

from client.formats import Event


class Timings:
    """Starts when it is made; looks at every event of one answer."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._first: float | None = None
        self._last = self._began
        self._model = ""
        self._usage: dict[str, Any] = {}
        self._pieces = 0

    def note(self, event: Event) -> None:
        """The next event has come."""
        match event["type"]:
            case "started":
                self._model = event["model"]
            case "usage":
                self._usage = event
            case "delta" | "reasoning":
                self._pieces += 1
                self._last = time.monotonic()
                self._first = self._first or self._last

    def report(self) -> str:
        """One line, from the first token to the cost."""
        parts = [f"model {self._model}"] if self._model else []
        parts.append(f"first token {self._first - self._began:.2f} s" if self._first else "no token")
        parts.append(f"total {time.monotonic() - self._began:.2f} s")
        if self._first and self._usage and self._last > self._first:
            parts.append(f"{self._usage['output_tokens'] / (self._last - self._first):.1f} tokens/s")
        if self._usage:
            parts.append(f"tokens {self._usage['input_tokens']} in, {self._usage['output_tokens']} out")
        else:
            parts.append(f"{self._pieces} {'piece' if self._pieces == 1 else 'pieces'}, usage unknown")
        return ", ".join(parts)
