"""The suite's own rules: what is run again or skipped, what counts as slow, and that CI leaves nothing out."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.distribution import FIRST, TOGETHER, rank_of, scope_of
from tests.host_start import forkable
from tests.node.toolchain import is_offline

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import time
import pytest

runs = []

@pytest.mark.flaky(reruns=1, reason="it is so")
def test_once():
    runs.append(1)
    assert len(runs) > 1, "the first time"

def burn():
    begun = time.process_time()
    while time.process_time() < begun + 0.2:
        pass

def test_long():
    burn()

@pytest.mark.slow
def test_marked():
    burn()
"""
SILENT = ["", "reruns=1", 'reruns=2, reason="it is so"', '1, reason="it is so"', 'reruns=1, reason=""']


def run(
    folder: Path, code: str, *options: str, plugins: Sequence[str] | None = ("pytest_rerunfailures",)
) -> subprocess.CompletedProcess[str]:
    """Run a file of tests under this project's settings and conftest; `plugins` are those installed that it has, None all."""
    (folder / "test_file.py").write_text(code, encoding="utf-8")
    loaded = [f"-p{name}" for name in ("tests.conftest", "no:cacheprovider", *(plugins or ()))]
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder), *loaded]
    return subprocess.run(
        [*command, *options, str(folder)],
        cwd=ROOT,
        env=os.environ | ({} if plugins is None else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def verb(name: str) -> str:
    """What `make` would run."""
    # Without what `make test TESTS=…` was given, which it passes on by its name too.
    own = ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "TESTS", "COVERAGE", "PROCESSES")
    env = {name: value for name, value in os.environ.items() if name not in own}
    command = ["make", "--dry-run", *name.split()]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is printed about `TESTS`."""
    folder = tmp_path_factory.mktemp("suite")
    found = run(folder, TESTS, "--rerun-show-tracebacks", "--override-ini=slow_cpu_seconds=0.1")
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout.splitlines()


def test_a_rerun_is_printed_with_its_failure_and_counted_in_the_closing_line(lines: list[str]) -> None:
    assert "3 passed, 1 rerun in" in lines[-1]
    assert any(line.startswith("RERUN ") and "test_once" in line for line in lines)
    assert any("AssertionError: the first time" in line for line in lines)


FORKED = """
import os
from pathlib import Path

IMPORTS = Path(__file__).with_name("imports")
with IMPORTS.open("a") as file:
    print(os.getpid(), file=file)

def test_here():
    assert IMPORTS.read_text().split() != [str(os.getpid())]
"""


@pytest.mark.skipif(not forkable(), reason="forked on Linux alone")
def test_a_process_of_xdist_is_forked_from_one_that_has_imported_the_tests(tmp_path: Path) -> None:
    found = run(tmp_path, FORKED, "-n1", plugins=None)
    assert found.returncode == 0, found.stdout + found.stderr
    assert len((tmp_path / "imports").read_text().split()) == 1


def test_a_rerun_without_a_reason_is_an_error(tmp_path: Path) -> None:
    tests = [f"@pytest.mark.flaky({mark})\ndef test_{n}(): pass\n" for n, mark in enumerate(SILENT)]
    found = run(tmp_path, "\n".join(["import pytest", *tests]))
    assert found.returncode == pytest.ExitCode.USAGE_ERROR
    assert 'write @pytest.mark.flaky(reruns=1, reason="…")' in found.stderr
    assert [n for n in range(len(SILENT)) if f"test_file.py::test_{n}" not in found.stderr] == []


def test_a_long_test_that_is_not_marked_slow_is_named(lines: list[str]) -> None:
    (line,) = [line for line in lines if line.startswith("LONG ")]
    assert "test_file.py::test_long took " in line


@pytest.mark.parametrize("name", ["test", "test-page", "test-slow"])
def test_a_verb_prints_the_failure_of_a_rerun_and_the_longest_tests(name: str) -> None:
    assert "--rerun-show-tracebacks" in verb(name)
    assert "--durations=" in verb(name)


def test_ci_leaves_no_test_out_and_fails_below_the_coverage() -> None:
    """What `make test` leaves out is what `make test-page` and `make test-slow` run; with a file named, everything in it."""
    script = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert "make test COVERAGE=1" in script
    assert "make test-page" in script
    assert "make test-slow" in script
    assert "--cov" in verb("test COVERAGE=1")
    assert '-m "not slow and not browser" ' in verb("test")
    assert '-m "browser and not slow" ' in verb("test-page")
    assert '-m "slow" ' in verb("test-slow")
    assert "slow" not in verb("test TESTS=tests/dev")


def test_before_all_tests_run_what_they_need_is_installed_the_type_check_and_the_contracts_too() -> None:
    installs = verb("test VENV=.venv-none")
    assert [lock for lock in ("test", "check") if f"dev/requirements-{lock}.txt" not in installs] == []


def test_the_tests_of_a_file_and_of_a_folder_with_one_app_share_a_process() -> None:
    places = [*(start for starts in TOGETHER.values() for start in starts), *FIRST[len(TOGETHER) :]]
    assert [place for place in places if not (ROOT / place).exists()] == []
    assert scope_of("tests/clients/test_chat.py::test_a[b]") == scope_of("tests/clients/test_bytes.py::test_c")
    assert scope_of("tests/clients/test_chat.py::test_a") != scope_of("tests/clients/test_media.py::test_a")
    assert scope_of("tests/worker/test_chat.py::test_a[b::c]") == "tests/worker/test_chat.py"
    assert (
        rank_of("tests/clients/test_media.py::test_a")
        < rank_of("tests/worker/test_chat.py::test_a")
        < rank_of("tests/x.py")
    )


def test_ci_runs_nothing_again_by_itself() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "--last-failed" not in script
    assert "||" not in script.partition("make check")[2]


SKIPPED = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_skipped(number):
    pytest.skip("needs a browser: apt-get install chromium")

@pytest.mark.skipif(True, reason="needs Linux")
def test_elsewhere():
    pass
"""


def test_each_reason_for_skipping_is_printed_once_with_the_number_of_tests(tmp_path: Path) -> None:
    found = run(tmp_path, SKIPPED)
    lines = [line for line in found.stdout.splitlines() if line.startswith("SKIPPED")]
    assert lines == ["SKIPPED [3] needs a browser: apt-get install chromium", "SKIPPED [1] needs Linux"]


@pytest.mark.parametrize(
    ("log", "offline"),
    [
        ("npm error code ENOTFOUND\nnpm error network request to https://registry.npmjs.org/x failed", True),
        ("npm error code EAI_AGAIN", True),
        ("npm error code E404\nnpm error 404 Not Found", False),
        ("npm error code EUSAGE", False),
    ],
)
def test_only_a_missing_network_excuses_what_npm_cannot_install(log: str, offline: bool) -> None:
    assert is_offline(log) is offline
