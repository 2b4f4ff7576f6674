"""What the rows of the fault matrix share: apps before several backends, one row's run, and what is asserted of every row."""

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
MODELS = map("model-{}".format, itertools.count())
"""A new model for every row: a backend's cooling down is kept per deployment, so that rows don't disturb each other."""
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


def start(simulator: Simulator, backends: int, **settings: str) -> App:
    listed = [
        {"name": name, "endpoint": simulator.backends[name], "priority": priority}
        for priority, name in enumerate(NAMES[:backends])
    ]
    env: dict[str, Any] = {"AZURE_OPENAI_BACKENDS": json.dumps(listed), "MAX_EVENT_BYTES": str(LIMIT), **settings}
    return App.start(simulator, **env)


def run(
    apps: dict[int, App], simulator: Simulator, way: Way, backends: int, **behaviours: dict[str, Any]
) -> tuple[Outcome, dict[str, int], Any]:
    """One row: the outcome, how often each backend was asked, and the whole of what the client saw."""
    simulator.reset()
    simulator.behave(**{name: {**behaviour, "repeat": True} for name, behaviour in behaviours.items()})
    began = time.monotonic()
    seen, outcome = way.ask(apps[backends], next(MODELS))
    assert time.monotonic() - began < MAX_SECONDS
    asked = Counter(record["backend"] for record in simulator.requests())
    assert wait_until_nothing_is_open(simulator, 2.0) == 0, "an upstream is still open"
    return outcome, dict(asked), seen


FINISHED = Outcome("finished", words="Hello you")
REFUSED = "refused"
