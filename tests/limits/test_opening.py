"""Where limits are kept, by what the platform says of its storage; and that nothing is loaded where there are none."""

import asyncio
import logging
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest

from shared.config.settings import Settings
from shared.demand import Demand
from shared.errors import LimitsUnavailable
from shared.limits.opening import open_limiter
from tests.harness.app import environment
from tests.harness.cells import cells
from tests.state.azurite import Account

LIMITS = {"CALLER_LIMITS": '{"*": {"streams": 1}}', "LIMITS_WHEN_STORE_FAILS": "closed"}


def make_credential(_: str) -> Any:
    raise AssertionError("no credential is needed")


def ask(env: dict[str, str]) -> None:
    """Ask for one answer."""

    async def main() -> None:
        limiter = open_limiter(Settings.from_env(environment(1, **LIMITS)), env, make_credential)
        await limiter.load()
        try:
            await limiter.admit("alice", "m", Demand(1))
        finally:
            await limiter.close()

    asyncio.run(main())


def test_on_a_machine_without_storage_they_hold_in_one_process_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ask({})
    assert "CALLER_LIMITS hold in this process only" in caplog.text


def test_a_connection_string_is_used_in_development(table_account: Account) -> None:
    for _ in range(5):
        with suppress(LimitsUnavailable):  # a busy machine
            return ask({"AzureWebJobsStorage": table_account.connection_string})
    pytest.fail("the emulator was never asked in time")


@pytest.mark.parametrize(
    "env",
    [
        {"WEBSITE_SITE_NAME": "func"},
        {"WEBSITE_SITE_NAME": "func", "AzureWebJobsStorage__blobServiceUri": "https://st.blob.core.windows.net/"},
        {"AzureWebJobsStorage__accountName": "Not A Name"},
    ],
)
def test_storage_that_cannot_be_used_is_a_store_that_fails(
    env: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    with pytest.raises(LimitsUnavailable):
        ask(env)
    assert "AzureWebJobsStorage" in caplog.text


def test_a_client_of_tables_that_is_not_installed_is_named_in_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "azure.data.tables.aio", None)
    with pytest.raises(LimitsUnavailable):
        ask({"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    assert "the module azure.data.tables.aio is missing; its package is in requirements.txt" in caplog.text


@cells(("limits", "is_loaded"), [("", False), ('{"*": {"streams": 1}}', True)])
def test_nothing_is_imported_without_limits(limits: str, *, is_loaded: bool) -> None:
    program = (
        "import sys; from shared.service import service_from_env\n"
        "async def main(): service_from_env({'AZURE_OPENAI_ENDPOINT': 'https://a.openai.azure.com',"
        f" 'AUTH_MODE': 'anonymous', 'CALLER_LIMITS': {limits!r}}})\n"
        "import asyncio; asyncio.run(main())\n"
        "print('shared.limits' in sys.modules, 'azure.data' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(is_loaded), "False"]
