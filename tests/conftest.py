"""What the tests share: one simulated Azure OpenAI, and the app on the real worker before it."""

from collections.abc import Iterator

import pytest

from dev.simulator.control import Simulator
from tests.app_process import App


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Raise `pytest.UsageError` for a test that is run again without saying why."""
    for item in items:
        mark = item.get_closest_marker("flaky")
        if mark is not None and (mark.args or mark.kwargs.get("reruns") != 1 or not mark.kwargs.get("reason")):
            raise pytest.UsageError(f'{item.nodeid}: write @pytest.mark.flaky(reruns=1, reason="…")')


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[Simulator]:
    with Simulator.start(backends=("main", "second", "third")) as simulator:
        yield simulator


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    """The simulated Azure OpenAI, without behaviours or records."""
    simulator_process.reset()
    return simulator_process


@pytest.fixture(scope="session")
def app_process(simulator_process: Simulator) -> Iterator[App]:
    with App.start(simulator_process) as app:
        yield app


@pytest.fixture
def app(app_process: App, simulator: Simulator) -> App:
    """The app with the settings of `QUICK`, one backend."""
    return app_process
