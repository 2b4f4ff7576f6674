"""The app in the process that it runs in: its log, telemetry and patches, and one log line on which patches are on."""

import asyncio
import contextlib
import logging
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

from shared.hosting.console import show_records
from shared.hosting.library_logs import quiet_libraries
from shared.hosting.patches import OWN_SERVER, PATCHES, Patch, Site
from shared.hosting.shapes import NOT_LOADED, Modules
from shared.hosting.telemetry import Telemetry
from shared.hosting.telemetry_target import Measured, TelemetryTarget
from shared.version import VERSION

_log = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0
_WORKER = "azure_functions_runtime"


class Application(Protocol):
    """What is put into the process."""

    def measured(self) -> Measured | None:
        """Return what telemetry measures; None where nothing is exported but the log."""

    def announce(self) -> None:
        """Log what its operator has to know, once its log is heard."""

    def patched(self, summary: str) -> None:
        """Note which patches are on, as `name on; name off`."""

    async def load(self) -> None:
        """Load what is slow to load."""

    async def drain(self) -> None:
        """Let the open streams finish, then end the rest."""

    async def aclose(self) -> None:
        """Close what is open."""


def install(application: Application, env: Mapping[str, str]) -> "Installation":
    """Put the application into this process, once, while it is imported.

    Importing it outside a worker changes no more than that, and logs nothing about patches.
    """
    show_records(env)
    quiet_libraries()
    telemetry = Telemetry(TelemetryTarget.from_env(env), application.measured())
    installation = Installation(application, telemetry, sys.modules, PATCHES)
    installation.apply()
    application.announce()
    return installation


class Installation:
    """The application, its telemetry and its patches, through the life of the process. It is the server's `Lifecycle`."""

    def __init__(
        self, application: Application, telemetry: Telemetry, modules: Modules, patches: Sequence[Patch]
    ) -> None:
        """Change nothing yet. `modules`: what is loaded, by name."""
        self._application = application
        self._telemetry = telemetry
        self._patches = patches
        self._site = Site(modules, self)
        self._problems: dict[str, str] = {}
        """Why each probed row is off, '' for one that is on."""
        self._warming: asyncio.Task[None] | None = None

    def apply(self) -> None:
        """Probe and apply the rows that are not late."""
        self._probe(row for row in self._patches if not row.is_late)
        if self._problems.get(OWN_SERVER) and _WORKER in self._site.modules:
            self._start_without_server()

    def _start_without_server(self) -> None:
        """Warm up on the worker's loop, which runs while it imports the app; where it does not, only report."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._report()
        else:
            self._warming = loop.create_task(self.warm_up())

    async def warm_up(self) -> None:
        """Load what is slow to load, report the patches, then open the telemetry."""
        try:
            with self._site.pause():
                await self._application.load()
        except Exception:  # noqa: BLE001 - logged; each answer that needs it reports it again
            _log.exception("Loading the client of the model failed")
        self._probe(row for row in self._patches if row.is_late)
        self._report()
        await self._telemetry.start(self._site.pause)

    async def drain(self) -> None:
        """Let the open streams finish, then end the rest."""
        await self._application.drain()

    async def wind_down(self) -> None:
        """Send the last records, and close the application within CLOSE_SECONDS."""
        await asyncio.gather(self._close(), self._telemetry.stop())

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._application.aclose()
        except Exception as error:  # noqa: BLE001 - the process ends, and closes the rest
            _log.warning("Closing the connections failed: %s", type(error).__name__)

    def _probe(self, rows: Iterable[Patch]) -> None:
        for row in rows:
            problem = self._problem(row)
            if problem == NOT_LOADED and row.is_late:
                continue  # with an invalid setting no client is loaded
            if not problem and row.apply is not None:
                row.apply(self._site)
            self._problems[row.name] = problem

    def _problem(self, row: Patch) -> str:
        if row.needs and self._problems.get(row.needs):
            return f"{row.needs} is off"
        try:
            return row.shape(self._site.modules)
        except Exception as error:  # noqa: BLE001 - a shape nobody thought of
            return f"{type(error).__name__} while it was probed"

    def _report(self) -> None:
        rows = [row for row in self._patches if row.name in self._problems]
        summary = "; ".join(f"{row.name} {'off' if self._problems[row.name] else 'on'}" for row in rows)
        libraries = {row.library: row.proved for row in rows}
        versions = "; ".join(f"{name} {_version(name)}, proved {proved}" for name, proved in libraries.items())
        _log.info("Version %s. Patches: %s (%s)", VERSION, summary, versions)
        for row in rows:
            problem = self._problems[row.name]
            if problem and not self._problems.get(row.needs):
                _log.warning("Unsupported %s: %s; %s", row.subject or row.library, row.without, problem)
        self._application.patched(summary)


def _version(library: str) -> str:
    if library == "python":
        return platform.python_version()
    with contextlib.suppress(PackageNotFoundError):
        return version(library)
    return "of an unknown version"
