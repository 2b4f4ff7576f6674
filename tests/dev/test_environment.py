"""The environment that `make` installs into: what an interruption leaves behind is repaired, and each failure is a sentence."""

import io
import os
import shutil
import subprocess
import sys
import threading
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
    write_installed(folder, "pip")
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
    for lock in ("requirements.txt", "dev/requirements-run.txt", "dev/requirements-collector.txt"):
        (project / lock).write_text("# nothing\n", encoding="utf-8")
    return project


def make(project: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    write_program(project / "bin/python3.13", f'exec "{PYTHON}" "$@"')
    passed = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    # No uv but the one that a test puts there.
    kept = [one for one in passed["PATH"].split(os.pathsep) if not (Path(one) / "uv").exists()]
    passed["PATH"] = os.pathsep.join([str(project / "bin"), *kept])
    passed["HOME"] = str(project)
    return subprocess.run(
        [MAKE, *arguments], cwd=project, env=passed | environ, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_complete_environment_is_kept(folder: Path) -> None:
    assert environment.damage(folder) is None


def test_an_environment_without_python_is_damaged(folder: Path) -> None:
    (folder / "bin/python").unlink()
    assert environment.damage(folder) == "it has no Python"


def test_an_environment_whose_pip_does_not_answer_is_damaged(folder: Path) -> None:
    write_program(folder / "bin/python", "echo No module named pip >&2; exit 1")
    assert environment.damage(folder) == "it has no working pip"


def test_a_pip_that_was_being_unpacked_is_damage(folder: Path) -> None:
    shutil.rmtree(folder / f"lib/python{environment.VERSION}/site-packages/pip-1.0.dist-info")
    assert environment.damage(folder) == "it has no complete pip"


def test_what_uv_was_installing_is_damage_although_it_looks_complete(folder: Path) -> None:
    (folder / environment.MARK_OF_UV).touch()
    assert environment.damage(folder) == "an installation with uv was interrupted"


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


@pytest.mark.parametrize(
    ("lock", "is_complete"),
    [
        ("azure-core==1.0 \\\n    --hash=sha256:00\nopenai[aiohttp]==1.0 \\\n    --hash=sha256:00\n", True),
        ("azure-core==1.1 \\\n    --hash=sha256:00\n", False),
        ("azure-core==1.0 \\\n    --hash=sha256:00\nyarl==1.0 \\\n    --hash=sha256:00\n", False),
        ("azure-core==1.0\n", False),  # no lock: what it needs besides is not known
    ],
    ids=["all", "another-version", "one-is-missing", "no-lock"],
)
def test_pip_is_not_asked_where_all_that_a_lock_pins_is_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: str, *, is_complete: bool
) -> None:
    asked: list[str] = []

    def install(*_: object) -> int:
        asked.append("pip")
        return 0

    monkeypatch.setattr(environment, "install", install)
    (tmp_path / "requirements.txt").write_text(lock, encoding="utf-8")
    assert environment.main(folder, tmp_path / "requirements.txt", "a minute") == 0
    assert asked == ([] if is_complete else ["pip"])


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


@pytest.mark.slow
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
    write_installed(project / ".venv", "pip")
    (project / "dev/requirements-run.txt").write_text("openai==3.0\nyarl==1.0\n", encoding="utf-8")

    found = make(project, ".venv/.ready-run")

    assert found.returncode != 0
    said, cause, *_ = found.stderr.splitlines()
    assert said == (
        "Installing 2 packages and what they need into .venv (dev/requirements-run.txt): half a minute the first time "
        "(uv, if you install it, takes seconds)"
    )
    assert cause == "no network"
    assert not (project / ".venv/.ready-run").exists()


CALLED = """\
case "$*" in *"pip --version") echo "$PIP"; exit;; *"dev.features") echo "$FEATURES"; esac
echo "$*" >> called"""


@pytest.mark.parametrize(
    ("verb", "features", "installed"),
    [
        (("run",), "", ["dev/requirements-run.txt", "-m dev.features"]),
        (("run",), "app", ["dev/requirements-run.txt", "-m dev.features", "requirements.txt"]),
        (("run", "TELEMETRY=1"), "", ["dev/requirements-run.txt", "dev/requirements-collector.txt", "-m dev.features"]),
    ],
)
def test_a_run_installs_what_it_is_asked_for_before_the_app_starts(
    project: Path, verb: tuple[str, ...], features: str, installed: list[str]
) -> None:
    write_program(project / ".venv/bin/python", CALLED)
    write_installed(project / ".venv", "pip")

    done = make(project, *verb, PIP=PIP, FEATURES=features)

    assert done.returncode == 0, done.stderr
    *before, last = (project / "called").read_text(encoding="utf-8").splitlines()
    assert [line.rpartition(" -r ")[2] for line in before] == installed
    assert last.startswith("-m dev.run ")


def test_two_installations_at_a_time_wait_for_each_other(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()

    def prepare(*_: object) -> int:
        began.set()
        return 0

    monkeypatch.setattr(environment, "_prepare", prepare)
    other = threading.Thread(target=environment.main, args=(folder, tmp_path / "requirements.txt", "a minute"))
    with environment._alone():
        other.start()
        said = ""
        while "Waiting for another installation to end" not in said:
            said += capfd.readouterr().err
        assert not began.is_set()
    other.join(30)
    assert began.is_set()


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


SITE = f"lib/python{environment.VERSION}/site-packages"
FAKE_PYTHON = f"""
stop() {{ [ "$STOP_AT" = "$1" ] && {{ kill -INT $PPID; sleep 0.2; exit 130; }}; return 0; }}
installed() {{ mkdir -p "$1/$2-1.0.dist-info"; echo "Name: $2" > "$1/$2-1.0.dist-info/METADATA"; }}
case "$1 $2 $3" in
"-m venv "*)
    mkdir -p "$3"; stop folder
    mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; stop python
    installed "$3/{SITE}" pip; stop "half of pip"
    touch "$3/{SITE}/pip-1.0.dist-info/RECORD"; stop pip ;;
"-m pip --version")
    folder=$(dirname "$(dirname "$0")")
    [ -e "$folder/{SITE}/pip-1.0.dist-info" ] && echo "{PIP}" ;;
"-m pip install")
    site=$(dirname "$(dirname "$0")")/{SITE}
    [ -e "$site/pip-1.0.dist-info/RECORD" ] || exit 9
    case " $* " in *" --no-compile "*) ;; *) exit 8 ;; esac
    echo "Collecting one"; stop downloads
    installed "$site" one; stop "half of a package"
    touch "$site/one-1.0.dist-info/RECORD"; mkdir -p "$site/~wo"; stop "a replacement"
    rmdir "$site/~wo"; installed "$site" two; touch "$site/two-1.0.dist-info/RECORD"; stop everything ;;
*) exec "{PYTHON}" "$@" ;;
esac
"""
"""Makes and fills an environment as venv and pip do, step by step; the program that called it gets a Ctrl-C at $STOP_AT."""

FAKE_UV = f"""
stop() {{ [ "$STOP_AT" = "$1" ] && {{ kill -INT $PPID; sleep 0.2; exit 130; }}; return 0; }}
case "$1" in
venv) for folder; do :; done; STOP_AT= "$PROJECT/bin/fake" -m venv "$folder"; stop "uv: environment" ;;
pip)
    for site in "$PROJECT"/.venv/{SITE}; do :; done
    stop "uv: downloads"
    mkdir -p "$site/one-1.0.dist-info"; echo "Name: one" > "$site/one-1.0.dist-info/METADATA"
    touch "$site/one-1.0.dist-info/RECORD"; stop "uv: half of a package"
    mkdir -p "$site/two-1.0.dist-info"; echo "Name: two" > "$site/two-1.0.dist-info/METADATA"
    touch "$site/two-1.0.dist-info/RECORD"; stop "uv: everything" ;;
esac
"""
STEPS = ("folder", "python", "half of pip", "pip", "downloads", "half of a package", "a replacement", "everything")
STEPS_OF_UV = ("uv: environment", "uv: downloads", "uv: half of a package", "uv: everything")


@pytest.fixture
def stepwise(project: Path) -> Path:
    """A project whose Python makes environments step by step."""
    write_program(project / "bin/fake", FAKE_PYTHON)
    (project / "dev/requirements-run.txt").write_text("one==1.0\ntwo==1.0\n", encoding="utf-8")
    program = (project / "dev/environment.py").read_text()
    program = program.replace(
        'if __name__ == "__main__":', f'sys.executable = {str(project / "bin/fake")!r}\nif __name__ == "__main__":'
    )
    (project / "dev/environment.py").write_text(program)
    return project


@pytest.mark.parametrize("step", [*STEPS, *STEPS_OF_UV])
def test_ctrl_c_at_any_step_of_the_first_run_is_repaired_by_the_next(stepwise: Path, step: str) -> None:
    if step in STEPS_OF_UV:
        write_program(stepwise / "bin/uv", FAKE_UV)

    stopped = make(stepwise, ".venv/.ready-run", STOP_AT=step, PROJECT=str(stepwise))
    assert stopped.returncode != 0
    assert "Interrupted. The same command continues" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert not (stepwise / ".venv/.ready-run").exists()

    again = make(stepwise, ".venv/.ready-run", PROJECT=str(stepwise))
    assert again.returncode == 0, again.stderr
    assert (stepwise / ".venv/.ready-run").exists()
    assert environment.damage(stepwise / ".venv") is None
    assert not environment.missing(stepwise / ".venv", stepwise / "dev/requirements-run.txt")


def test_uv_is_used_where_it_is(stepwise: Path) -> None:
    write_program(stepwise / "bin/uv", FAKE_UV)
    done = make(stepwise, ".venv/.ready-run", PROJECT=str(stepwise))
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1].endswith("into .venv (dev/requirements-run.txt): with uv")


def test_where_uv_fails_pip_takes_over(stepwise: Path) -> None:
    write_program(stepwise / "bin/uv", "echo 'error: no such index' >&2; exit 2")
    done = make(stepwise, ".venv/.ready-run", PROJECT=str(stepwise))
    assert done.returncode == 0
    assert done.stderr.splitlines()[-2:] == ["error: no such index", "uv could not install them; trying pip"]
    assert not (stepwise / ".venv" / environment.MARK_OF_UV).exists()


def test_a_terminal_is_shown_how_many_packages_have_come(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(folder / "bin/python", "echo Collecting one; echo Collecting two; echo Installing collected packages")
    (tmp_path / "requirements.txt").write_text("one==1.0\ntwo==1.0\n")
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(environment, "find_uv", lambda: None)
    assert environment.install(folder, tmp_path / "requirements.txt", 2) == 0
    assert shown.getvalue().split("\r\033[K") == ["", "1 of 2", "2 of 2", "unpacking", ""]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_native_windows_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert environment.main(folder, folder / "requirements.txt", "a minute") == 1
    assert "wsl --install" in capsys.readouterr().err
