"""The app's HTTP functions, and which of them answers a request: by name order, the first whose method and route match.

It never runs one.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dev.functions_host.route_template import RouteTemplate
from dev.wire import Message

RESERVED = ("admin", "runtime")


@dataclass(frozen=True, slots=True)
class HttpFunction:
    name: str
    function_id: str
    input: str
    """The name of the handler's parameter for the request."""
    route: str
    methods: frozenset[str] | None
    """None: every method."""
    level: str
    template: RouteTemplate

    def accepts(self, method: str) -> bool:
        return self.methods is None or method in self.methods

    def line(self, address: str) -> str:
        """Return the function's line in the list at the start, as `func start` prints it."""
        methods = ",".join(sorted(self.methods)) if self.methods else "all"
        return f"  {self.name}: [{methods}] {address}/{self.template.text}"


@dataclass(frozen=True, slots=True)
class Match:
    function: HttpFunction
    parameters: dict[str, str]


class FunctionTable:
    """The functions in the order in which the host asks them; `unserved` has a sentence for each that it does not serve."""

    def __init__(self, metadata: Iterable[Message], prefix: str) -> None:
        self.functions: list[HttpFunction] = []
        self.unserved: list[str] = []
        # As the host sorts: ordinal, in capitals.
        for one in sorted(metadata, key=lambda one: str(one["name"]).upper()):
            try:
                self.functions.append(_http_function(one, prefix, self.functions))
            except ValueError as error:
                self.unserved.append(f"The function {one['name']!r} is not served: {error}")

    def find(self, method: str, path: str) -> Match | None:
        """Return the function for a request and the parameters of its route, or None where method or path match none."""
        for function in self.functions:
            if function.accepts(method) and (parameters := function.template.match(path)) is not None:
                return Match(function, parameters)
        return None


def _http_function(metadata: Message, prefix: str, others: Sequence[HttpFunction]) -> HttpFunction:
    bindings = [json.loads(one) for one in metadata["bindings"]]
    trigger = next((one for one in bindings if str(one.get("type")).lower() == "httptrigger"), None)
    if trigger is None:
        raise ValueError("only HTTP triggers are")
    # An empty route is the function's name, not the root.
    route = (trigger.get("route") or "").strip() or metadata["name"]
    if route.strip("/").lower().startswith(RESERVED):
        raise ValueError("the specified route conflicts with one or more built in routes")
    methods = frozenset(str(one).upper() for one in trigger.get("methods") or ()) or None
    other = next((one for one in others if _conflict(one, route, methods)), None)
    if other is not None:
        raise ValueError(f"the route specified conflicts with the route defined by function {other.name!r}")
    return HttpFunction(
        name=metadata["name"],
        function_id=metadata["function_id"],
        input=trigger["name"],
        route=route.strip("/"),
        methods=methods,
        level=str(trigger.get("authLevel") or "FUNCTION").upper(),
        template=RouteTemplate(f"{prefix}/{route.strip('/')}" if prefix else route),
    )


def _conflict(other: HttpFunction, route: str, methods: frozenset[str] | None) -> bool:
    if other.route.lower() != route.strip("/").lower():
        return False
    return methods is None or other.methods is None or not methods.isdisjoint(other.methods)
