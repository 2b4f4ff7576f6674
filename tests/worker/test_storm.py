"""A small storm on every run; `make storm` blows a big one."""

from dev.simulator.control import Simulator
from tests.storm import start_app, storm


def test_a_storm_leaves_nothing_behind_and_no_end_is_dishonest(simulator: Simulator) -> None:
    with start_app(simulator) as app:
        assert storm(app, simulator, streams=1200, parallel=40, seed=20261121) == []
