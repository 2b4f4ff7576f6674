"""A copy of what describes the deployment, to plant errors in."""

import shutil
from pathlib import Path

import pytest

from tests.infra.planting import ROOT


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The parts of the project that the checks read, in a directory of their own."""
    for directory in ("infra", ".github"):
        shutil.copytree(ROOT / directory, tmp_path / directory, ignore=shutil.ignore_patterns(".terraform*"))
    (tmp_path / "shared").mkdir()
    for name in ("azure.yaml", "README.md", "local.settings.json.example", "shared/settings.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path
