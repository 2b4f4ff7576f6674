"""`python -m dev.release TAG`: the notes of a release, once its tag, the version and the changelog agree. Never deployed."""

import re
import sys
from pathlib import Path

from shared.version import VERSION

ROOT = Path(__file__).resolve().parent.parent


class NotReady(Exception):
    """What a release lacks, in a sentence."""


def main() -> int:
    """Print the notes, or what is missing, and return the exit status."""
    try:
        print(notes(sys.argv[1], VERSION, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    except NotReady as reason:
        print(f"No release: {reason}", file=sys.stderr)
        return 1
    return 0


def notes(tag: str, version: str, changelog: str) -> str:
    """Return the changelog's section of this version, without its heading. Raise `NotReady` where the three do not agree."""
    if tag != f"v{version}":
        raise NotReady(f"the tag is {tag}, and shared/version.py says {version}")
    found = re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    if found is None:
        raise NotReady(f"CHANGELOG.md has no section “## [{version}] - YYYY-MM-DD”")
    if not (section := found[1].strip()):
        raise NotReady(f"CHANGELOG.md says nothing of {version}")
    return section


if __name__ == "__main__":
    sys.exit(main())
