"""A generator of values that match a JSON Schema, for structured outputs and tool arguments.

Covers what strict structured outputs allow (objects, arrays, enums, anyOf, $defs, bounds); `pattern` is ignored.
"""

from typing import Any

MOST_DEPTH = 12
FORMATS = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05",
    "duration": "P1D",
    "email": "someone@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "01234567-89ab-4cde-8f01-23456789abcd",
}

Schema = dict[str, Any]


def example(schema: Schema, *, text: str = "simulated") -> Any:
    return _example(schema, schema, text, 0)


def _example(schema: Any, root: Schema, text: str, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > MOST_DEPTH:
        return None
    if "$ref" in schema:
        return _example(_resolve(schema["$ref"], root), root, text, depth + 1)
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            return _example(schema[choice][0], root, text, depth + 1)
    if schema.get("allOf"):
        merged: Schema = {}
        for part in schema["allOf"]:
            merged |= _resolve(part["$ref"], root) if "$ref" in part else part
        return _example(merged, root, text, depth + 1)
    return _of_type(schema, root, text, depth)


def _of_type(schema: Schema, root: Schema, text: str, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    match kind:
        case "object":
            return {name: _example(part, root, text, depth + 1) for name, part in schema.get("properties", {}).items()}
        case "array":
            count = max(schema.get("minItems", 0), min(2, schema.get("maxItems", 2)))
            return [_example(schema.get("items", {"type": "string"}), root, text, depth + 1) for _ in range(count)]
        case "string":
            return _string(schema, text)
        case "integer":
            return int(_number(schema, 1))
        case "number":
            return _number(schema, 0.5)
        case "boolean":
            return True
    return None


def _string(schema: Schema, text: str) -> str:
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    least, most = schema.get("minLength", 0), schema.get("maxLength", 200)
    return text[:most].ljust(least, "x")


def _number(schema: Schema, step: float) -> float:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + step
    if high is None and "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - step
    wanted = schema.get("multipleOf", 7)
    if low is not None:
        wanted = max(low, wanted)
    if high is not None:
        wanted = min(high, wanted)
    return float(wanted)


def _resolve(reference: str, root: Schema) -> Schema:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}
