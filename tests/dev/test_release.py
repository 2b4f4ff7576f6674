"""What a release has to have: one version everywhere, and words about it."""

import pytest

from dev.release import NotReady, notes

CHANGELOG = """# Changelog

## [Unreleased]

### Added

- Something to come.

## [0.2.0] - 2027-01-31

### Fixed

- A stream.

## [0.1.0] - 2026-12-01

## [0.0.1] - 2026-11-01

- First.
"""


def test_the_notes_are_the_section_of_the_version() -> None:
    assert notes("v0.2.0", "0.2.0", CHANGELOG) == "### Fixed\n\n- A stream."
    assert notes("v0.0.1", "0.0.1", CHANGELOG) == "- First."


@pytest.mark.parametrize(
    ("tag", "version", "reason"),
    [
        ("v0.2.0", "0.1.0", "the tag is v0.2.0, and shared/version.py says 0.1.0"),
        ("0.2.0", "0.2.0", "the tag is 0.2.0"),
        ("v0.3.0", "0.3.0", "no section"),
        ("v0.2", "0.2", "no section"),
        ("v0.1.0", "0.1.0", "says nothing of 0.1.0"),
    ],
)
def test_what_does_not_agree_is_no_release(tag: str, version: str, reason: str) -> None:
    with pytest.raises(NotReady, match=reason):
        notes(tag, version, CHANGELOG)
