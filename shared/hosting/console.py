"""The app's log records on the console of Azure Functions Core Tools.

`func start` shows no record that belongs to no running invocation: nothing that is logged while the app is imported, and no
receipt, which is logged after the handler has returned. It does show what the worker process writes to stderr.
"""

import logging
import sys
from collections.abc import Mapping
from typing import TextIO

CORE_TOOLS = "FUNCTIONS_CORETOOLS_ENVIRONMENT"
"""Core Tools set it for what they start (`SetCoreToolsEnvironmentVariables` in their Program.cs), as does `dev.host`."""


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """Writes records to stderr from INFO on, as `LEVEL logger: message`."""

    def __init__(self) -> None:
        """Write to the stderr of now."""
        super().__init__(sys.stderr)
        self.setLevel(logging.INFO)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))


def show_records(env: Mapping[str, str]) -> None:
    """Write the records of `shared` to stderr under Core Tools; do nothing elsewhere, or when called again.

    The host gets no copy then: it would show the records of a running invocation a second time.
    """
    logger = logging.getLogger("shared")
    if not env.get(CORE_TOOLS) or any(isinstance(handler, ConsoleHandler) for handler in logger.handlers):
        return
    logger.addHandler(ConsoleHandler())
    logger.propagate = False
