"""Which tests run in the same process of pytest-xdist, and which begin first.

A fixture for a module or for the session starts the app once in each process that has a test of it. So the tests of a file stay
together, and those of files that share an app or an emulator. What waits for processes begins first; what computes
fills the end.
"""

TOGETHER = {
    "clients that wait": tuple(
        f"tests/clients/test_{name}.py" for name in ("errors", "heartbeats", "leaving", "media")
    ),
    "clients": ("tests/clients/",),
    "state": ("tests/state/",),
    "tables": tuple(f"tests/limits/test_{name}.py" for name in ("opening", "store_faults", "stores", "usage_stores")),
}
"""The files of a scope, by what their names begin with; the first that fits."""
FIRST = (
    *TOGETHER,
    "tests/node/",
    "tests/dev/test_host_life.py",
    "tests/worker/",
    "tests/test_resume_recipes.py",
    "tests/test_recipes.py",
    "tests/client/test_terminal.py",
    "tests/page/",
    "tests/dev/",
    "tests/hosting/",
    "tests/bench/",
)


def scope_of(nodeid: str) -> str:
    """Return the scope whose tests run in one process: one of `TOGETHER`, or the file."""
    file = nodeid.partition("::")[0]
    return next((scope for scope, starts in TOGETHER.items() if file.startswith(starts)), file)


def rank_of(nodeid: str) -> int:
    """Return the place of a test's scope among those that begin first."""
    scope = scope_of(nodeid)
    return next((rank for rank, start in enumerate(FIRST) if scope.startswith(start)), len(FIRST))
