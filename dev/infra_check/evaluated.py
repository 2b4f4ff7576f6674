"""What Bicep deploys: every resource of the parameter sets in tests/infra/evaluated, as the compiler evaluates it.

The compiler's result is stored beside each parameter set, so that a change of infra/ shows in its diff what it deploys. What
only Azure knows stays an expression: `[reference('…').endpoint]`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "tests/infra/evaluated"
PARAMETERS = ".bicepparam"
SNAPSHOT = ".snapshot.json"
DEFAULTS = "defaults"
"""The parameter set that has nothing but what is required."""
_ROLE_ASSIGNMENT = "/providers/Microsoft.Authorization/roleAssignments/"
_ON_ONE_RESOURCE = re.compile(
    r"/resourceGroups/[^/]+/providers/Microsoft\.(?!Authorization/)\w+/\w+/[^/]+(?:/\w+/[^/]+)*$"
)
_TOKEN = re.compile(r"'(?:[^']|'')*'|\w+(?=\()|.", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource of one parameter set."""

    case: str
    body: Mapping[str, Any]

    @property
    def type(self) -> str:
        """Its type, without a version."""
        return str(self.body["type"])

    @property
    def name(self) -> str:
        """Its name, with those of its parents."""
        return str(self.body["name"])

    @property
    def place(self) -> str:
        """Where it is found."""
        return f"{FOLDER}/{self.case}{SNAPSHOT}: {self.type} {self.name}"

    @property
    def role_scope(self) -> str:
        """The id of what a role assignment is on."""
        return str(self.body["id"]).partition(_ROLE_ASSIGNMENT)[0]

    @property
    def is_on_one_resource(self) -> bool:
        """Whether a role assignment's scope is a single resource, no group and no subscription."""
        return bool(_ON_ONE_RESOURCE.search(self.role_scope))

    def at(self, path: str) -> Any:
        """Return the value at a dotted path, or None."""
        value: Any = self.body
        for part in path.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return None
            value = value[part]
        return value

    def settings(self) -> dict[str, str]:
        """Return a site's settings by name."""
        listed = self.at("properties.siteConfig.appSettings")
        return {entry["name"]: entry["value"] for entry in listed} if isinstance(listed, list) else {}


def read_evaluated(root: Path) -> tuple[Resource, ...]:
    """Return the stored resources of every parameter set."""
    return tuple(
        Resource(case=path.name.removesuffix(SNAPSHOT), body=body)
        for path in sorted((root / FOLDER).glob(f"*{SNAPSHOT}"))
        for body in json.loads(path.read_text(encoding="utf-8"))["predictedResources"]
    )


def leaves_of(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value that is no object and no list, with its dotted path."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from leaves_of(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves_of(inner, f"{path}.{number}")
    else:
        yield path, value


class _Fields:
    """What Azure knows of a resource, read with a dot."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._known = known

    def __getattr__(self, name: str) -> Any:
        value = self._known[name]
        return _Fields(value) if isinstance(value, Mapping) else value


def resolved(value: Any, known: Callable[[str], Mapping[str, Any]]) -> Any:
    """Return the value with its expressions computed. `known`: from a resource's id to what Azure knows of it.

    Raise NameError for a function that no stored expression has needed so far.
    """
    if isinstance(value, dict):
        return {name: resolved(inner, known) for name, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, known) for inner in value]
    if not (isinstance(value, str) and value.startswith("[") and value.endswith("]")):
        return value
    functions: dict[str, Any] = {
        "createArray": lambda *items: list(items),
        "createObject": lambda *items: dict(zip(items[::2], items[1::2], strict=True)),
        "environment": lambda: _Fields(known("environment")),
        "format": lambda text, *items: text.format(*items),
        "reference": lambda resource_id, *_version: _Fields(known(resource_id)),
        "string": lambda inner: inner if isinstance(inner, str) else json.dumps(inner, separators=(",", ":")),
    }
    # The text is this repository's own; its strings are those of ARM, the rest reads the same in Python.
    text = "".join(
        repr(part[1:-1].replace("''", "'")) if part.startswith("'") else part for part in _TOKEN.findall(value[1:-1])
    )
    return eval(text, {"__builtins__": {}} | functions)
