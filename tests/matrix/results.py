"""What came of a cell, and the file in which the newest of each is kept: docs/clients.md shows what is in it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

type Colour = Literal["green", "red", "none"]
GREEN: Final = "green"
RED: Final = "red"
NONE: Final = "none"
FILE = Path(__file__).with_name("results.json")


@dataclass(frozen=True, slots=True)
class Result:
    client: str
    version: str
    date: str
    cell: str
    colour: Colour
    cause: str = ""
    """Red: what was seen at the app. None: why the client has no such thing."""
    direct: str | None = None
    """Red: what the same client did at the upstream itself; empty where it was right there."""
    seconds: float | None = None
    """Leaving: how long the upstream went on."""

    @property
    def is_the_apps(self) -> bool:
        """Whether the cell is red at the app alone."""
        return self.colour == RED and self.direct == ""

    @property
    def note(self) -> str:
        """The line below the table."""
        if self.colour == NONE:
            return self.cause
        if self.direct == "":
            return f"Red at this app alone: {self.cause}"
        return f"Red at this app and at the simulated Azure OpenAI itself. Here it {self.cause}; there it {self.direct}"


def read(file: Path = FILE) -> list[Result]:
    """Return what is kept, in the order in which it was written."""
    return [Result(**one) for one in json.loads(file.read_text("utf-8"))] if file.exists() else []


def merged(kept: Iterable[Result], new: Iterable[Result], order: Iterable[str]) -> list[Result]:
    """Return the results with each client that was asked anew in place of what was kept of it, in the order of the names."""
    fresh = list(new)
    asked = {result.client for result in fresh}
    every = [result for result in kept if result.client not in asked] + fresh
    return [result for name in order for result in every if result.client == name]


def lost(kept: Iterable[Result], new: Iterable[Result]) -> list[Result]:
    """Return the new results that are red where they were green."""
    greens = {(result.client, result.cell) for result in kept if result.colour == GREEN}
    return [result for result in new if result.colour == RED and (result.client, result.cell) in greens]


def write(results: Iterable[Result], file: Path = FILE) -> None:
    """Keep the results, a line for each."""
    lines = ",\n".join(json.dumps(asdict(result), ensure_ascii=False) for result in results)
    file.write_text(f"[\n{lines}\n]\n", "utf-8")
