"""Which packages `make run` installs besides the core, because a setting asks for what needs them."""

import re
from pathlib import Path

import pytest

from dev import features
from shared.hosting.telemetry_target import TelemetryTarget
from shared.state.signing_key import KeyStoreError
from shared.state.storage_account import StorageAccount

ROOT = Path(__file__).resolve().parents[2]
VALUES = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=00000000-0000-0000-0000-000000000000",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "AzureWebJobsStorage__accountName": "account",
    "AzureWebJobsStorage__blobServiceUri": "https://account.blob.core.windows.net",
    "AzureWebJobsStorage__tableServiceUri": "https://account.table.core.windows.net",
    "AzureWebJobsStorage__clientId": "00000000-0000-0000-0000-000000000000",
}


def is_used(values: dict[str, str]) -> bool:
    """Whether the app has a storage account, or sends its telemetry to Azure."""
    return StorageAccount.from_env(values) is not None or bool(TelemetryTarget.from_env(values).connection_string)


def test_the_settings_that_ask_are_those_without_which_the_app_uses_no_service_of_azures() -> None:
    read = re.findall(r'"(AzureWebJobs\w+)"', (ROOT / "shared/state/storage_account.py").read_text(encoding="utf-8"))
    assert set(read) <= VALUES.keys()
    assert {name for name, value in VALUES.items() if is_used({name: value})} == features.NEEDED.keys()
    assert features.asking_settings(VALUES) == list(features.NEEDED)
    assert features.asking_settings(dict.fromkeys(VALUES, " ")) == []
    with pytest.raises(KeyStoreError):  # an invalid value asks too, and the app says what is wrong with it
        StorageAccount.from_env({"AzureWebJobsStorage__accountName": "Not A Name"})


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of an app without settings, in a shell without them."""
    for name in features.NEEDED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(features, "ROOT", tmp_path)
    (tmp_path / "host.json").write_text("{}", encoding="utf-8")
    return tmp_path


def test_settings_that_ask_for_nothing_and_those_that_cannot_be_read_print_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in (
        '{"IsEncrypted": false, "Values": {"AzureWebJobsStorage": ""}}',
        '{"Values": {"AzureWebJobsStorage": "x"}}',
    ):
        (root / "local.settings.json").write_text(text, encoding="utf-8")
        assert (features.main(), *capsys.readouterr()) == (0, "", "")


def test_a_setting_of_the_shell_or_of_the_file_asks_and_what_is_missing_is_said_with_the_reason(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '{"IsEncrypted": false, "Values": {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}}'
    (root / "local.settings.json").write_text(text, encoding="utf-8")
    (root / features.LOCK).write_text("azure-storage-blob==1.0\nnowhere-installed==1.0\n", encoding="utf-8")
    why = "AzureWebJobsStorage is set, so the app needs azure-storage-blob and azure-data-tables\n"
    assert (features.main(), *capsys.readouterr()) == (0, "app\n", why)

    (root / "local.settings.json").unlink()
    (root / features.LOCK).write_text("azure-storage-blob==1.0\n", encoding="utf-8")
    monkeypatch.setenv("APPLICATIONINSIGHTS_CONNECTION_STRING", "InstrumentationKey=x")
    assert (features.main(), *capsys.readouterr()) == (0, "app\n", "")
