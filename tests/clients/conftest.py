"""The app as clients meet it: it asks for a key, and stands before a simulated Azure OpenAI that they can ask too."""

from collections.abc import Iterator
from typing import Any

import pytest

from dev.simulator.control import Simulator
from shared.config.caller_keys import make_caller_key
from tests.app_process import App
from tests.clients.sides import KINDS, UPSTREAM_KEY, Both, Sides

KEY, ENTRY = make_caller_key("clients")
KEYS: dict[str, Any] = {"AUTH_MODE": "keys", "CALLER_KEYS": ENTRY}
MODELS = {
    "gpt-5-mini": "gpt-4o-mini",  # the one alias; the others are called what they are
    "gpt-4.1-mini": "gpt-4.1-mini",
    "gpt-4o-mini": "gpt-4o-mini",
    "text-embedding-3-small": "text-embedding-3-small",
}
PATIENT: dict[str, Any] = {"COMMIT_SECONDS": "10", "HEARTBEAT_SECONDS": "15", "FIRST_CONTENT_SECONDS": "30"}
MAX_REQUEST_BYTES = 65536
MAX_OUTPUT_TOKENS = 50


@pytest.fixture(scope="session")
def key() -> str:
    """The caller's key."""
    return KEY


@pytest.fixture(scope="session")
def upstream_process() -> Iterator[Simulator]:
    with Simulator.start(backends=("main", "second"), key=UPSTREAM_KEY) as upstream:
        yield upstream


@pytest.fixture
def upstream(upstream_process: Simulator) -> Simulator:
    """The simulated Azure OpenAI, without behaviours or records."""
    upstream_process.reset()
    return upstream_process


def _warm(app: App) -> None:
    """The first request pays for the worker's imports; on a busy machine it may take longer than COMMIT_SECONDS."""
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
    assert app.chat(body, "/v1/chat/completions", authorization=f"Bearer {KEY}").status == 200


@pytest.fixture(scope="session")
def open_app(upstream_process: Simulator) -> Iterator[App]:
    # Forty parallel streams begin late on a busy machine.
    with App.start(upstream_process, FIRST_CONTENT_SECONDS="20", ATTEMPT_BUDGET_SECONDS="30", **KEYS) as app:
        _warm(app)
        yield app


@pytest.fixture
def app(open_app: App, upstream: Simulator) -> App:
    """The app as most use it: models pass through by name."""
    return open_app


@pytest.fixture(scope="session")
def mapped_app(upstream_process: Simulator) -> Iterator[App]:
    models = ",".join(f"{alias}={deployment}" for alias, deployment in MODELS.items())
    limits: dict[str, Any] = {"MAX_REQUEST_BYTES": str(MAX_REQUEST_BYTES), "MAX_OUTPUT_TOKENS": str(MAX_OUTPUT_TOKENS)}
    with App.start(upstream_process, AZURE_OPENAI_MODELS=models, **limits, **PATIENT, **KEYS) as app:
        _warm(app)
        yield app


@pytest.fixture
def mapped(mapped_app: App, upstream: Simulator) -> App:
    """The app with names of its own for the models, limits, and so patient that no heartbeat comes between."""
    return mapped_app


@pytest.fixture(scope="session")
def sides(open_app: App, upstream_process: Simulator) -> Iterator[Sides]:
    made = Sides(open_app.url, KEY, upstream_process)
    yield made
    made.close()


@pytest.fixture(scope="session")
def mapped_sides(mapped_app: App, upstream_process: Simulator) -> Iterator[Sides]:
    made = Sides(mapped_app.url, KEY, upstream_process)
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def both(request: pytest.FixtureRequest, sides: Sides, upstream: Simulator) -> Both:
    """Every kind of client, at the app and at the upstream."""
    return Both(sides, request.param)


@pytest.fixture(params=KINDS)
def mapped_both(request: pytest.FixtureRequest, mapped_sides: Sides, upstream: Simulator) -> Both:
    """The same, at the app with names of its own."""
    return Both(mapped_sides, request.param)
