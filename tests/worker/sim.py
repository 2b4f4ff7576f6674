"""How a test tells the simulated upstream what to do."""

import json
from typing import Any

from dev.simulator.control import Simulator


def sim(word: str = "hi", **behaviour: Any) -> str:
    """A prompt that carries its behaviour."""
    return f"{word} [[sim {json.dumps(behaviour)}]]"


def ended(simulator: Simulator, how: str, *, seconds: float = 1.5, **query: Any) -> dict[str, Any]:
    """Waits until the upstream has seen a request end so: a second, and a little for this machine."""
    return simulator.wait_for(ended=how, timeout=seconds, **query)
