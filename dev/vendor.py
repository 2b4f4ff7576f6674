"""`python -m dev.vendor` (`make vendor`): fetch the page's libraries from npm, as dev/vendored.json pins them. Never deployed.

The lock names each package with its version, npm's integrity value, its licence, and the files that are copied, byte for byte,
with their SHA-256. Without `--upgrade` the files are written again and nothing may differ; with it the newest versions are
taken and the lock is rewritten. The table in shared/page/vendor/README.md is written from the lock.
"""

import argparse
import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = "dev/vendored.json"
TABLE = "shared/page/vendor/README.md"
NPM_SECONDS = 120
_HEAD = """# Libraries of the chat page

Byte for byte as published on npm. Written by `make vendor` from `dev/vendored.json`, which pins the versions and checksums; a
test compares both with the files. `make vendor UPGRADE=1` takes the newest versions. The `.d.ts` files are ours: they declare
the functions that the page calls, for its type check, and are not served.

| File | Package | Version | Licence | Bytes | SHA-256 |
|---|---|---|---|---|---|
"""


class NotVendored(Exception):
    """Why a package's files are not taken, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One package of the lock.

    `files` maps paths in the package to names in `folder`, of which `license_file` is one. `sha256` maps those names to
    digests in hexadecimal. `license` is the SPDX expression in the package's own manifest; `chosen` is the one we use where
    it offers several. `note` says in the table what the file has.
    """

    package: str
    version: str
    integrity: str
    license: str
    chosen: str = ""
    note: str = ""
    folder: str
    files: dict[str, str]
    license_file: str
    sha256: dict[str, str]


type Fetch = Callable[[str, str], bytes]
"""From a package's name and version to its archive. Raise `NotVendored`."""


def main() -> int:
    """Write the files, the lock and the table. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dev.vendor", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions and rewrite the lock")
    upgrade: bool = parser.parse_args().upgrade
    try:
        libraries = [
            vendor(ROOT, library, fetch, version=newest(library.package) if upgrade else library.version)
            for library in read_lock(ROOT)
        ]
    except NotVendored as reason:
        print(reason, file=sys.stderr)
        return 1
    (ROOT / LOCK).write_text(lock_text(libraries), encoding="utf-8")
    (ROOT / TABLE).write_text(table(ROOT, libraries), encoding="utf-8")
    for library in libraries:
        print(f"{library.package} {library.version}: {', '.join(library.files.values())}")
    return 0


def read_lock(root: Path) -> list[Library]:
    """Return the pinned libraries, in the lock's order."""
    return [Library(**entry) for entry in json.loads((root / LOCK).read_text(encoding="utf-8"))]


def lock_text(libraries: Iterable[Library]) -> str:
    """Return the lock as it is written."""
    return json.dumps([asdict(library) for library in libraries], indent=2, ensure_ascii=False) + "\n"


def table(root: Path, libraries: Iterable[Library]) -> str:
    """Return the README of the page's libraries."""
    return _HEAD + "".join(_row(root, library) for library in libraries if library.folder == str(Path(TABLE).parent))


def _row(root: Path, library: Library) -> str:
    source, name = next((source, name) for source, name in library.files.items() if name != library.license_file)
    package = f"[{library.package}](https://www.npmjs.com/package/{library.package}) `{source}`"
    note = f" ({library.note})" if library.note else ""
    terms = f"{library.chosen} (chosen of `{library.license}`)" if library.chosen else library.license
    licence = f"{terms}, [text]({library.license_file})"
    size = (root / library.folder / name).stat().st_size
    return f"| `{name}` | {package}{note} | {library.version} | {licence} | {size} | `{library.sha256[name]}` |\n"


def vendor(root: Path, library: Library, fetch: Fetch, *, version: str) -> Library:
    """Write the library's files and return it as it is now. Raise `NotVendored` with nothing written.

    The version that the lock has must be the one that was locked: the same archive, the same files.
    """
    archive = fetch(library.package, version)
    is_locked = version == library.version
    if is_locked and integrity(archive) != library.integrity:
        raise NotVendored(f"{library.package} {version} is not the archive in {LOCK}: {integrity(archive)}")
    bodies, license_now = unpack(archive, library.files)
    if license_now != library.license:
        raise NotVendored(f"{library.package} {version} is licensed as {license_now!r}, not as {library.license!r}")
    digests = {name: hashlib.sha256(body).hexdigest() for name, body in bodies.items()}
    if is_locked and digests != library.sha256:
        raise NotVendored(f"{library.package} {version} does not have the files in {LOCK}")
    for name, body in bodies.items():
        (root / library.folder / name).write_bytes(body)
    return replace(library, version=version, integrity=integrity(archive), sha256=digests)


def integrity(archive: bytes) -> str:
    """Return npm's integrity value: https://www.w3.org/TR/SRI/#the-integrity-attribute."""
    return f"sha512-{base64.b64encode(hashlib.sha512(archive).digest()).decode()}"


def unpack(archive: bytes, files: dict[str, str]) -> tuple[dict[str, bytes], str]:
    """Return the files' bodies by their new names, and the licence in the manifest. Raise `NotVendored`."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            # npm's archives have everything in one folder, nearly always `package`.
            found = {member.name.partition("/")[2]: member for member in opened if member.isfile()}
            read = {
                path: opened.extractfile(found[path]) for path in ("package.json", *files) if path in found
            }  # never written where the archive says
            bodies = {path: file.read() for path, file in read.items() if file is not None}
    except tarfile.TarError as error:
        raise NotVendored(f"not an archive of npm: {error}") from None
    if missing := [path for path in ("package.json", *files) if path not in bodies]:
        raise NotVendored(f"the package has no {', '.join(missing)}")
    manifest = json.loads(bodies["package.json"])
    return {name: bodies[path] for path, name in files.items()}, str(manifest.get("license", ""))


def fetch(package: str, version: str) -> bytes:
    """Return the archive from the registry that npm is set up for."""
    with tempfile.TemporaryDirectory() as folder:
        _npm("pack", "--silent", "--pack-destination", folder, f"{package}@{version}")
        return next(Path(folder).iterdir()).read_bytes()


def newest(package: str) -> str:
    """Return the version that npm would install."""
    return _npm("view", package, "version").strip()


def _npm(*arguments: str) -> str:
    try:
        done = subprocess.run(["npm", *arguments], capture_output=True, text=True, timeout=NPM_SECONDS, check=False)
    except FileNotFoundError:
        raise NotVendored("npm is not on the PATH: apt-get install npm") from None
    if done.returncode != 0:
        raise NotVendored(f"npm {' '.join(arguments)} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
