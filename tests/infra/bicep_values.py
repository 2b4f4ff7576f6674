"""A module of Bicep as values: parameters in; variables, resources and outputs out. What Azure alone knows, a test makes up."""

import json
from collections.abc import Callable, Mapping
from posixpath import dirname, join, normpath
from typing import Any

from dev.infra_check.bicep import BicepFile, Declaration
from dev.infra_check.scanner import Node
from tests.infra.bicep_expression import Expression, Names, loop, parse
from tests.infra.planting import ROOT

SUBSCRIPTION = "/subscriptions/s"
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "environment": lambda: {"authentication": {"loginEndpoint": "https://login/"}, "suffixes": {"storage": "storage"}},
    "loadJsonContent": lambda path: json.loads((ROOT / "infra" / path).read_text(encoding="utf-8")),
    "subscription": lambda: {"id": SUBSCRIPTION},
    "tenant": lambda: {"tenantId": "tenant"},
    "uniqueString": lambda *_: "token",
}


class Module:
    """One file with its parameters. Nothing is computed before it is asked for: a branch that is not taken needs nothing.

    `known` tells what Azure knows of a resource: from its declaration and its name to what stands for it.
    """

    def __init__(
        self,
        files: Mapping[str, BicepFile],
        path: str,
        given: Mapping[str, Any],
        known: Callable[[Declaration, str], Any],
    ) -> None:
        self._files, self._path, self._given, self._known = files, path, given, known
        declared = files[path].declarations
        self._declared = {found.name: found for found in declared if found.kind != "output"}
        self._outputs = {found.name: found for found in declared if found.kind == "output"}
        self._values: dict[str, Any] = {}

    def __getitem__(self, part: str) -> dict[str, Any]:
        """As an expression sees a module: `outputs` alone."""
        return {"outputs": {name: _expression(found.value)(self.value) for name, found in self._outputs.items()}}[part]

    def value(self, name: str) -> Any:
        """What a name stands for: a parameter, a variable, a resource, a module, or a list of these."""
        if name.endswith("()"):
            return FUNCTIONS[name.removesuffix("()")]
        if name not in self._values:
            found = self._declared[name]
            is_given = found.kind == "param" and name in self._given
            self._values[name] = self._given[name] if is_given else self._made(found)(self.value)
        return self._values[name]

    def body(self, name: str) -> Any:
        """What a resource sends to Azure; a list of it for a loop."""
        return _expression(self._declared[name].value)(self.value)

    def _made(self, found: Declaration) -> Expression:
        if found.kind == "resource":
            named = _expression(found.at("name") or "")
            return _repeated(found, lambda names: self._known(found, named(names)))
        if found.kind == "module":
            given = _expression(found.at("params") or {})
            path = normpath(join(dirname(self._path), found.type))
            return _repeated(found, lambda names: Module(self._files, path, given(names), self._known))
        return _expression(found.value)


def _repeated(found: Declaration, made: Callable[[Names], Any]) -> Expression:
    is_loop = isinstance(found.value, dict) and "for" in found.value
    return loop(str(found.value["for"]), made) if is_loop and isinstance(found.value, dict) else made


def _expression(node: Node) -> Expression:
    if isinstance(node, str):
        return parse(node)
    if isinstance(node, list):
        items = [_expression(item) for item in node]
        return lambda names: [item(names) for item in items]
    if node.keys() == {"for", "each"}:
        return loop(str(node["for"]), _expression(node["each"]))
    entries = {key: _expression(value) for key, value in node.items()}
    return lambda names: {key: value(names) for key, value in entries.items()}
