"""Markdown files -> documents of an index: one for each section, with the headings above it as its title."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

Document = dict[str, object]

ROOT = Path(__file__).resolve().parents[3]
OWN = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "infra/README.md")
MAX_SECTION_CHARACTERS = 2000
_HEADING = re.compile(r"^(#{1,4}) +(.+?) *#*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9_\-=]")


def own_documents(address: str) -> list[Document]:
    """Return the sections of this project's documentation; `address` is where the service shows the files."""
    paths = [path for pattern in OWN for path in sorted(ROOT.glob(pattern))]
    return [
        one for path in paths for one in sections(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"), address)
    ]


def sections(name: str, text: str, address: str) -> Iterator[Document]:
    """Yield the documents of one file. A section that is too long is cut at blank lines."""
    number = 0
    for headings, body in _split(text):
        anchor = _NOT_IN_ANCHORS.sub("", headings[-1].lower()).replace(" ", "-") if headings else ""
        for piece in _pieces(body):
            number += 1
            yield {
                "id": _NOT_IN_KEYS.sub("_", f"{name}-{number}"),
                "content": piece,
                "title": ", ".join([name, *headings[1:]]),
                "url": f"{address}/documents/{name}" + (f"#{anchor}" if len(headings) > 1 else ""),
            }


def _split(text: str) -> Iterator[tuple[list[str], str]]:
    headings: list[str] = []
    lines: list[str] = []
    in_code = False
    for line in text.splitlines():
        in_code ^= _FENCE.match(line) is not None
        heading = None if in_code else _HEADING.match(line)
        if heading is None:
            lines.append(line)
            continue
        yield headings, "\n".join(lines)
        level = len(heading[1])
        headings, lines = [*headings[: level - 1], heading[2]], []
    yield headings, "\n".join(lines)


def _pieces(body: str) -> Iterable[str]:
    piece = ""
    for paragraph in body.strip().split("\n\n"):
        if piece and len(piece) + len(paragraph) > MAX_SECTION_CHARACTERS:
            yield piece
            piece = ""
        piece = f"{piece}\n\n{paragraph}".strip()
    if piece:
        yield piece
