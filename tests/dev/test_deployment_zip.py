"""The package that `make package` builds: what a deployment uploads, the same bytes each time."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dev import package
from dev.package import NotPackaged, built_files, deployed, is_run, source_files, write_folder, write_zip

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with an app, things of its development, and a secret that nobody committed."""
    files = {
        ".funcignore": "/*\n!/function_app.py\n!/shared\n!/shared/**\n*.log\n",
        "function_app.py": "app = 1\n",
        "shared/__init__.py": "",
        "shared/debug.log": "",
        "dev/run.py": "",
        "Makefile": "",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "--all", "--force"], check=True)
    (tmp_path / "shared/secret.py").write_text("KEY = 1\n", encoding="utf-8")
    return tmp_path


def test_it_has_the_committed_files_that_are_not_ignored(project: Path) -> None:
    assert deployed(project) == ["function_app.py", "shared/__init__.py"]


def test_the_app_is_in_it_and_nothing_of_its_development() -> None:
    files = deployed(ROOT)
    assert {"function_app.py", "host.json", "requirements.txt", "shared/__init__.py", "shared/version.py"} <= set(files)
    assert {path.partition("/")[0] for path in files} == {"function_app.py", "host.json", "requirements.txt", "shared"}


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one", encoding="utf-8")
    (tmp_path / "b").write_text("two", encoding="utf-8")
    write_zip(tmp_path / "first.zip", [("b", tmp_path / "b"), ("sub/a", tmp_path / "a")])
    (tmp_path / "a").touch()
    (tmp_path / "a").chmod(0o700)
    write_zip(tmp_path / "second.zip", [("sub/a", tmp_path / "a"), ("b", tmp_path / "b")])
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "first.zip") as written:
        assert {name: written.read(name) for name in written.namelist()} == {"b": b"two", "sub/a": b"one"}


def test_a_file_that_git_does_not_know_is_named_instead_of_left_out(project: Path) -> None:
    with pytest.raises(NotPackaged, match=r"git does not know shared/secret\.py\. "):
        source_files(project)


def test_a_folder_without_git_counts_as_committed(project: Path, tmp_path: Path) -> None:
    (project / ".git").rename(tmp_path / "away.log")
    assert sorted(source_files(project)) == ["function_app.py", "shared/__init__.py", "shared/secret.py"]


@pytest.mark.parametrize(
    ("path", "is_needed"),
    [
        ("openai/_client.py", True),
        ("openai-3.52.0.dist-info/METADATA", True),
        ("openai-3.52.0.dist-info/RECORD", False),
        ("openai/py.typed", True),
        ("opentelemetry_api-1.45.2.dist-info/entry_points.txt", True),
        ("aiohttp/_http_parser.cpython-313-x86_64-linux-gnu.so", True),
        ("aiohttp/_http_parser.pyx", False),
        ("multidict/_abc.pyi", False),
        ("certifi/tests/test_certifi.py", False),
        ("_cffi_backend.cpython-313-x86_64-linux-gnu.so", True),
        ("cffi/api.py", False),
        ("cffi-2.1.1.dist-info/METADATA", False),
        ("bin/uvicorn", False),
    ],
)
def test_what_a_running_app_may_need_is_kept(path: str, *, is_needed: bool) -> None:
    assert is_run(path) is is_needed


def test_another_python_than_the_deployed_one_builds_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "PYTHON", (3, 1))
    with pytest.raises(NotPackaged, match=r"this is Python 3\.\d+, whose bytecode Python 3\.1 ignores"):
        built_files(tmp_path)


def test_a_folder_is_replaced_only_where_it_was_a_package(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("{}", encoding="utf-8")
    app = tmp_path / "app"
    write_folder(app, {"host.json": tmp_path / "host.json", "shared/old.py": tmp_path / "host.json"})
    write_folder(app, {"host.json": tmp_path / "host.json"})
    assert sorted(path.name for path in app.rglob("*")) == [".funcignore", "host.json"]
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").touch()
    with pytest.raises(NotPackaged, match="home has files and is no package"):
        write_folder(tmp_path / "home", {})
    assert (tmp_path / "home" / "letter.txt").exists()


def test_the_verb_writes_it_and_says_where(tmp_path: Path) -> None:
    output = tmp_path / "made" / "app.zip"
    command = [sys.executable, "-m", "dev.package", "--source", "--output", str(output)]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    assert printed.startswith(f"{output}: ")
    with zipfile.ZipFile(output) as written:
        assert sorted(written.namelist()) == sorted(deployed(ROOT))
