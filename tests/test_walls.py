"""The walls between the packages: each planted import fails the check that `make check` runs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.cells import cells

ROOT = Path(__file__).resolve().parents[1]
PLANTED = [
    ("openai_api.endpoint", "chat.translation"),
    ("openai_api.relay", "chat.encoders"),
    ("upstream.attempts", "chat.request"),
    ("http.response", "chat.negotiation"),
    ("chat.endpoint", "openai_api.request"),
    ("hosting.telemetry", "chat.request"),
    ("page.files", "chat.endpoint"),
    ("config.settings", "receipt"),
    ("errors", "events"),
    # The packages that later features bring.
    ("state.planted", "http.context"),
    ("limits.planted", "openai_api.exchange"),
    ("retrieval.plan", "chat.exchange"),
    ("retrieval.client", "http.context"),
    ("retrieval.markers", "retrieval.stage"),
    ("chat.endpoint", "retrieval.plan"),
    ("upstream.pool", "retrieval.plan"),
]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the check says of a copy in which every one of these imports is planted."""
    root = tmp_path_factory.mktemp("walls")
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "pyproject.toml"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for path in listed:
        if (ROOT / path).is_file():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, root / path)
    for importer, imported in PLANTED:
        module = root / "shared" / Path(*importer.split(".")).with_suffix(".py")
        module.parent.mkdir(exist_ok=True)
        (module.parent / "__init__.py").touch()
        with module.open("a", encoding="utf-8") as source:
            source.write(f"\nimport shared.{imported}\n")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return re.sub(r"\s+", " ", done.stdout)


@cells(("importer", "imported"), PLANTED)
def test_an_import_through_a_wall_fails_the_check(broken: str, importer: str, imported: str) -> None:
    assert f"shared.{importer} -> shared.{imported} (l." in broken
