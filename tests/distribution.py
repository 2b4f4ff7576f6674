"""Which tests run in the same process of pytest-xdist, and which begin first.

A fixture for a module or for the session starts the app once in each process that has a test of it. So the tests of a file stay
together, and those of a folder whose files share an app, a browser or an emulator. What waits for processes begins first; what
computes fills the end.
"""

TOGETHER = ("tests/page/", "tests/clients/", "tests/state/")
FIRST = (
    *TOGETHER,
    "tests/dev/test_host_life.py",
    "tests/worker/",
    "tests/dev/",
    "tests/client/",
    "tests/node/",
    "tests/bench/",
)


def scope_of(nodeid: str) -> str:
    """Return the folder or the file whose tests run in one process."""
    return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])


def rank_of(nodeid: str) -> int:
    """Return the place of a test's folder or file among those that begin first."""
    return next((rank for rank, start in enumerate(FIRST) if nodeid.startswith(start)), len(FIRST))
