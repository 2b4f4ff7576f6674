"""`python -m dev.package`: the zip that a deployment uploads. A development tool, never deployed.

It has the committed files that `.funcignore` lets through, which is what Core Tools and azd upload from a clean clone. The
same commit gives the same bytes. With `--packages` it also has what requirements.txt lists, as Azure's remote build would
install it; without, it is for a deployment that builds remotely.
"""

import argparse
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from shared.version import VERSION

ROOT = Path(__file__).resolve().parent.parent
IGNORE_FILE = ".funcignore"
SITE_PACKAGES = ".python_packages/lib/site-packages"
"""Where the Functions host looks for packages, relative to the app."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
"""Of wheels that run on Flex Consumption's Linux."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dev.package", description=__doc__)
    parser.add_argument("--output", type=Path, help="default: artifacts/streaming-endpoint-VERSION[-with-packages].zip")
    parser.add_argument(
        "--packages", action="store_true", help="with the packages, for a deployment without a remote build"
    )
    arguments = parser.parse_args()
    kind = "-with-packages" if arguments.packages else ""
    output: Path = arguments.output or ROOT / "artifacts" / f"streaming-endpoint-{VERSION}{kind}.zip"
    files = {path: ROOT / path for path in deployed(ROOT)}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.packages:
            if status := _install(ROOT / "requirements.txt", Path(folder)):
                return status
            files |= {f"{SITE_PACKAGES}/{path}": Path(folder) / path for path in _below(Path(folder))}
        write_zip(output, files.items())
    print(f"{output}: {len(files)} files, {output.stat().st_size / 1e6:.1f} MB")
    return 0


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


def _listed(root: Path, *arguments: str) -> list[str]:
    command = ["git", "-C", str(root), "ls-files", "-z", *arguments]
    return [
        path for path in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0") if path
    ]


def _install(requirements: Path, folder: Path) -> int:
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]
    platforms = [argument for platform in PLATFORMS for argument in ("--platform", platform)]
    target = ["--target", str(folder), "--python-version", "3.13", "--implementation", "cp", "--only-binary", ":all:"]
    command = [*pip, *platforms, *target, "--require-hashes", "-r", str(requirements)]
    return subprocess.run(command, check=False).returncode


def _below(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


if __name__ == "__main__":
    sys.exit(main())
