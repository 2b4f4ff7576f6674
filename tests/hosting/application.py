"""An application for the installation to serve: notes what is done with it."""

import gc

from shared.hosting.telemetry_target import Measured


class Application:
    """Notes which patches are on, and how it was loaded."""

    def __init__(self) -> None:
        self.summary = ""
        self.notes: list[str] = []

    def measured(self) -> Measured | None:
        return None

    def announce(self) -> None: ...

    def patched(self, summary: str) -> None:
        self.summary = summary

    async def load(self) -> None:
        self.notes.append(f"load, collector {'on' if gc.isenabled() else 'off'}")

    async def drain(self) -> None: ...

    async def aclose(self) -> None: ...
