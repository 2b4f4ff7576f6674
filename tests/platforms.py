"""Tests that only one platform can run."""

import sys

import pytest


def only_on_linux(reason: str) -> pytest.MarkDecorator:
    """Return the mark that skips a test elsewhere. `reason`: what Linux alone has."""
    return pytest.mark.skipif(sys.platform != "linux", reason=f"needs Linux: {reason}")
