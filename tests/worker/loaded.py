"""What a worker has loaded."""

from pathlib import Path

from tests.app_process import App

_EXPORTERS_LIBRARY = "_psutil_linux"
"""Only the exporter to Application Insights loads it."""


def has_loaded_the_exporter(app: App) -> bool:
    """Return whether its worker has imported the exporter; on Linux, where /proc shows the libraries of a process."""
    return _EXPORTERS_LIBRARY in Path(f"/proc/{app.worker_pid}/maps").read_text()
