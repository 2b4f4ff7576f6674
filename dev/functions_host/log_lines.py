"""What a developer reads on stderr: one line a record, `LEVEL logger: message`; never anything on stdout.

A message is written as it is, so that a record of JSON stays JSON after the second space; further lines of a message, a
traceback's for example, are indented below the first.

As in the real host, a record of the app that belongs to no running invocation is not shown, not even an error: nothing that is
logged while the app is imported, nor after its handler has returned. What the worker process writes to its stdout and stderr
is shown, and the app writes its own records there (`shared.hosting.console`).
"""

import sys
from dataclasses import dataclass

SYSTEM_CATEGORIES = ("azure.functions", "azure_functions_runtime", "proxy_worker")
"""Loggers of the worker library itself, shown from WARNING on."""

_QUIET_LEVELS = frozenset({"NOTSET", "DEBUG", "INFO"})


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A log record of the worker process."""

    level: str
    category: str
    message: str


def write(level: str, category: str, message: str) -> None:
    """Write one record at once."""
    text = message.rstrip("\n").replace("\n", "\n    ")
    try:
        sys.stderr.write(f"{level} {category}: {text}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        # Nobody reads stderr any more: serving goes on.
        return


def from_worker(record: WorkerRecord, *, of_running_invocation: bool, verbose: bool) -> None:
    """Write a record of the worker process where the real host shows it; `verbose` shows every one."""
    of_library = record.category.startswith(SYSTEM_CATEGORIES)
    if verbose or (record.level not in _QUIET_LEVELS if of_library else of_running_invocation):
        write(record.level, record.category, record.message)


def info(message: str) -> None:
    """Write a message of the host."""
    write("INFO", "host", message)


def error(message: str) -> None:
    """Write an error of the host."""
    write("ERROR", "host", message)
