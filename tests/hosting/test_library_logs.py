"""No key, token or prompt in the log of the real worker, whatever logs at whichever level, and with every patch off."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from dev.simulator.control import Simulator
from dev.simulator.probe import ask
from shared.hosting.library_logs import EXPECTED, QUIET, quiet_libraries
from shared.hosting.patches import PATCHES
from tests.app_process import App
from tests.worker.sim import sim
from tests.worker.ways import WAYS, Outcome

ROOT = Path(__file__).resolve().parents[2]
PROMPT, FUNCTION_KEY, CALLER_KEY = "planted-secret-prompt", "planted-function-key", "planted-caller-key"
AT_DEBUG = {"PYTHON_ENABLE_DEBUG_LOGGING": "1", "OPENAI_LOG": "debug"}
"""The first as Core Tools sets it."""

EVERY_PATCH_OFF = f"""
from dataclasses import replace
from pathlib import Path
from shared.hosting import installation

installation.PATCHES = tuple(replace(row, shape=lambda _modules: "it was changed") for row in installation.PATCHES)
exec(compile(Path({str(ROOT / "function_app.py")!r}).read_text(), "function_app.py", "exec"))
"""


def converse(app: App) -> None:
    """Ask as callers do, with a key in every place where one can be; an answer that is cut is among them."""
    headers = {"authorization": f"Bearer {CALLER_KEY}", "api-key": CALLER_KEY, "x-functions-key": FUNCTION_KEY}
    for path in (f"/chat?code={FUNCTION_KEY}", "/chat?format=json"):
        assert app.chat(sim(PROMPT, tokens=4, interval=0.01), path, **headers).status == 200
    body = {"model": "gpt", "messages": [{"role": "user", "content": PROMPT}]}
    assert app.chat(body, f"/v1/chat/completions?code={FUNCTION_KEY}", **headers).status == 200
    assert app.chat(sim(PROMPT, status=429), f"/chat?code={FUNCTION_KEY}", **headers).status == 429
    seen = app.chat(sim(PROMPT, tokens=4, interval=0, end="reset", after=2), "/chat?format=ndjson", **headers)
    assert b"upstream_cut" in seen.body
    assert ask(f"{app.url}/health?code={FUNCTION_KEY}", headers=headers).status == 200
    assert len(app.receipts(count=5)) == 5


def assert_no_secret(log: str, simulator: Simulator) -> None:
    token_head = simulator.token().partition(".")[0]
    for secret in (PROMPT, FUNCTION_KEY, CALLER_KEY, token_head, simulator.identity_header):
        assert secret not in log
    assert not [message for message in EXPECTED if message in log]


def test_at_debug_level_no_record_has_a_prompt_a_key_or_a_token(simulator: Simulator) -> None:
    with App.start(simulator, arguments=("--verbose",), **AT_DEBUG) as app:
        converse(app)
        app.stop()
        assert_no_secret(app.log, simulator)
        at_debug = set(re.findall(r"^DEBUG (\S+):", app.log, re.MULTILINE))
    assert at_debug  # the variable has its effect
    assert {name for name in at_debug if not name.startswith(("azure.functions", "azure_functions_runtime"))} == set()


@pytest.fixture
def app_without_patches(tmp_path: Path) -> Path:
    """The folder of the app with a table of patches of which no row fits."""
    for name in ("shared", "host.json", "local.settings.json.example"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "function_app.py").write_text(EVERY_PATCH_OFF, encoding="utf-8")
    return tmp_path


def test_with_every_patch_off_the_app_streams_on_the_extensions_server_and_no_key_is_logged(
    simulator: Simulator, app_without_patches: Path
) -> None:
    with App.start(simulator, arguments=("--app", str(app_without_patches), "--verbose"), **AT_DEBUG) as app:
        converse(app)
        for way in ("chat sse", "openai chat", "responses"):
            _, outcome = WAYS[way].ask(app, "gpt", sim(tokens=["Hello", " you"], interval=0.05))
            assert outcome == Outcome("finished", words="Hello you")
        assert app.has_logged("Patches: own server off; ")
        patches = ask(app.url + "/health").headers["x-patches"].split("; ")
        app.stop()
        assert_no_secret(app.log, simulator)
        assert "Uvicorn running on" in app.log
        assert "Unsupported azurefunctions-extensions-http-fastapi: using its own server (5 s keep-alive" in app.log
    assert patches == [f"{row.name} off" for row in PATCHES]


@pytest.fixture
def loggers() -> Iterator[None]:
    """The loggers that are changed, left as they were found."""
    changed = [logging.getLogger(name) for name in (*QUIET, "uvicorn", "uvicorn.access", "uvicorn.error")]
    before = [(one, one.level, one.filters[:], one.handlers[:], one.propagate, one.disabled) for one in changed]
    yield
    for one, level, filters, handlers, propagate, disabled in before:
        one.setLevel(level)
        one.filters[:], one.handlers[:], one.propagate, one.disabled = filters, handlers, propagate, disabled


@pytest.mark.usefixtures("loggers")
def test_the_access_log_stays_silent_when_uvicorn_configures_its_loggers(capfd: pytest.CaptureFixture[str]) -> None:
    quiet_libraries()
    uvicorn.Config(lambda: None)  # as the extension's server makes it
    logging.getLogger("uvicorn.access").info(
        '%s - "%s %s HTTP/%s" %d', "1.2.3.4", "GET", f"/?code={PROMPT}", "1.1", 200
    )
    logging.getLogger("uvicorn.error").error("Invalid HTTP request received.")
    shown = "".join(capfd.readouterr())
    assert PROMPT not in shown
    assert "Invalid HTTP request received." in shown


@pytest.mark.usefixtures("loggers")
def test_of_uvicorns_messages_those_that_nobody_has_to_know_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    quiet_libraries()
    error = logging.getLogger("uvicorn.error")
    for message in EXPECTED:
        error.error(message)
    error.error("ASGI callable returned without starting response.")
    assert [record.getMessage() for record in caplog.records] == ["ASGI callable returned without starting response."]


@pytest.mark.parametrize("message", EXPECTED)
def test_the_messages_that_are_dropped_are_still_those_that_uvicorn_logs(message: str) -> None:
    protocols = Path(uvicorn.__file__).parent / "protocols" / "http"
    assert message in (protocols / "httptools_impl.py").read_text(encoding="utf-8")
