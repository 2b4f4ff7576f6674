"""What the rows of the fault matrix share: an app before three backends, one row's run, and what is asserted of every row."""

import itertools
import json
import time
from collections import Counter
from collections.abc import Collection
from typing import Any

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.remains import wait_until_nothing_is_open
from tests.worker.ways import Outcome, Way

NAMES = ("main", "second", "third")
GOOD: dict[str, Any] = {"tokens": ["Hello", " you"], "interval": 0, "repeat": True}
MOST_ROWS = 160
"""As many models are configured for each number of backends that serve them."""
MODELS = {number: itertools.count() for number in range(1, len(NAMES) + 1)}
MAX_SECONDS = 5.0
LIMIT = 65536
USUAL_WAYS = ("chat sse", "openai chat")


def rows(faults: Collection[str], ways: Collection[str]) -> list[tuple[str, str]]:
    """Return pairs of a fault and a way: every fault in the usual two ways, every way with the first and last fault."""
    first, *_, last = faults
    others = [way for way in ways if way not in USUAL_WAYS]
    return [(fault, way) for fault in faults for way in USUAL_WAYS] + [
        (fault, way) for way in others for fault in (first, last)
    ]


def model(backends: int) -> str:
    """Return a model that the first so many backends serve, and that nobody has asked for.

    A backend cools down per deployment, so rows do not disturb each other.
    """
    number = next(MODELS[backends])
    assert number < MOST_ROWS
    return f"{backends}-{number}"


def start(simulator: Simulator, **settings: str) -> App:
    """Start the app before the three backends."""
    listed = [
        {
            "name": name,
            "endpoint": simulator.backends[name],
            "priority": priority,
            "deployments": {
                f"{backends}-{number}": f"{backends}-{number}"
                for backends in MODELS
                if backends > priority
                for number in range(MOST_ROWS)
            },
        }
        for priority, name in enumerate(NAMES)
    ]
    env: dict[str, Any] = {"AZURE_OPENAI_BACKENDS": json.dumps(listed), "MAX_EVENT_BYTES": str(LIMIT), **settings}
    return App.start(simulator, **env)


def run(
    app: App, simulator: Simulator, way: Way, backends: int, **behaviours: dict[str, Any]
) -> tuple[Outcome, dict[str, int], Any]:
    """One row: the outcome, how often each backend was asked, and the whole of what the client saw."""
    simulator.reset()
    simulator.behave(**{name: {**behaviour, "repeat": True} for name, behaviour in behaviours.items()})
    began = time.monotonic()
    seen, outcome = way.ask(app, model(backends))
    assert time.monotonic() - began < MAX_SECONDS
    asked = Counter(record["backend"] for record in simulator.requests())
    assert wait_until_nothing_is_open(simulator, 2.0) == 0, "an upstream is still open"
    return outcome, dict(asked), seen


FINISHED = Outcome("finished", words="Hello you")
REFUSED = "refused"
