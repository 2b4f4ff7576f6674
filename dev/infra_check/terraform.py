"""A reader of Terraform files, limited to what the checks need: blocks with their labels, arguments and inner blocks."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dev.infra_check.scanner import Malformed, Node, Scanner, find

_ARGUMENT = re.compile(r"([A-Za-z_][\w-]*)\s*=(?![=>])")
_BLOCK = re.compile(r'([A-Za-z_]\w*)((?:\s+"[^"]*")*)\s*\{')


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block, such as `resource "type" "name" {...}` or an inner block."""

    kind: str
    labels: tuple[str, ...]
    place: str
    arguments: dict[str, Node] = field(default_factory=dict)
    blocks: list["Block"] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Terraform's address: type.name."""
        return ".".join(self.labels)

    def at(self, path: str) -> Node | None:
        """Return the value at a dotted path of inner blocks (the first of each kind) and arguments, or None."""
        first, _, rest = path.partition(".")
        if first in self.arguments:
            return find(self.arguments[first], rest) if rest else self.arguments[first]
        for block in self.blocks:
            if block.kind == first:
                return block.at(rest) if rest else "{}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerraformFile:
    """One file: its path relative to infra/, and its blocks in order."""

    path: str
    text: str
    blocks: tuple[Block, ...]


def read_terraform(infra: Path) -> tuple[TerraformFile, ...]:
    """Read every Terraform file in infra/terraform. Raise `Malformed`."""
    return tuple(_read(path, infra) for path in sorted((infra / "terraform").glob("*.tf")))


def blocks_of(files: tuple[TerraformFile, ...], kind: str) -> Iterator[Block]:
    """Return the top-level blocks of one kind."""
    return (block for file in files for block in file.blocks if block.kind == kind)


def local_value(files: tuple[TerraformFile, ...], name: str) -> Node | None:
    """Return a local value, or None."""
    for block in blocks_of(files, "locals"):
        if name in block.arguments:
            return block.arguments[name]
    return None


def _read(path: Path, infra: Path) -> TerraformFile:
    return _parsed(path.read_text(encoding="utf-8"), path.relative_to(infra).as_posix())


@functools.lru_cache(maxsize=100)
def _parsed(text: str, name: str) -> TerraformFile:
    """Return the file with this text, which is parsed once. Raise `Malformed`."""
    scanner = Scanner(text, '"')
    blocks: list[Block] = []
    try:
        while True:
            scanner.blank()
            if scanner.at >= len(text):
                return TerraformFile(path=name, text=text, blocks=tuple(blocks))
            blocks.append(_block(scanner, name))
    except Malformed as error:
        raise Malformed(f"infra/{name}: {error}") from error


def _block(scanner: Scanner, name: str) -> Block:
    head = _BLOCK.match(scanner.text, scanner.at)
    if head is None:
        raise Malformed(f"line {scanner.line}: neither an argument nor a block")
    block = Block(
        kind=head.group(1),
        labels=tuple(re.findall(r'"([^"]*)"', head.group(2))),
        place=f"infra/{name}:{scanner.line}",
    )
    scanner.at = head.end()
    while True:
        scanner.blank()
        if scanner.text.startswith("}", scanner.at):
            scanner.at += 1
            return block
        argument = _ARGUMENT.match(scanner.text, scanner.at)
        if argument:
            scanner.at = argument.end()
            block.arguments[argument.group(1)] = scanner.value()
        else:
            block.blocks.append(_block(scanner, name))
