"""The package as it is deployed: reproducible, complete, and started without compiling anything."""

import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.package import NOT_RUN, SITE_PACKAGES
from dev.simulator.control import Simulator
from tests.app_process import App
from tests.infra.package_files import taken_by_azd, taken_by_core_tools
from tests.platforms import only_on_linux

ROOT = Path(__file__).resolve().parents[2]
LARGEST_BYTES = 40_000_000
"""Of the zip, which every new instance reads."""

pytestmark = [pytest.mark.slow, only_on_linux("the packages are Linux's")]


def _built(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dev.package", *arguments], cwd=ROOT, check=True, timeout=300)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("package") / "app.zip"
    _built("--output", str(path))
    return path


@pytest.fixture(scope="module")
def deployed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The zip, unpacked with the times of unpacking, on folders that cannot be written to."""
    folder = tmp_path_factory.mktemp("deployed") / "app"
    with zipfile.ZipFile(built) as packed:
        packed.extractall(folder)
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    yield folder
    for path in folders:
        path.chmod(stat.S_IRWXU)


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_two_builds_are_equal_and_no_larger_than_needed(built: Path, tmp_path: Path) -> None:
    _built("--output", str(tmp_path / "again.zip"))
    assert built.read_bytes() == (tmp_path / "again.zip").read_bytes()
    assert built.stat().st_size < LARGEST_BYTES


def test_a_folder_of_it_is_what_azd_and_core_tools_upload(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "app"
    _built("--folder", str(folder))
    with zipfile.ZipFile(built) as packed:
        names = set(packed.namelist())
    assert taken_by_azd(folder) == names
    assert taken_by_core_tools(folder) == names


def test_no_module_of_it_imports_what_was_left_out(deployed: Path) -> None:
    left_out = "|".join(name for name in NOT_RUN if name not in {"bin", "samples"})
    imports = re.compile(rf"^\s*(?:from|import) (?:{left_out})\b", re.MULTILINE)
    found = [path for path in deployed.rglob("*.py") if imports.search(path.read_text(encoding="utf-8"))]
    assert found == []
    assert not any((deployed / SITE_PACKAGES / name).exists() for name in NOT_RUN)


def test_it_streams_from_a_read_only_folder_with_nothing_compiled(
    deployed: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _files(deployed)
    # For root the folder is not read-only: what Python compiles would be found as a new file.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    with App.start(simulator, arguments=("--app", str(deployed))) as app:
        seen = app.chat('hi [[sim {"tokens": ["one", " two"], "interval": 0}]]')
        assert (seen.status, seen.ending) == (200, "complete")
        text = "".join(event["text"] for event in seen.events if event["type"] == "delta")
        libraries = Path(f"/proc/{app.worker_pid}/maps").read_text(encoding="utf-8")
    assert text == "one two"
    assert str(deployed / SITE_PACKAGES / "pydantic_core") in libraries
    assert _files(deployed) == before
