"""The processes of pytest-xdist, forked on Linux from one that has collected the tests: importing is most of their start.

`python -m tests.forked_tests ADDRESS ARGUMENT ...` collects as pytest does with these arguments, then serves at a path.
"""

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dev import fork_server

ROOT = Path(__file__).parents[1]
# Without what would start a thread, which no child would have.
OPTIONS = ("--collect-only", "-q", "-pno:rerunfailures", "-pno:cacheprovider")


@contextlib.contextmanager
def collected(arguments: Sequence[str]) -> Iterator[str]:
    """Collect as pytest does with these arguments. Yield the command that stands for a Python that has imported the tests."""
    with TemporaryDirectory() as folder:
        address = str(Path(folder) / "forks")
        command = [sys.executable, "-m", "tests.forked_tests", address, *arguments]
        path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        forks = process.stdout.readline() == b"ready\n"
        try:
            yield shlex.join([sys.executable, *(["-S", fork_server.__file__, address, "python"] if forks else [])])
        finally:
            process.stdin.close()
            process.wait()
            process.stdout.close()


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
