"""Bicep's expressions as functions of their names: as much of the language as infra/ uses, and an error for anything else."""

import json
import operator
import re
from collections.abc import Callable
from typing import Any

type Names = Callable[[str], Any]
type Expression = Callable[[Names], Any]

_TOKEN = re.compile(r"\s*(?://[^\n]*\s*)*(\?\?|\.\?|==|!=|>=|<=|&&|\|\||\[\?|[A-Za-z_]\w*|\d+|.)", re.DOTALL)
_LOOP = re.compile(r"for\s+(?:\((\w+),\s*(\w+)\)|(\w+))\s+in\b")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_BINARY: tuple[dict[str, Callable[[Any, Any], Any]], ...] = (
    {"==": operator.eq, "!=": operator.ne},
    {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le},
)
_CONSTANTS = {"true": True, "false": False, "null": None}


def as_string(value: Any) -> str:
    """Bicep's string(): text stays as it is, everything else becomes JSON without blanks."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _union(*objects: dict[str, Any]) -> dict[str, Any]:
    return {key: value for each in objects for key, value in each.items()}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "concat": lambda *arrays: [item for array in arrays for item in array],
    "empty": lambda value: not value,
    "items": lambda value: [{"key": key, "value": value[key]} for key in sorted(value)],
    "join": lambda values, between: between.join(values),
    "json": json.loads,
    "split": lambda text, between: text.split(between),
    "string": as_string,
    "take": lambda value, count: value[:count],
    "toLower": str.lower,
    "union": _union,
}


def parse(text: str) -> Expression:
    """Raises ValueError for what is not understood."""
    parser = _Parser(text)
    expression = parser.expression()
    if parser.peek():
        raise ValueError(f"{parser.peek()!r} is left over in {text!r}")
    return expression


def loop(head: str, body: Expression) -> Expression:
    """`for item in items:` or `for (item, index) in items:`, and what is made of each."""
    found = _LOOP.match(head)
    if found is None:
        raise ValueError(f"{head!r} is not understood")
    return _loop(parse(head[found.end() :].strip().removesuffix(":")), found, body)


def _loop(values: Expression, found: re.Match[str], body: Expression) -> Expression:
    item, index = found.group(1) or found.group(3), found.group(2)

    def inner(names: Names, number: int, value: Any) -> Names:
        return lambda name: value if name == item else number if name == index else names(name)

    return lambda names: [body(inner(names, number, value)) for number, value in enumerate(values(names))]


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def peek(self) -> str:
        found = _TOKEN.match(self._text, self._at)
        return found.group(1).strip() if found else ""

    def expression(self) -> Expression:
        condition = self._coalesced()
        if not self._took("?"):
            return condition
        yes = self.expression()
        self._need(":")
        no = self.expression()
        return lambda names: yes(names) if condition(names) else no(names)

    def _coalesced(self) -> Expression:
        left = self._either()
        while self._took("??"):
            left = self._otherwise(left, self._either())
        return left

    @staticmethod
    def _otherwise(left: Expression, right: Expression) -> Expression:
        return lambda names: right(names) if (value := left(names)) is None else value

    def _either(self) -> Expression:
        parts = [self._both()]
        while self._took("||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda names: any(part(names) for part in parts)

    def _both(self) -> Expression:
        parts = [self._compared(0)]
        while self._took("&&"):
            parts.append(self._compared(0))
        return parts[0] if len(parts) == 1 else lambda names: all(part(names) for part in parts)

    def _compared(self, level: int) -> Expression:
        if level == len(_BINARY):
            return self._unary()
        left = self._compared(level + 1)
        while self.peek() in _BINARY[level]:
            left = self._binary(_BINARY[level][self._take()], left, self._compared(level + 1))
        return left

    @staticmethod
    def _binary(operation: Callable[[Any, Any], Any], left: Expression, right: Expression) -> Expression:
        return lambda names: operation(left(names), right(names))

    def _unary(self) -> Expression:
        if self._took("!"):
            inner = self._unary()
            return lambda names: not inner(names)
        if self._took("-"):
            inner = self._unary()
            return lambda names: -inner(names)
        return self._postfixed(self._primary())

    def _postfixed(self, value: Expression) -> Expression:
        while True:
            if self._took(".?"):
                value = self._part(value, self._take(), or_null=True)
            elif self._took("."):
                value = self._part(value, self._take())
            elif self._took("["):
                value = self._item(value, self.expression())
                self._need("]")
            elif self.peek() == "!" and self._text[self._at :].lstrip()[1:2] in (".", "["):
                self._take()
            else:
                return value

    @staticmethod
    def _part(value: Expression, name: str, *, or_null: bool = False) -> Expression:
        return lambda names: value(names).get(name) if or_null else value(names)[name]

    @staticmethod
    def _item(value: Expression, index: Expression) -> Expression:
        return lambda names: value(names)[index(names)]

    def _primary(self) -> Expression:
        token = self._take()
        if token == "'":
            return self._string()
        if token == "(":
            inner = self.expression()
            self._need(")")
            return inner
        if token == "{":
            return self._object()
        if token == "[":
            return self._array()
        if token.isdigit():
            return lambda _names: int(token)
        if token in _CONSTANTS:
            return lambda _names: _CONSTANTS[token]
        if not token.isidentifier():
            raise ValueError(f"{token!r} is not understood in {self._text!r}")
        return self._call(token) if self._took("(") else lambda names: names(token)

    def _call(self, name: str) -> Expression:
        arguments = self._list(")")
        return lambda names: (FUNCTIONS.get(name) or names(f"{name}()"))(*(argument(names) for argument in arguments))

    def _array(self) -> Expression:
        found = _LOOP.match(self._text, self._at)
        if found is None:
            items = self._list("]")
            return lambda names: [item(names) for item in items]
        self._at = found.end()
        values = self.expression()
        self._need(":")
        body = self.expression()
        self._need("]")
        return _loop(values, found, body)

    def _list(self, closing: str) -> list[Expression]:
        items: list[Expression] = []
        while not self._took(closing):
            items.append(self.expression())
            self._took(",")
        return items

    def _object(self) -> Expression:
        entries: list[tuple[Expression, Expression]] = []
        while not self._took("}"):
            key = self._take()
            named = self._string() if key == "'" else self._constant(key)
            self._need(":")
            entries.append((named, self.expression()))
            self._took(",")
        return lambda names: {key(names): value(names) for key, value in entries}

    @staticmethod
    def _constant(value: str) -> Expression:
        return lambda _names: value

    def _string(self) -> Expression:
        parts: list[Expression] = []
        while True:
            character = self._text[self._at]
            self._at += 1
            if character == "'":
                return lambda names: "".join(as_string(part(names)) for part in parts)
            if character == "$" and self._text[self._at] == "{":
                self._at += 1
                parts.append(self.expression())
                self._need("}")
            elif character == "\\":
                escaped = self._text[self._at]
                parts.append(self._constant(_ESCAPES.get(escaped, escaped)))
                self._at += 1
            else:
                parts.append(self._constant(character))

    def _take(self) -> str:
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            raise ValueError(f"{self._text!r} ends too early")
        self._at = found.end()
        return found.group(1)

    def _took(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self._take()
        return True

    def _need(self, token: str) -> None:
        if not self._took(token):
            raise ValueError(f"{token!r} is missing in {self._text!r}")
