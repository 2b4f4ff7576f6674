"""A scanner for Bicep and Terraform text: whitespace, comments, strings, and bracketed values.

A value is a dict (object), a list (array), or the text of any other expression. It reads well-formed text;
errors in malformed text are left to the compilers.
"""

import re

type Node = str | list[Node] | dict[str, Node]

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_KEY = re.compile(r"""\s*(?:([A-Za-z_][\w-]*)|'([^'$]*)'|"([^"$]*)"|('[^']*')|("[^"]*"))\s*[:=](?![=>])""")


_LOOP = re.compile(r"for\b[^:\n]*:")
_BLANK = re.compile(r"[ \t\r\n,]+")
_PLAIN = {quote: re.compile(rf"[^{quote}()\[\]{{}},\n/#]+") for quote in "'\""}
"""What neither ends an expression nor begins a string, a group or a comment."""
_IN_STRING = {quote: re.compile(rf"[^{quote}\\$\n]+") for quote in "'\""}


class Malformed(ValueError):
    """Text that no compiler would accept."""


class Scanner:
    """A position in a text. `quote` is the language's string quote. '//' and '#' start comments in both languages."""

    def __init__(self, text: str, quote: str) -> None:
        self.text = text
        self.at = 0
        self._quote = quote
        self._plain = _PLAIN[quote]
        self._in_string = _IN_STRING[quote]

    @property
    def line(self) -> int:
        """The current line number, from 1."""
        return self._line_of(self.at)

    def blank(self) -> None:
        """Skip whitespace, commas and comments."""
        self._skip(_BLANK)
        while self._comment():
            self._skip(_BLANK)

    def value(self) -> Node:
        """Read one value, up to the end of its line or list."""
        while self.text[self.at : self.at + 1] in (" ", "\t"):
            self.at += 1
        start = self.at
        opening = self.text[start : start + 1]
        node: Node | None = None
        if opening == "{":
            node = self._object()
        elif opening == "[":
            node = self._array()
        end = self.at
        rest = self._expression()
        return node if node is not None and not rest else self.text[start : end + len(rest)].strip()

    def group(self) -> None:
        """Skip one bracketed group."""
        self._skip_one()

    def _object(self) -> dict[str, Node] | None:
        entries: dict[str, Node] = {}
        opened_at = self.at
        self.at += 1
        while True:
            self.blank()
            if self.at >= len(self.text):
                raise Malformed(f"line {self._line_of(opened_at)}: '{{' is never closed")
            if self.text.startswith("}", self.at):
                self.at += 1
                return entries
            key = _KEY.match(self.text, self.at)
            if key is None:  # `{ for ...}` and the like
                self._unread("}")
                return None
            self.at = key.end()
            entries[next(group for group in key.groups() if group is not None)] = self.value()

    def _array(self) -> list[Node] | dict[str, Node]:
        items: list[Node] = []
        self.at += 1
        self.blank()
        loop = _LOOP.match(self.text, self.at)
        if loop:
            self.at = loop.end()
            repeated = self.value()
            self.blank()
            self._expect("]")
            return {"for": loop.group(), "each": repeated}
        while True:
            self.blank()
            if self.text.startswith("]", self.at):
                self.at += 1
                return items
            before = self.at
            items.append(self.value())
            if self.at == before:
                raise Malformed(f"line {self.line}: {self.text[before : before + 20]!r} where a value should be")

    def _unread(self, closing: str) -> None:
        """Skip past the closing bracket of a value that cannot be read as a tree."""
        while not self.text.startswith(closing, self.at):
            if self._skip_one() == "":
                raise Malformed(f"line {self.line}: {closing!r} is missing")
        self.at += 1

    def _expect(self, character: str) -> None:
        if not self.text.startswith(character, self.at):
            raise Malformed(f"line {self.line}: {character!r} expected, {self.text[self.at : self.at + 20]!r} found")
        self.at += 1

    def _expression(self) -> str:
        """Return the rest of an expression on this line; brackets inside it may span lines."""
        start = self.at
        while True:
            self._skip(self._plain)
            if self.at >= len(self.text) or self.text[self.at] in ",\n)]}":
                break
            before = self.at
            if self._comment():
                return self.text[start:before].strip()
            self._skip_one()
        return self.text[start : self.at].rstrip()

    def _skip_one(self) -> str:
        """Skip one string, one bracketed group or one character. Return its first character, '' at the end."""
        character = self.text[self.at : self.at + 1]
        if character == self._quote:
            self._string()
        elif character in _CLOSING and character:
            opened_at = self.at
            self.at += 1
            while True:
                self._skip(self._plain)
                if self.text.startswith(_CLOSING[character], self.at):
                    break
                if not self._comment() and self._skip_one() == "":
                    raise Malformed(f"line {self._line_of(opened_at)}: {character!r} is never closed")
            self.at += 1
        else:
            self.at += 1
        return character

    def _string(self) -> None:
        opened_at = self.at
        self.at += 1
        while True:
            self._skip(self._in_string)
            if self.text.startswith(self._quote, self.at):
                break
            if self.at >= len(self.text) or self.text[self.at] == "\n":
                raise Malformed(f"line {self._line_of(opened_at)}: a string is never closed")
            if self.text.startswith("${", self.at):
                self.at += 1
                self._skip_one()
            else:
                self.at += 2 if self.text[self.at] == "\\" else 1
        self.at += 1

    def _line_of(self, at: int) -> int:
        return self.text.count("\n", 0, at) + 1

    def _skip(self, run: re.Pattern[str]) -> None:
        """Skip what the pattern matches here, if it does."""
        found = run.match(self.text, self.at)
        if found:
            self.at = found.end()

    def _comment(self) -> bool:
        if self.text.startswith(("//", "#"), self.at):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
            return True
        if self.text.startswith("/*", self.at):
            self.at = self.text.index("*/", self.at) + 2
            return True
        return False


def literal(node: Node | None) -> str | None:
    """Return the text of a string, number or boolean literal; None for anything else."""
    if not isinstance(node, str):
        return None
    quoted = re.fullmatch(r"""(['"])((?:(?!\1|\$\{|\\).)*)\1""", node)
    if quoted:
        return quoted.group(2)
    return node if re.fullmatch(r"-?\d+(\.\d+)?|true|false", node) else None


def find(node: Node, path: str) -> Node | None:
    """Return the value at a dotted path, or None."""
    for key in path.split("."):
        if not isinstance(node, dict) or key not in node:
            return None
        node = node[key]
    return node


def leaves(node: Node, path: str = "") -> dict[str, str]:
    """Return every text of a tree by its dotted path; array items are numbered from 0."""
    if isinstance(node, str):
        return {path: node}
    entries = node.items() if isinstance(node, dict) else ((str(number), item) for number, item in enumerate(node))
    found: dict[str, str] = {}
    for key, value in entries:
        found |= leaves(value, f"{path}.{key}" if path else key)
    return found
