"""docs/clients.md: the set-ups that the programs use, and the table that `make test-clients` writes."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.app_process import ROOT
from tests.matrix.cells import CELLS
from tests.matrix.clients import CLIENTS
from tests.matrix.results import GREEN, NONE, RED, Colour, Result

DOCUMENT = ROOT / "docs/clients.md"
BEGIN, END = "<!-- make test-clients writes from here -->", "<!-- to here -->"
FENCE = re.compile(r"^```\w+ (?P<name>\S+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
SIGNS: dict[Colour, str] = {GREEN: "✓", NONE: "–", RED: "✗"}


def setups() -> dict[str, str]:
    """Return each file of the document by its name."""
    return {match["name"]: match["code"] for match in FENCE.finditer(DOCUMENT.read_text("utf-8"))}


def write_setups(folder: Path, node_modules: Path | None) -> None:
    """Write the files that any client uses into a folder from which Python and Node can import them."""
    wanted = {name for client in CLIENTS for name in client.setup}
    for name, code in setups().items():
        if name in wanted:
            (folder / name).write_text(code, "utf-8")
    if node_modules is not None:
        (folder / "node_modules").symlink_to(node_modules)


def table(text: str) -> str:
    """Return what is between the marks. Raises `ValueError` where they are missing."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{DOCUMENT} has no place for the table")
    return text.partition(BEGIN)[2].partition(END)[0]


def with_table(text: str, results: Iterable[Result]) -> str:
    """Return the document with this table in place of its own."""
    table(text)
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{''.join(_lines(list(results)))}{END}{tail}"


def _lines(results: list[Result]) -> Iterator[str]:
    notes: dict[str, int] = {}
    yield "| client | version | asked on | API | " + " | ".join(cell.title for cell in CELLS) + " |\n"
    yield "|---|---|---|---|" + "---|" * len(CELLS) + "\n"
    for client in CLIENTS:
        own = {result.cell: result for result in results if result.client == client.name}
        if own:
            signs = " | ".join(_sign(own[cell.name], notes) for cell in CELLS)
            one = next(iter(own.values()))
            yield f"| {client.name} | {one.version} | {one.date} | {client.api} | {signs} |\n"
    if notes:
        yield "\n"
        for note, number in notes.items():
            yield f"{number}. {note}\n"
    yield "\n"


def _sign(result: Result, notes: dict[str, int]) -> str:
    sign = SIGNS[result.colour]
    return sign if result.colour == GREEN else f"{sign} {notes.setdefault(result.note, len(notes) + 1)}"
