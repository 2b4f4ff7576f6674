"""What is deployed: the app, and nothing that is only good for its development or that may hold a secret."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.cells import cells
from tests.infra.package_files import (
    IGNORE_FILE,
    AzdRules,
    CoreToolsRules,
    taken_by_azd,
    taken_by_core_tools,
    taken_by_git,
)
from tests.infra.planting import ROOT

LARGEST_PACKAGE_BYTES = 2_500_000
"""Of files, before they are compressed; the app has 2.0 MB, of which the page's libraries are a third."""
LARGEST_PACKAGE_FILES = 280

INSTALLED = {
    ".python_packages/lib/site-packages/aiohttp/.libs/x.so",
    ".python_packages/lib/site-packages/openai/__init__.py",
    ".python_packages/lib/site-packages/openai/__pycache__/_client.cpython-313.pyc",
    ".python_packages/lib/site-packages/six.py",
}
"""What a build on this machine adds."""

STAYS = (
    ".env",
    ".env.local",
    ".envrc",
    ".azure/chat/.env",
    ".coverage",
    ".DS_Store",
    ".idea/workspace.xml",
    ".python-version",
    ".state/signing-key-1",
    ".terraform/providers/x",
    ".venv/bin/python",
    ".venv/lib/python3.13/site-packages/openai/__init__.py",
    ".venv-infra/bin/python",
    ".vscode/settings.json",
    "__pycache__/function_app.cpython-313.pyc",
    "client/__main__.py",
    "dev/__pycache__/run.cpython-313.pyc",
    "func.log",
    "id_rsa",
    "infra/terraform/terraform.tfstate",
    "key.pem",
    "local.settings.json",
    "local.settings.json.bak",
    "local.settings.prod.json",
    "node_modules/marked/index.js",
    "notes.txt",
    "secrets.json",
    "shared-old/service.py",
    "shared/.DS_Store",
    "shared/.env",
    "shared/.idea/workspace.xml",
    "shared/.vscode/settings.json",
    "shared/__pycache__/service.cpython-313.pyc",
    "shared/debug.log",
    "shared/page/.DS_Store",
    "shared/page/.idea/workspace.xml",
    "shared/page/node_modules/marked/index.js",
    "shared/page/vendor/.DS_Store",
    "shared/upstream/dialects/__pycache__/chat.cpython-313.pyc",
    "venv/bin/python",
    "venv/lib/python3.13/site-packages/openai/__init__.py",
)
"""What a worked-in folder has and no deployment may have."""

PARSERS = cells("taken_from", [taken_by_core_tools, taken_by_azd, taken_by_git], ids=["core-tools", "azd", "git"])


def committed() -> list[str]:
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it is committed, worked in; the tests only read it."""
    tmp_path = tmp_path_factory.mktemp("folder")
    for path in committed():
        if (ROOT / path).is_file():  # and not deleted since
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, tmp_path / path)
    for path in (*STAYS, *INSTALLED):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x", encoding="utf-8")
    (tmp_path / ".venv/lib64").symlink_to("lib")
    return tmp_path


@PARSERS
def test_of_a_folder_that_was_worked_in_the_app_alone_is_deployed(
    folder: Path, taken_from: Callable[[Path], set[str]]
) -> None:
    app = {path for path in committed() if path.startswith("shared/")} | {
        "function_app.py",
        "host.json",
        "requirements.txt",
    }
    assert taken_from(folder) == app | INSTALLED


@PARSERS
def test_the_package_is_small(folder: Path, taken_from: Callable[[Path], set[str]]) -> None:
    """`pytest -s` shows the list."""
    sizes = {path: (folder / path).stat().st_size for path in sorted(taken_from(folder) - INSTALLED)}
    for path, size in sizes.items():
        print(f"{size:9,}  {path}")
    print(f"{sum(sizes.values()):9,}  in {len(sizes)} files")
    assert sum(sizes.values()) < LARGEST_PACKAGE_BYTES
    assert len(sizes) < LARGEST_PACKAGE_FILES


def test_the_ignore_file_is_plain_enough_for_each_parser() -> None:
    text = (ROOT / IGNORE_FILE).read_text(encoding="utf-8")
    for line in text.splitlines():
        assert line == line.strip(), "white space belongs to a pattern for azd"
        assert "\\" not in line, "an escape is literal for Core Tools"


@cells(
    ("path", "is_kept"),
    [
        ("test/index.js", True),
        ("test2", False),
        ("test1File.wat", True),
        ("test.swp", False),
        ("node_modules/what.js", False),
        ("foo/bar.wat", False),
        ("othernonexistent/blah/what", False),
        ("nonexistent/bar", False),
        ("nonexistent/foo", True),
        ("nonexistent/foo/wat", True),
    ],
)
def test_core_tools_rules_answer_as_its_own_tests_ask(path: str, *, is_kept: bool) -> None:
    """From test/Cli/Func.UnitTests/ParserTests/GitIgnoreParserTests.cs."""
    lines = ["node_modules", "*.log", "nonexistent", "!/nonexistent/foo", "/baz", "foo/*.wat", "/test1", "test2"]
    lines += ["othernonexistent/**/what", "!/othernonexistent/**/what/foo", "*.swp"]
    assert CoreToolsRules("\n".join(lines)).keeps(path) is is_kept


def test_core_tools_rules_find_no_empty_star_and_no_deeper_folder() -> None:
    rules = CoreToolsRules(".venv*\n.env*\n__pycache__")
    assert not rules.keeps(".venv-infra/bin/python")
    assert rules.keeps(".venv/bin/python")
    assert rules.keeps(".env")
    assert rules.keeps("shared/__pycache__/service.cpython-313.pyc")


@cells(
    ("pattern", "path", "is_kept"),
    [
        ("vmlinux*", "arch/foo/vmlinux.lds.S", False),
        ("dirpattern/", "my/path/to/dirpattern/", False),
        ("dirpattern/", "my/path/to/dirpattern", True),
        ("exclude/**", "exclude/dir1/dir2/", False),
        ("exclude/**", "foo/exclude/some_file.txt", True),
        ("exclude/**", "exclude/", False),
        ("**/foodir/bar", "foodir/bar/", False),
        ("/rootsubdir/", "rootsubdir/", False),
        ("/rootsubdir/", "subdir/rootsubdir/", True),
        ("*.[oa]", "src/internal.o", False),
        ("Documentation/*.pdf", "tools/perf/Documentation/perf.pdf", True),
        ("Documentation/**/p*.pdf", "Documentation/ppc/ppc.pdf", False),
        ("**/hide/**", "subdir/hide/foo", False),
        ("nor/is**this", "nor/is-this", True),
        ("/*", "shared/service.py", False),
    ],
)
def test_azd_rules_answer_as_the_tests_of_its_library_ask(pattern: str, path: str, *, is_kept: bool) -> None:
    """From defn_test.go; the last is what fnmatch without FNM_PATHNAME says."""
    assert AzdRules(pattern).keeps(path.rstrip("/"), is_folder=path.endswith("/")) is is_kept


@cells("text", ["FastAPI()", "from fastapi import"])
def test_the_worker_finds_no_text_that_makes_it_take_another_runtime(text: str) -> None:
    """A branch of the Python worker looks for these in function_app.py, comments included."""
    assert text not in (ROOT / "function_app.py").read_text(encoding="utf-8")
