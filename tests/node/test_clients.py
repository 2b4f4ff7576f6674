"""Published clients for Node against the app on the real worker, and where two answers are compared, the upstream itself."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from dev.simulator.control import Simulator
from shared.config.caller_keys import make_caller_key
from tests.app_process import App
from tests.cutting_proxy import CuttingProxy
from tests.node.toolchain import HERE, MISSING, Node, find_node

pytestmark = pytest.mark.node
FILES = sorted(path.name for path in HERE.glob("*.test.mjs"))
UPSTREAM_KEY = "upstream-key"
SECONDS = 120.0


@pytest.fixture(scope="module")
def node() -> Node:
    found = find_node()
    if found is None:
        pytest.skip(MISSING)
    found.install()
    return found


@pytest.fixture(scope="module")
def addresses(node: Node) -> Iterator[dict[str, str]]:
    """The environment that `support.mjs` reads: an app for everyone, one that asks for keys, and their upstream."""
    key, entry = make_caller_key("node")
    resume: dict[str, Any] = {"RESUME": "on", "AZURE_OPENAI_API": "responses"}

    def kill(proxy: CuttingProxy) -> None:
        proxy.move(resuming_app.url)
        killed_app.kill_worker()

    models = "fast=gpt-5-mini,smart=gpt-5"
    nobody = "http://127.0.0.1:9"  # a collector that is not there
    with (
        Simulator.start(key=UPSTREAM_KEY) as upstream,
        App.start(upstream) as app,
        App.start(
            upstream,
            AUTH_MODE="keys",
            CALLER_KEYS=entry,
            AZURE_OPENAI_MODELS=models,
            OTEL_EXPORTER_OTLP_ENDPOINT=nobody,
        ) as keyed_app,
        App.start(upstream, **upstream.search_environment) as searching_app,
        App.start(upstream, **resume) as resuming_app,
        App.start(upstream, **resume) as killed_app,
        CuttingProxy(killed_app.url, b"killed3 ", instead=kill) as killing,
    ):
        yield {
            "APP_URL": app.url,
            "KEYS_URL": keyed_app.url,
            "SEARCH_URL": searching_app.url,
            "RESUME_URL": resuming_app.url,
            "KILLED_URL": killing.url,
            "CALLER_KEY": key,
            "UPSTREAM_URL": upstream.backends["main"],
            "UPSTREAM_KEY": UPSTREAM_KEY,
            "CONTROL_URL": upstream.control,
        }


@pytest.mark.parametrize("file", FILES)
def test_the_published_client_is_content(node: Node, addresses: dict[str, str], file: str) -> None:
    done = subprocess.run(
        [node.node, "--test-reporter=spec", file],  # `--test` would only start this as a child of its own
        cwd=HERE,
        env=node.environment(**addresses),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
