"""Plants one error in a copy, and asks one check about it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.infra_check.__main__ import CHECKS
from dev.infra_check.tree import Project

ROOT = Path(__file__).resolve().parents[2]


def plant(root: Path, name: str, old: str, new: str) -> None:
    """Replaces a text that is there, everywhere in one file; how many spaces align it does not matter."""
    path = root / name
    pattern = re.sub(r"(\\ ){2,}", lambda _: r"\ +", re.escape(old))
    text, count = re.subn(pattern, lambda _: new, path.read_text(encoding="utf-8"))
    assert count, f"{name} has no {old!r}"
    path.write_text(text, encoding="utf-8")


@contextmanager
def planted(root: Path, name: str, old: str, new: str) -> Iterator[None]:
    """The same for a while: the file is then as it was."""
    before = (root / name).read_bytes()
    try:
        plant(root, name, old, new)
        yield
    finally:
        (root / name).write_bytes(before)


def said(root: Path, check: str) -> str:
    """What a check says about a project; '' when all is well."""
    return "\n".join(CHECKS[check](Project.read(root)))
