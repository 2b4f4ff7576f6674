"""What the tests share: one simulated Azure OpenAI, the app on the real worker before it, and how long a test may take."""

import gc
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.certificates import one_authority
from tests.distribution import rank_of, scope_of
from tests.forked_tests import collected
from tests.host_start import forkable, forking, warm_up

# The same examples each time: random ones are `make fuzz`'s. No limits of time, which a busy machine would break.
hypothesis.settings.register_profile(
    "suite", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")

CPU_SECONDS = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("slow_cpu_seconds", "a test that needs more CPU time is to be marked `slow`", default="5")


def pytest_configure(config: pytest.Config) -> None:
    """Start what forks the apps and write what all trust: once, for the processes of pytest-xdist, too."""
    # A shell starts a job in the background so, and all that the tests start would inherit it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        stack = ExitStack()
        stack.enter_context(one_authority())
        stack.enter_context(forking())
        config.add_cleanup(stack.close)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage meanwhile, and leave the modules and the tests out of later collections: they stay to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    """Import the tests once for all processes, or, where they are measured or cannot be forked, compile them once."""
    if forkable() and not config.getoption("cov_source", None):
        warm_up()
        stack = ExitStack()
        python = stack.enter_context(collected(config.args))
        config.add_cleanup(stack.close)
        for spec in specs:
            spec.python = python
        return
    if sys.dont_write_bytecode or any(Path(__file__).parent.rglob("__pycache__/test_*-pytest-*.pyc")):
        return
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", *config.args]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Give `--dist loadscope` the scopes of this suite."""
    if config.getvalue("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    scheduling = LoadScopeScheduling(config, log)
    scheduling._split_scope = scope_of
    return scheduling  # type: ignore[no-any-return]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what begins first. Raise `pytest.UsageError` for each test that is run again without saying why."""
    items.sort(key=lambda item: rank_of(item.nodeid))
    marks = {item.nodeid: mark for item in items if (mark := item.get_closest_marker("flaky")) is not None}
    silent = [
        nodeid
        for nodeid, mark in marks.items()
        if mark.args or mark.kwargs.get("reruns") != 1 or not mark.kwargs.get("reason")
    ]
    if silent:
        raise pytest.UsageError(f'{", ".join(silent)}: write @pytest.mark.flaky(reruns=1, reason="…")')


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Measure the CPU time of the test and of the processes that it has ended; a busy machine lengthens it the least."""
    before = sum(os.times()[:4])
    yield
    item.stash[CPU_SECONDS] = sum(os.times()[:4]) - before


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the CPU time in the report, which goes to the process that prints the closing lines."""
    report = yield
    if report.when == "call":
        report.__dict__["cpu_seconds"] = item.stash.get(CPU_SECONDS, 0.0)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print each reason for skipping once, with the number of tests, and name those that are too long for everybody.

    Without a browser the reason is the same for a hundred tests. Being too long is a warning: the machine has a part in it.
    """
    skipped = terminalreporter.stats.get("skipped", ())
    reasons = Counter(str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple))
    for reason, number in reasons.most_common():
        terminalreporter.write_line(f"SKIPPED [{number}] {reason.removeprefix('Skipped: ')}")
    limit = float(config.getini("slow_cpu_seconds"))
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    for report in reports:
        seconds = getattr(report, "cpu_seconds", 0.0)
        if seconds > limit and "slow" not in report.keywords:
            terminalreporter.write_line(
                f"LONG {report.nodeid} took {seconds:.1f} s of CPU time: make it cheaper, or mark it `slow`",
                yellow=True,
            )


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
