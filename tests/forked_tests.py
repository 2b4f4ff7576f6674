"""The processes of pytest-xdist, forked on Linux from one that has collected the tests: importing is most of their start.

`python -m tests.forked_tests ADDRESS ARGUMENT ...` collects as pytest does with these arguments, then serves at a path.
"""

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dev import fork_server
from tests.host_start import serving

# Without what would start a thread, which no child would have.
OPTIONS = ("--collect-only", "-q", "-pno:rerunfailures", "-pno:cacheprovider")


@contextlib.contextmanager
def collected(arguments: Sequence[str]) -> Iterator[str]:
    """Collect as pytest does with these arguments. Yield the command that stands for a Python that has imported the tests."""
    with serving("tests.forked_tests", *arguments) as address:
        yield shlex.join([sys.executable, *(["-S", fork_server.__file__, address, "python"] if address else [])])


def _python(arguments: list[str], _descriptors: list[int]) -> None:
    """Run what execnet has a new Python run: `-u -c PROGRAM`."""
    exec(arguments[-1], {"__name__": "__main__"})


def main(address: str, *arguments: str) -> int | None:
    """Return the exit status of whichever process gets so far."""
    with Path(os.devnull).open("w") as nothing, contextlib.redirect_stdout(nothing):
        status = pytest.main([*OPTIONS, *arguments])
    if status == pytest.ExitCode.INTERRUPTED:
        return status
    return fork_server.run(address, {"python": _python})


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
