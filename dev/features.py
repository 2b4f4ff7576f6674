"""`python -m dev.features`: print the group of packages that the app's settings ask for. A development tool, never deployed.

`make run` installs the app without the packages of features that are off. Before it starts the app it asks here, and makes what
is printed: `app` for requirements.txt, or nothing.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from dev import environment
from dev.functions_host import settings
from dev.functions_host.failure import HostFailure

ROOT = Path(__file__).resolve().parent.parent
GROUP = "app"
LOCK = "requirements.txt"
_TELEMETRY = ("azure-monitor-opentelemetry-exporter", "opentelemetry-sdk")
_STORAGE = ("azure-storage-blob", "azure-data-tables")
NEEDED: Mapping[str, tuple[str, ...]] = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": _TELEMETRY,
    "AzureWebJobsStorage": _STORAGE,
    "AzureWebJobsStorage__accountName": _STORAGE,
    "AzureWebJobsStorage__blobServiceUri": _STORAGE,
}
"""What the app may import besides requirements-core.in, by the setting without which it imports none of it: where no storage
account is named, callers' limits and the keys of stored ids are kept on this machine."""


def main() -> int:
    """Print the group, and say why where it is not installed. Settings that cannot be read get none: the host says so."""
    try:
        asking = asking_settings(settings.read(ROOT, None, os.environ, ()).environment)
    except HostFailure:
        return 0
    if asking:
        if environment.missing(Path(sys.prefix), ROOT / LOCK):
            packages = " and ".join(NEEDED[asking[0]])
            print(f"{asking[0]} is set, so the app needs {packages}", file=sys.stderr, flush=True)
        print(GROUP)
    return 0


def asking_settings(values: Mapping[str, str]) -> list[str]:
    """Return the names of the settings with a value that needs packages of requirements.in."""
    return [name for name in NEEDED if values.get(name, "").strip()]


if __name__ == "__main__":
    sys.exit(main())
