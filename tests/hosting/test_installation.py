"""How the app is put into its process, and how it ends with it."""

import asyncio
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.hosting import installation
from shared.hosting.installation import Installation
from shared.hosting.patches import PATCHES
from shared.hosting.telemetry import Telemetry
from shared.hosting.telemetry_target import TelemetryTarget
from tests.hosting.application import Application

ROOT = Path(__file__).resolve().parents[2]


class Closing(Application):
    """Takes `seconds` to close, or raises."""

    def __init__(self, seconds: float = 0.0, error: Exception | None = None) -> None:
        super().__init__()
        self._seconds, self._error = seconds, error

    async def aclose(self) -> None:
        self.notes.append("closing")
        await asyncio.sleep(self._seconds)
        if self._error is not None:
            raise self._error
        self.notes.append("closed")


class StoppingTelemetry(Telemetry):
    """Notes that it was stopped."""

    def __init__(self, application: Application) -> None:
        super().__init__(TelemetryTarget())
        self._application = application

    async def stop(self) -> None:
        self._application.notes.append("telemetry stopped")


def wind_down(application: Application) -> list[str]:
    ending = Installation(application, StoppingTelemetry(application), {}, PATCHES)
    asyncio.run(asyncio.wait_for(ending.wind_down(), 20))
    return application.notes


def test_at_the_end_the_connections_are_closed_and_the_last_records_sent() -> None:
    assert sorted(wind_down(Closing())) == ["closed", "closing", "telemetry stopped"]


@pytest.mark.parametrize("application", [Closing(3600), Closing(error=OSError("secret"))], ids=["hangs", "raises"])
def test_connections_that_do_not_close_hold_nothing_up(
    application: Closing, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "CLOSE_SECONDS", 0.1)
    assert "telemetry stopped" in wind_down(application)
    (record,) = caplog.records
    assert record.getMessage() in (
        "Closing the connections failed: TimeoutError",
        "Closing the connections failed: OSError",
    )


def test_a_client_that_cannot_be_loaded_leaves_the_app_serving_and_the_patches_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Application):
        async def load(self) -> None:
            raise ImportError("no such library")

    application = Broken()
    starting = Installation(application, Telemetry(TelemetryTarget()), {}, PATCHES)
    with caplog.at_level(logging.INFO, "shared.hosting"):
        starting.apply()
        asyncio.run(starting.warm_up())
    assert "Loading the client of the model failed" in caplog.text
    assert application.summary.startswith("own server off")


def test_without_a_server_of_ours_and_without_a_loop_the_patches_are_reported_while_the_app_is_imported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    application = Application()
    in_a_worker = {"azure_functions_runtime": object()}
    with caplog.at_level(logging.INFO, "shared.hosting"):
        Installation(application, Telemetry(TelemetryTarget()), in_a_worker, PATCHES).apply()
    assert application.summary.startswith("own server off")
    assert "Patches: own server off; " in caplog.text
    assert application.notes == []


def imported(code: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "OPENAI_"))}
    env |= {"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", "AZURE_OPENAI_DEPLOYMENT": "gpt"} | settings
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60
    )


def test_importing_the_app_outside_a_worker_warns_of_nothing() -> None:
    done = imported("import logging; logging.basicConfig(level=logging.WARNING); import function_app")
    assert (done.returncode, done.stderr) == (0, "")


def test_making_a_service_patches_nothing_and_listens_to_nothing() -> None:
    code = """
import logging, os
import azurefunctions.extensions.http.fastapi as extension
import azure_functions_runtime.http_v2 as runtime
from shared.service import service_from_env
before = (extension.WebServer.serve, runtime.http_coordinator.get_http_request_async, logging.getLogger("shared").handlers[:])
service_from_env(os.environ)
after = (extension.WebServer.serve, runtime.http_coordinator.get_http_request_async, logging.getLogger("shared").handlers[:])
print(before == after)
"""
    done = imported(
        code, APPLICATIONINSIGHTS_CONNECTION_STRING="InstrumentationKey=x", FUNCTIONS_CORETOOLS_ENVIRONMENT="1"
    )
    assert done.stdout == "True\n", done.stderr


def test_the_functions_file_names_no_framework_in_a_way_that_chooses_another_runtime() -> None:
    # A coming version of the worker looks for these texts, comments included.
    text = (ROOT / "function_app.py").read_text(encoding="utf-8")
    assert "FastAPI()" not in text
    assert "from fastapi import" not in text
