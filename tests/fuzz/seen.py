"""What one case showed: the response as its client saw it, and what the app left behind."""

import json
import logging
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from shared.hosting.library_logs import quiet_libraries
from shared.receipt import LOGGER_NAME

MOST_LOG_CHARACTERS = 4096


@dataclass(slots=True)
class Opened:
    """One call to an upstream. `sent`: the request's body; `raw`: what the upstream would say to its end."""

    sent: bytes | None
    raw: bytes
    is_closed: bool = False
    was_late: bool = False
    """The client had left before the call."""


@dataclass(slots=True)
class Seen:
    """`status` is 0 where no head came. `is_complete`: the response ended as HTTP ends one."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    is_complete: bool = False
    has_left: bool = False
    left_at: float = float("inf")
    """On the loop's clock."""
    seconds_after_leaving: float = 0.0
    longest_block: float = 0.0
    is_answer: bool = False
    """The response is one that leaves a receipt."""
    problems: list[str] = field(default_factory=list)
    """What was wrong already while it ran."""
    records: list[logging.LogRecord] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        """Return the first value of a header."""
        return next((value for found, value in self.headers if found == name), None)

    @property
    def receipts(self) -> list[dict[str, Any]]:
        """Return the receipts, read from the log."""
        return [json.loads(one.getMessage()) for one in self.records if one.name == LOGGER_NAME]


RUNNING: ContextVar[Seen | None] = ContextVar("running", default=None)
"""The case to which this task, and every task and thread that it starts, belongs."""


class Recorder(logging.Handler):
    """Gives every record to the case that it belongs to."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.strays: list[logging.LogRecord] = []
        """Records of no case."""
        self._level = logging.WARNING

    def emit(self, record: logging.LogRecord) -> None:
        seen = RUNNING.get()
        (self.strays if seen is None else seen.records).append(record)

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._level = root.level
        root.setLevel(logging.INFO)  # the worker's
        root.addHandler(self)
        quiet_libraries()  # as the process does at its start
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self)
        logging.getLogger().setLevel(self._level)
