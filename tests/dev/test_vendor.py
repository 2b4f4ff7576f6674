"""The vendored libraries: the files are those of the lock, and only a package that matches it is taken."""

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from dev.vendor import ROOT, TABLE, Library, NotVendored, integrity, lock_text, read_lock, table, vendor

OWN = {"README.md"}
"""Files of ours in the folders, beside the declarations."""


def archive(files: dict[str, bytes], *, terms: str = "MIT", folder: str = "package") -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as opened:
        for name, body in {"package.json": json.dumps({"license": terms}).encode(), **files}.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(body)
            opened.addfile(member, io.BytesIO(body))
    return written.getvalue()


FILES = {"dist/lib.js": b"export {};\n", "LICENSE": b"Do what you like.\n", "other.js": b"not taken"}
PACKAGE = archive(FILES)
LIBRARY = Library(
    package="lib",
    version="1.0.0",
    integrity=integrity(PACKAGE),
    license="MIT",
    folder="vendor",
    files={"dist/lib.js": "lib.js", "LICENSE": "lib.LICENSE.txt"},
    license_file="lib.LICENSE.txt",
    sha256={
        "lib.js": hashlib.sha256(FILES["dist/lib.js"]).hexdigest(),
        "lib.LICENSE.txt": hashlib.sha256(FILES["LICENSE"]).hexdigest(),
    },
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "vendor").mkdir()
    return tmp_path


def written(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "vendor").iterdir()}


def test_every_vendored_file_has_its_checksum_in_the_lock_and_every_library_its_licence() -> None:
    libraries = read_lock(ROOT)
    locked = {f"{library.folder}/{name}": digest for library in libraries for name, digest in library.sha256.items()}
    folders = {library.folder for library in libraries}
    there = {
        f"{folder}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in (ROOT / folder).iterdir()
        if path.name not in OWN and not path.name.endswith(".d.ts")
    }
    assert there == locked
    assert len(folders) == 2
    for library in libraries:
        assert (ROOT / library.folder / library.license_file).stat().st_size > 1000
        assert library.chosen in library.license
        assert set(library.sha256) == set(library.files.values())


def test_the_table_and_the_lock_are_written_by_the_script() -> None:
    libraries = read_lock(ROOT)
    assert (ROOT / TABLE).read_text(encoding="utf-8") == table(ROOT, libraries), "run `make vendor`"
    assert (ROOT / "dev" / "vendored.json").read_text(encoding="utf-8") == lock_text(libraries)


def test_the_files_of_the_locked_version_are_written(root: Path) -> None:
    assert vendor(root, LIBRARY, lambda *_: PACKAGE, version="1.0.0") == LIBRARY
    assert written(root) == {"lib.js": FILES["dist/lib.js"], "lib.LICENSE.txt": FILES["LICENSE"]}


def test_a_newer_version_is_locked_with_its_own_checksums(root: Path) -> None:
    newer = archive(FILES | {"dist/lib.js": b"export const a = 1;\n"})
    library = vendor(root, LIBRARY, lambda _, version: {"1.1.0": newer}[version], version="1.1.0")
    assert (library.version, library.integrity) == ("1.1.0", integrity(newer))
    assert library.sha256["lib.js"] == hashlib.sha256(written(root)["lib.js"]).hexdigest() != LIBRARY.sha256["lib.js"]


@pytest.mark.parametrize(
    ("library", "fetched", "version", "reason"),
    [
        (LIBRARY, archive(FILES | {"other.js": b"changed"}), "1.0.0", "not the archive"),
        (replace(LIBRARY, sha256={}), PACKAGE, "1.0.0", "does not have the files"),
        (LIBRARY, archive(FILES, terms="SSPL-1.0"), "1.1.0", "licensed as 'SSPL-1.0'"),
        (LIBRARY, archive({"LICENSE": b"x"}), "1.1.0", "no dist/lib.js"),
        (LIBRARY, b"<html>", "1.1.0", "not an archive"),
    ],
)
def test_what_does_not_match_is_refused_and_nothing_is_written(
    root: Path, library: Library, fetched: bytes, version: str, reason: str
) -> None:
    with pytest.raises(NotVendored, match=reason):
        vendor(root, library, lambda *_: fetched, version=version)
    assert written(root) == {}


def test_the_archive_does_not_choose_where_files_go(root: Path) -> None:
    fetched = archive(FILES | {"../../escaped.js": b"x"}, folder="lib")
    vendor(root, LIBRARY, lambda *_: fetched, version="1.1.0")
    assert set(written(root)) == {"lib.js", "lib.LICENSE.txt"}
    assert [path.name for path in root.iterdir()] == ["vendor"]
