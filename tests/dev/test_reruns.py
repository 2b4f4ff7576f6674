"""A test is run again only where it says why, and never silently."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAILS_ONCE = """
import pathlib
import pytest

@pytest.mark.flaky({arguments})
def test_once():
    seen = pathlib.Path({seen!r})
    first = not seen.exists()
    seen.touch()
    assert not first, "the first time"
"""


def run(folder: Path, arguments: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a test that fails the first time, under this project's settings and conftest."""
    (folder / "test_once.py").write_text(
        FAILS_ONCE.format(arguments=arguments, seen=str(folder / "seen")), encoding="utf-8"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        str(ROOT / "pyproject.toml"),
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
    ]
    command += ["--rootdir", str(folder), *options, str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_a_rerun_is_printed_and_counted_in_the_closing_line(tmp_path: Path) -> None:
    found = run(tmp_path, 'reruns=1, reason="it is so"')
    assert found.returncode == 0, found.stdout + found.stderr
    lines = found.stdout.splitlines()
    assert "1 passed, 1 rerun in" in lines[-1]
    assert any(line.startswith("RERUN ") and "test_once" in line for line in lines)


def test_the_verb_prints_the_failure_too(tmp_path: Path) -> None:
    command = subprocess.run(["make", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--rerun-show-tracebacks" in command
    found = run(tmp_path, 'reruns=1, reason="it is so"', "--rerun-show-tracebacks")
    assert "AssertionError: the first time" in found.stdout


@pytest.mark.parametrize(
    "arguments", ["", "reruns=1", 'reruns=2, reason="it is so"', '1, reason="it is so"', 'reruns=1, reason=""']
)
def test_a_rerun_without_a_reason_is_an_error(tmp_path: Path, arguments: str) -> None:
    found = run(tmp_path, arguments)
    assert found.returncode == pytest.ExitCode.USAGE_ERROR
    assert 'write @pytest.mark.flaky(reruns=1, reason="…")' in found.stderr


def test_ci_runs_nothing_again_by_itself() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "--last-failed" not in script
    assert "||" not in script.partition("make check")[2]
