"""Timing and token usage of one answer, for `--verbose`."""

import time
from typing import Any

from client.formats import Event


class Timings:
    """Collects the times and the usage of one answer from its events."""

    def __init__(self) -> None:
        """Start the clock."""
        self._began = time.monotonic()
        self._first: float | None = None
        self._last = self._began
        self._model = ""
        self._usage: dict[str, Any] = {}
        self._deltas = 0

    def note(self, event: Event) -> None:
        """Record an event on its arrival."""
        match event["type"]:
            case "started":
                self._model = event["model"]
            case "usage":
                self._usage = event
            case "delta" | "reasoning":
                self._deltas += 1
                self._last = time.monotonic()
                self._first = self._first or self._last

    def report(self) -> str:
        """Return one line: model, time to first token and total time in seconds, tokens per second, usage."""
        parts = [f"model {self._model}"] if self._model else []
        parts.append(f"first token {self._first - self._began:.2f} s" if self._first else "no token")
        parts.append(f"total {time.monotonic() - self._began:.2f} s")
        if self._first and self._usage and self._last > self._first:
            parts.append(f"{self._usage['output_tokens'] / (self._last - self._first):.1f} tokens/s")
        if self._usage:
            parts.append(f"tokens {self._usage['input_tokens']} in, {self._usage['output_tokens']} out")
        else:
            parts.append(f"{self._deltas} {'delta' if self._deltas == 1 else 'deltas'}, usage unknown")
        return ", ".join(parts)
