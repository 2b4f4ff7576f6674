"""What a developer reads on stderr: one line a record, `LEVEL logger: message`; never anything on stdout.

A message is written as it is, so that a record of JSON stays JSON after the second space; further lines of a message, a
traceback's for example, are indented below the first.
"""

import sys

SYSTEM_CATEGORIES = ("azure.functions", "azure_functions_runtime", "proxy_worker")
"""Loggers of the worker library itself: the real tools don't show them either, unless something is wrong."""

_QUIET_LEVELS = frozenset({"NOTSET", "DEBUG", "INFO"})


def write(level: str, category: str, message: str) -> None:
    """One record, at once."""
    text = message.rstrip("\n").replace("\n", "\n    ")
    try:
        sys.stderr.write(f"{level} {category}: {text}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        # Whoever read stderr has gone: serving goes on.
        return


def from_worker(level: str, category: str, message: str, *, verbose: bool) -> None:
    """A record of the worker process, unless it is only the library's own chatter."""
    if verbose or level not in _QUIET_LEVELS or not category.startswith(SYSTEM_CATEGORIES):
        write(level, category, message)


def info(message: str) -> None:
    """The host's own."""
    write("INFO", "host", message)


def error(message: str) -> None:
    """The host's own, when something is wrong."""
    write("ERROR", "host", message)
