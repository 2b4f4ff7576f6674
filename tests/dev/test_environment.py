"""The environment that `make` installs into: what an interruption leaves behind is repaired, and each failure is a sentence."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev import environment

ROOT = Path(__file__).resolve().parents[2]
MAKE = shutil.which("make") or "make"
PIP = "pip 25.0 from /somewhere/pip (python 3.13)"
PYTHON = Path(sys.base_prefix) / "bin" / f"python{environment.VERSION}"


def write_program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def write_installed(folder: Path, name: str, *, complete: bool = True) -> None:
    dist_info = folder / "lib" / f"python{environment.VERSION}" / "site-packages" / f"{name}-1.0.dist-info"
    dist_info.mkdir(parents=True)
    (dist_info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    if complete:
        (dist_info / "RECORD").touch()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An environment in which pip answers and two packages are installed."""
    folder = tmp_path / ".venv"
    write_program(folder / "bin" / "python", f"echo '{PIP}'")
    write_installed(folder, "openai")
    write_installed(folder, "Azure_Core")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the Makefile and nothing to install."""
    project = tmp_path / "a project"
    (project / "dev").mkdir(parents=True)
    for path in ("Makefile", "dev/environment.py"):
        shutil.copyfile(ROOT / path, project / path)
    (project / "dev/requirements-run.txt").write_text("# nothing\n", encoding="utf-8")
    return project


def make(project: Path, target: str, **environ: str) -> subprocess.CompletedProcess[str]:
    write_program(project / "bin/python3.13", f'exec "{PYTHON}" "$@"')
    passed = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    passed["PATH"] = f"{project / 'bin'}{os.pathsep}{passed['PATH']}"
    return subprocess.run(
        [MAKE, target], cwd=project, env=passed | environ, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_complete_environment_is_kept(folder: Path) -> None:
    assert environment.damage(folder) is None


def test_an_environment_without_python_is_damaged(folder: Path) -> None:
    (folder / "bin/python").unlink()
    assert environment.damage(folder) == "it has no Python"


def test_an_environment_whose_pip_does_not_answer_is_damaged(folder: Path) -> None:
    write_program(folder / "bin/python", "echo No module named pip >&2; exit 1")
    assert environment.damage(folder) == "it has no working pip"


def test_an_environment_of_another_python_is_damaged(folder: Path) -> None:
    write_program(folder / "bin/python", "echo 'pip 25.0 from /somewhere/pip (python 3.12)'")
    assert environment.damage(folder) == "it is not of Python 3.13"


def test_a_package_that_was_being_installed_is_damage(folder: Path) -> None:
    write_installed(folder, "aiohttp", complete=False)
    assert environment.damage(folder) == "an installation was interrupted (aiohttp-1.0.dist-info)"


def test_a_package_that_was_being_replaced_is_damage(folder: Path) -> None:
    (folder / "lib/python3.13/site-packages/~penai").mkdir()
    assert environment.damage(folder) == "an installation was interrupted (~penai)"


def test_the_packages_to_install_are_those_of_this_platform_that_are_not_there(folder: Path, tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(
        "# a comment\n"
        "azure-core==1.0 \\\n    --hash=sha256:00\n"
        "openai[aiohttp]==1.0 \\\n    --hash=sha256:00\n"
        "httpx2-jsfetch==1.0 ; sys_platform == 'emscripten' \\\n    --hash=sha256:00\n"
        "httpcore2==1.0 ; sys_platform != 'emscripten' \\\n    --hash=sha256:00\n"
        "yarl==1.0\n",
        encoding="utf-8",
    )
    assert environment.missing(folder, requirements) == {"httpcore2", "yarl"}


def test_a_python_without_the_venv_module_is_one_sentence_and_leaves_nothing_behind(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_program(tmp_path / "python3.13", 'mkdir -p "$3/bin"; echo "ensurepip is not available" >&2; exit 1')

    assert not environment.build(folder, str(tmp_path / "python3.13"))

    assert not folder.exists()
    assert "apt install python3.13-venv" in capfd.readouterr().err.splitlines()[-1]


def test_an_environment_that_is_a_link_is_replaced_and_what_it_leads_to_is_left(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    write_program(tmp_path / "python3.13", 'mkdir "$3"')

    assert environment.build(link, str(tmp_path / "python3.13"))

    assert not link.is_symlink()
    assert (folder / "bin/python").exists()


def test_a_first_run_that_was_interrupted_is_repaired_by_the_next(project: Path) -> None:
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", project / ".venv"], check=True)

    found = make(project, ".venv/.ready-run")

    assert found.returncode == 0, found.stderr
    assert "Building .venv anew: it has no working pip" in found.stderr
    assert environment.damage(project / ".venv") is None
    assert (project / ".venv/.ready-run").exists()


def test_a_failed_installation_leaves_no_stamp_and_says_beforehand_what_it_installs(project: Path) -> None:
    write_program(
        project / ".venv/bin/python", f'[ "$3" = --version ] && echo "{PIP}" && exit; echo "no network" >&2; exit 1'
    )
    (project / "dev/requirements-run.txt").write_text("openai==3.0\nyarl==1.0\n", encoding="utf-8")

    found = make(project, ".venv/.ready-run")

    assert found.returncode != 0
    said, cause, *_ = found.stderr.splitlines()
    assert said.startswith(
        "Installing 2 packages and what they need into .venv (dev/requirements-run.txt): half a minute"
    )
    assert cause == "no network"
    assert not (project / ".venv/.ready-run").exists()


@pytest.fixture
def bare(project: Path, tmp_path: Path) -> dict[str, str]:
    """The variables of a machine on which no Python 3.13 is found."""
    (tmp_path / "nothing").mkdir()
    return {"PATH": str(tmp_path / "nothing"), "HOME": str(tmp_path), "PYENV_ROOT": str(tmp_path)}


def test_without_python_and_uv_the_way_to_both_is_said(project: Path, bare: dict[str, str]) -> None:
    found = make(project, ".venv/.ready-run", **bare)

    assert found.returncode != 0
    assert "there is no uv" in found.stderr
    assert "curl -LsSf https://astral.sh/uv/install.sh | sh" in found.stderr


@pytest.mark.parametrize("place", ["nothing/uv", ".local/bin/uv"])
def test_a_uv_that_fails_is_quoted(project: Path, bare: dict[str, str], tmp_path: Path, place: str) -> None:
    write_program(
        tmp_path / place, '[ "$2" = find ] && exit 2; echo "error: failed to look up the address" >&2; exit 1'
    )

    found = make(project, ".venv/.ready-run", **bare)

    assert found.returncode != 0
    assert "uv could not install it: error: failed to look up the address" in found.stderr
    assert "there is no uv" not in found.stderr
