"""A reader of Bicep files, limited to what the checks need: declarations with their decorators and values."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dev.infra_check.scanner import Malformed, Node, Scanner, find

_DECLARATION = re.compile(
    r"(param|var|output|resource|module)\s+(\w+)\s*('[^']*'|\{[^}\n]*\}|[\w\[\]?|' ]*?)\s*(existing)?\s*(?:=|(?=\n|$))(?![=>])"
)
_GUARD = re.compile(r"\s*if\s*(?=\()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One `param`, `var`, `output`, `resource` or `module`. `type` is the text between its name and the equals sign."""

    kind: str
    name: str
    type: str
    is_existing: bool
    decorators: tuple[str, ...]
    value: Node
    place: str

    @property
    def resource_type(self) -> str:
        """The type without its API version."""
        return self.type.partition("@")[0]

    @property
    def body(self) -> Node:
        """The declared value; for a loop, the value of one iteration."""
        return self.value["each"] if isinstance(self.value, dict) and "for" in self.value else self.value

    @property
    def description(self) -> str:
        """The text of the description decorator, or ''."""
        for decorator in self.decorators:
            if decorator.startswith("description('"):
                return decorator.removeprefix("description('").removesuffix("')").replace("\\'", "'")
        return ""

    def at(self, path: str) -> Node | None:
        """Return the value at a dotted path of the body, or None."""
        return find(self.body, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class BicepFile:
    """One file: its path relative to infra/, and its declarations in order."""

    path: str
    text: str
    declarations: tuple[Declaration, ...] = field(default=())

    def of(self, kind: str) -> Iterator[Declaration]:
        """Return the declarations of one kind."""
        return (declaration for declaration in self.declarations if declaration.kind == kind)


def read_bicep(infra: Path) -> tuple[BicepFile, ...]:
    """Read every Bicep file below a directory. Raise `Malformed`."""
    return tuple(_read(path, infra) for path in sorted(infra.rglob("*.bicep")))


def _read(path: Path, infra: Path) -> BicepFile:
    return _parsed(path.read_text(encoding="utf-8"), path.relative_to(infra).as_posix())


@functools.lru_cache(maxsize=100)
def _parsed(text: str, name: str) -> BicepFile:
    """Return the file with this text, which is parsed once. Raise `Malformed`."""
    try:
        return BicepFile(path=name, text=text, declarations=tuple(_declarations(text, name)))
    except Malformed as error:
        raise Malformed(f"infra/{name}: {error}") from error


def _declarations(text: str, name: str) -> Iterator[Declaration]:
    scanner = Scanner(text, "'")
    decorators: list[str] = []
    while True:
        scanner.blank()
        if scanner.at >= len(text):
            return
        place = f"infra/{name}:{scanner.line}"
        if text.startswith("@", scanner.at):
            scanner.at += 1
            decorators.append(str(scanner.value()))
            continue
        found = _DECLARATION.match(text, scanner.at)
        if found is None:  # targetScope, metadata, type
            before = scanner.at
            scanner.value()
            if scanner.at == before:
                raise Malformed(f"line {scanner.line}: no declaration: {text[before : before + 20]!r}")
            decorators = []
            continue
        scanner.at = found.end()
        guard = _GUARD.match(text, scanner.at)
        if guard:
            scanner.at = guard.end()
            scanner.group()
        yield Declaration(
            kind=found.group(1),
            name=found.group(2),
            type=found.group(3).strip("' "),
            is_existing=bool(found.group(4)),
            decorators=tuple(decorators),
            value=scanner.value() if text[found.end() - 1] == "=" else "",
            place=place,
        )
        decorators = []
