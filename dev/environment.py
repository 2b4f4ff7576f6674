"""`python dev/environment.py FOLDER REQUIREMENTS DURATION`: install what a file lists into a virtual environment.

A development tool, never deployed. The Makefile calls it for each group of requirements, with the time that it takes. An
environment that an interrupted run left incomplete is built anew: pip itself would take a half-installed package for an
installed one. uv does the same in a fraction of the time, where it is installed; where it fails, for want of an index that only
pip's configuration names, pip takes over. It runs on any Python 3.13, before anything is installed, so it imports the standard
library alone.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
INTERRUPTED = 130
"""The exit status that a shell gives to a command that Ctrl-C ended."""
MARK_OF_UV = ".uv-is-installing"
"""A file in the environment while uv installs into it: unlike pip's, its half-installed packages look complete."""
WINDOWS = (
    "This project needs Linux, macOS or WSL 2: the Python worker's event loop does not run on Windows. In PowerShell: "
    "wsl --install, then clone and `make run` there; or open the dev container. The terminal client alone runs on Windows, too."
)
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)(?:.*sys_platform == '(\w+)')?", re.MULTILINE)


def main(folder: Path, requirements: Path, duration: str) -> int:
    """Return the exit status: 0 once `folder` holds what `requirements` lists, 1 with a sentence on stderr otherwise."""
    if sys.platform == "win32":
        _say(WINDOWS)
        return 1
    try:
        with _alone():
            return _prepare(folder, requirements, duration)
    except KeyboardInterrupt:
        _say(f"Interrupted. The same command continues, and repairs {folder} if it has to.")
        return INTERRUPTED


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other process is here: to each, what the other is installing would look interrupted."""
    import fcntl

    with Path(__file__).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Waiting for another installation to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _prepare(folder: Path, requirements: Path, duration: str) -> int:
    if (reason := damage(folder)) is not None:
        if folder.exists() or folder.is_symlink():
            _say(f"Building {folder} anew: {reason}")
        else:
            _say(f"Making {folder} with {sys.executable}")
        if not build(folder, sys.executable):
            return 1
    if is_complete(folder, requirements):
        return 0
    if count := len(missing(folder, requirements)):
        also = "" if _is_lock(requirements) else " and what they need"
        how = "with uv" if find_uv() else f"{duration} the first time (uv, if you install it, takes seconds)"
        _say(f"Installing {count} packages{also} into {folder} ({requirements}): {how}")
    return install(folder, requirements, count)


def damage(folder: Path) -> str | None:
    """Return why `folder` cannot be installed into, or None for an environment that can."""
    try:
        asked = subprocess.run([_python(folder), "-m", "pip", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return "it has no Python"
    if asked.returncode:
        return "it has no working pip"
    if f"(python {VERSION})" not in asked.stdout:
        return f"it is not of Python {VERSION}"
    site = _site(folder)
    if (folder / MARK_OF_UV).exists():
        return "an installation with uv was interrupted"
    if not any(site.glob("pip-*.dist-info")):
        return "it has no complete pip"
    # pip writes RECORD last, and renames what it replaces to ~name until the replacement is in place.
    half = [path.name for path in site.glob("*.dist-info") if not (path / "RECORD").is_file()]
    half += [path.name for path in site.glob("~*")]
    return f"an installation was interrupted ({', '.join(sorted(half))})" if half else None


def build(folder: Path, python: str) -> bool:
    """Return whether `python` made a new virtual environment in place of `folder`; nothing is left of one that it could not."""
    _remove(folder)
    if (uv := find_uv()) and _uv(uv, "venv", "-q", "--seed", "--python", python, str(folder)) == 0:
        return True
    _remove(folder)
    made = subprocess.run([python, "-m", "venv", folder], capture_output=True, text=True, check=False)
    if made.returncode == 0:
        return True
    _remove(folder)
    _say((made.stdout + made.stderr).strip())
    _say(
        f"{python} cannot make a virtual environment; on Debian and Ubuntu its module is a package of its own: "
        f"apt install python{VERSION}-venv"
    )
    return False


def missing(folder: Path, requirements: Path) -> set[str]:
    """Return the names, normalised, of the packages that `requirements` pins for this platform and `folder` lacks."""
    installed = {name for name, _ in _installed(folder)}
    return {name for name, _ in _pinned(requirements) if name not in installed}


def is_complete(folder: Path, requirements: Path) -> bool:
    """Return whether `folder` has all that a lock pins, in its versions: what pip would take seconds to find out."""
    return _is_lock(requirements) and set(_pinned(requirements)) <= set(_installed(folder))


def install(folder: Path, requirements: Path, count: int) -> int:
    """Return the exit status. Every package is checked against its hash where `requirements` has hashes.

    `count` packages are missing. A terminal is shown how many have come.
    """
    if count and (uv := find_uv()):
        mark = folder / MARK_OF_UV
        mark.touch()
        status = _uv(uv, "pip", "install", "-q", "--python", str(_python(folder)), "-r", str(requirements))
        if status not in (-signal.SIGINT, INTERRUPTED):
            mark.unlink()
        if status == 0:
            return 0
        _say("uv could not install them; trying pip")
    # Without bytecode, as uv does it: Python writes that of the modules it imports, which are the fewest.
    options = ("--no-compile", "--progress-bar", "off", "--disable-pip-version-check")
    pip = [str(_python(folder)), "-m", "pip", "install", *options]
    env = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([*pip, "-r", str(requirements)], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        come = 0
        for line in process.stdout:
            if line.startswith("Collecting "):
                come += 1
                _progress(f"{min(come, count)} of {count}")
            elif line.startswith("Installing "):
                _progress("unpacking")
        _progress("")
    return process.returncode


def find_uv() -> str | None:
    """Return uv, from the PATH or from where its installer puts it."""
    return shutil.which("uv") or shutil.which("uv", path=str(Path.home() / ".local/bin"))


def _uv(uv: str, *arguments: str) -> int:
    return subprocess.run([uv, *arguments], env=os.environ | {"UV_PYTHON_DOWNLOADS": "never"}, check=False).returncode


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def _installed(folder: Path) -> Iterator[tuple[str, str]]:
    for one in distributions(path=[str(_site(folder))]):
        found = one.metadata  # which is read anew at each look
        yield _normal(found.get("Name", "")), found.get("Version", "")


def _pinned(requirements: Path) -> Iterator[tuple[str, str]]:
    for name, version, platform in _PINNED.findall(requirements.read_text(encoding="utf-8")):
        if platform in ("", sys.platform):
            yield _normal(name), version


def _is_lock(requirements: Path) -> bool:
    return "--hash=" in requirements.read_text(encoding="utf-8")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _site(folder: Path) -> Path:
    return folder / "lib" / f"python{VERSION}" / "site-packages"


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()  # what it leads to belongs to somebody else
    elif folder.exists():
        shutil.rmtree(folder)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
