"""What Core Tools show of the app's log: records on stderr there, and nothing changed elsewhere."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.simulator.control import Simulator
from shared.hosting.console import CORE_TOOLS, ConsoleHandler, show_records
from shared.receipt import Receipt
from tests.app_process import App

ROOT = Path(__file__).resolve().parents[2]
IN_CORE_TOOLS = {CORE_TOOLS: "true", "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}
ELSEWHERE: tuple[dict[str, str], ...] = ({}, {"AZURE_FUNCTIONS_ENVIRONMENT": "Development"}, {CORE_TOOLS: ""})


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The logger `shared`, left as it was found."""
    logger = logging.getLogger("shared")
    handlers, level, propagates = logger.handlers[:], logger.level, logger.propagate
    logger.handlers.clear()
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)
    logger.propagate = propagates


def test_in_core_tools_warnings_and_receipts_are_lines_on_stderr(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    show_records(IN_CORE_TOOLS)
    logging.getLogger("shared.service").warning("AUTH_MODE is %r", "anonymous")
    logging.getLogger("shared.service").debug("not this")
    Receipt(id="chatcmpl-1", invocation_id="1", api="chat").log()
    shown = capsys.readouterr()
    warning, receipt = shown.err.splitlines()
    assert warning == "WARNING shared.service: AUTH_MODE is 'anonymous'"
    assert json.loads(receipt.removeprefix("INFO shared.receipt: "))["id"] == "chatcmpl-1"
    assert shown.out == ""


def test_in_core_tools_a_record_is_shown_once_however_often_the_app_is_made(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    show_records(IN_CORE_TOOLS)
    show_records(IN_CORE_TOOLS)
    logging.getLogger("shared.service").error("once")
    assert capsys.readouterr().err.count("once") == 1
    assert "once" not in caplog.text, "the host would show it again"


@pytest.mark.parametrize("env", ELSEWHERE)
def test_elsewhere_the_log_stays_with_the_host(logger: logging.Logger, env: dict[str, str]) -> None:
    handlers = logger.handlers[:]
    show_records(env)
    assert logger.handlers == handlers
    assert logger.propagate
    assert not any(isinstance(handler, ConsoleHandler) for handler in logger.handlers)


def test_the_running_app_says_each_thing_once(simulator: Simulator) -> None:
    """Behind `make run`'s host, which sets the variable as Core Tools do, and shows as little as theirs."""
    with App.start(simulator) as app:
        app.chat("hi")
        assert app.has_logged('"event":"answer"')
        app.stop()
        assert app.log.count("AUTH_MODE is 'anonymous'") == 1
        assert app.log.count('"event":"answer"') == 1


def test_in_core_tools_the_app_shows_what_it_logs_while_it_is_imported() -> None:
    """As the worker imports it, without a host that could show the record."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "OPENAI_"))}
    env |= IN_CORE_TOOLS | {"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", "COMMIT_SECONDS": "soon"}
    imported = [sys.executable, "-c", "import function_app"]
    shown = subprocess.run(imported, cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=60)
    assert "\nERROR shared.service: COMMIT_SECONDS" in "\n" + shown.stderr
    assert shown.stderr.count("COMMIT_SECONDS") == 1


def test_host_json_keeps_the_hosts_defaults_for_what_is_not_the_apps() -> None:
    """A `default` there is also the level of Core Tools' own log: 361 lines before the app is ready instead of 27.

    Without it the default is Information in Azure (`AddDefaultWebJobsFilters` of the host), and, in Core Tools, Information for
    the app's log and Warning for their own (LoggingFilterHelper.cs).
    """
    levels = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))["logging"]["logLevel"]
    assert levels == {"Host.Results": "Information", "Function": "Information"}
