"""A function as the worker indexes it."""

import json

from dev.wire import Message


def function(name: str, route: str | None, methods: list[str] | None = None, level: str = "ANONYMOUS") -> Message:
    """Return the metadata of an HTTP function."""
    trigger = {"type": "httpTrigger", "name": "req", "authLevel": level, "route": route, "methods": methods}
    return {"name": name, "function_id": name, "bindings": [json.dumps(trigger), '{"type": "http", "name": "$return"}']}
