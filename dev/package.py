"""`python -m dev.package`: the zip that a deployment uploads. A development tool, never deployed.

It has the committed files that `.funcignore` lets through, what requirements.txt lists for Linux on x86-64 and Python 3.13, and
the bytecode of both: a start from it compiles nothing. The same commit gives the same bytes. With `--source` it has neither
packages nor bytecode and is for a deployment that builds remotely; `--folder` writes files instead of a zip, for azd and Core
Tools.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from shared.version import VERSION

ROOT = Path(__file__).resolve().parent.parent
IGNORE_FILE = ".funcignore"
SITE_PACKAGES = ".python_packages/lib/site-packages"
"""Where the Functions host looks for packages, relative to the app."""
PYTHON = (3, 13)
"""Whose bytecode it has; another Python would ignore it and compile everything at each start."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
"""Of wheels that run on Flex Consumption's Linux."""
NOT_RUN = {
    "cffi": "compiles C; cryptography needs only _cffi_backend, which is a module of its own",
    "pycparser": "cffi's reader of C",
    "msrest": "required by azure-monitor-opentelemetry-exporter, which imports nothing of it",
    "requests_oauthlib": "msrest's",
    "oauthlib": "requests_oauthlib's",
    "bin": "commands of packages",
    "samples": "of azurefunctions-extensions-http-fastapi",
}
"""Top-level names of the packages that nothing running imports, and why they are there; left out, with what is about them."""
_DISTRIBUTIONS_NOT_RUN = tuple(f"{name}-" for name in NOT_RUN)
_FOLDERS_NOT_RUN = frozenset({"tests", "_tests", "__pycache__", ".agents"})
_SUFFIXES_NOT_RUN = frozenset({".pyi", ".pyx", ".pxd", ".c", ".h"})
_RECORDS = frozenset({"RECORD", "INSTALLER", "REQUESTED"})
"""pip's own notes, which name this machine's Python and files that are left out."""
_KEEP_ALL = "# Nothing here is ignored. Without this file azd would leave out all bytecode.\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644
_COMPILE = """
import py_compile, sys
for path in sys.stdin.read().split("\\0"):
    target = py_compile.compile(path, dfile=path, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
"""
"""Unchecked: valid whatever time an unpacked file has, and on a disk that nobody can write to. The paths in it are relative."""


class NotPackaged(Exception):
    """Why there is no package, in a sentence."""


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dev.package", description=__doc__)
    parser.add_argument(
        "--output", type=Path, help="the zip; default: artifacts/streaming-endpoint-VERSION[-source].zip"
    )
    parser.add_argument("--source", action="store_true", help="without packages, for a deployment that builds remotely")
    parser.add_argument("--folder", type=Path, help="write the files to this folder, which is emptied, and no zip")
    arguments = parser.parse_args()
    kind = "-source" if arguments.source else ""
    output: Path = (
        arguments.folder or arguments.output or ROOT / "artifacts" / f"streaming-endpoint-{VERSION}{kind}.zip"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            files = source_files() if arguments.source else built_files(folder)
            if arguments.folder:
                write_folder(output, files)
            else:
                write_zip(output, files.items())
        except NotPackaged as reason:
            print(f"No package: {reason}", file=sys.stderr)
            return 1
        size = sum(path.stat().st_size for path in (files.values() if arguments.folder else [output]))
    print(f"{output}: {len(files)} files, {size / 1e6:.1f} MB")
    return 0


def source_files(root: Path = ROOT) -> dict[str, Path]:
    """Return the app's own files by their paths in the package. Raise `NotPackaged` where one of them is new to git."""
    if new := [
        path for path in _listed(root, "--others", f"--exclude-from={root / IGNORE_FILE}") if path != IGNORE_FILE
    ]:
        raise NotPackaged(f"git does not know {', '.join(new)}. To deploy it: git add; else move it away")
    return {path: root / path for path in deployed(root)}


def built_files(folder: Path, root: Path = ROOT) -> dict[str, Path]:
    """Build in the empty folder; return all files by their paths in the package. Raise `NotPackaged` where that fails."""
    if sys.version_info[:2] != PYTHON:
        raise NotPackaged(
            "this is Python {}.{}, whose bytecode Python {}.{} ignores".format(*sys.version_info[:2], *PYTHON)
        )
    for path, source in source_files(root).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / path)
    packages = folder / SITE_PACKAGES
    packages.mkdir(parents=True)
    _install(root / "requirements.txt", packages)
    for path in list(_below(packages)):
        if not is_run(path):
            (packages / path).unlink()
    compile_modules(folder)
    return {path: folder / path for path in _below(folder)}


def is_run(path: str) -> bool:
    """Return whether a running app may need this file of the packages, given by its path below them."""
    parts = PurePosixPath(path).parts
    top = parts[0]
    if top in NOT_RUN or (top.endswith(".dist-info") and top.startswith(_DISTRIBUTIONS_NOT_RUN)):
        return False
    if top.endswith(".dist-info") and parts[-1] in _RECORDS:
        return False
    return not _FOLDERS_NOT_RUN.intersection(parts[:-1]) and PurePosixPath(path).suffix not in _SUFFIXES_NOT_RUN


def deployed(root: Path) -> list[str]:
    """Return the paths of the committed files that `.funcignore` lets through."""
    committed = _listed(root, "--cached")
    ignored = set(_listed(root, "--cached", "--ignored", f"--exclude-from={root / IGNORE_FILE}"))
    return [path for path in committed if path not in ignored and path != IGNORE_FILE]


def write_zip(output: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Write a zip whose bytes depend on the names and the contents alone."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as written:
        for name, source in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = _FILE_MODE << 16
            written.writestr(entry, source.read_bytes())


def write_folder(output: Path, files: Mapping[str, Path]) -> None:
    """Write what azd and Core Tools take as it is. Raise `NotPackaged` for a folder that has files and is no package."""
    if output.is_dir() and any(output.iterdir()) and not (output / "host.json").is_file():
        raise NotPackaged(f"{output} has files and is no package")
    shutil.rmtree(output, ignore_errors=True)
    for name, source in files.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, output / name)
    (output / IGNORE_FILE).write_text(_KEEP_ALL, encoding="utf-8")


def compile_modules(folder: Path) -> None:
    """Compile every module below the folder. Raise `NotPackaged` where one does not compile.

    In a new process: what else this one has imported would show in the bytes.
    """
    modules = sorted(path for path in _below(folder) if path.endswith(".py"))
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", _COMPILE], cwd=folder, env=environment, input="\0".join(modules), text=True, check=False
    )  # fmt: skip
    if done.returncode:
        raise NotPackaged("a module does not compile, see above")


def _listed(root: Path, *arguments: str) -> list[str]:
    """Return the paths that `git ls-files` lists. Outside a repository all files count as committed."""
    is_repository = (
        subprocess.run(["git", "-C", str(root), "rev-parse"], capture_output=True, check=False).returncode == 0
    )
    if is_repository:
        return _git(root, *arguments)
    if arguments[0] == "--others":
        return []
    with tempfile.TemporaryDirectory() as empty:
        subprocess.run(["git", "init", "-q", "--bare", empty], check=True)
        options = [argument.replace("--cached", "--others") for argument in arguments]
        return _git(root, *options, before=(f"--git-dir={empty}", f"--work-tree={root}"))


def _git(root: Path, *arguments: str, before: tuple[str, ...] = ()) -> list[str]:
    command = ["git", "-C", str(root), *before, "ls-files", "-z", *arguments]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    return [path for path in found if path]


def _install(requirements: Path, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]
    platforms = [argument for platform in PLATFORMS for argument in ("--platform", platform)]
    target = ["--target", str(folder), "--python-version", "3.13", "--implementation", "cp", "--only-binary", ":all:"]
    command = [*pip, *platforms, *target, "--require-hashes", "-r", str(requirements)]
    if subprocess.run(command, check=False).returncode:
        raise NotPackaged("pip could not install requirements.txt, see above")


def _below(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


if __name__ == "__main__":
    sys.exit(main())
