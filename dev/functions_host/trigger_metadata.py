"""What the host sends the worker with an invocation: query, headers, and the members of a JSON object in the body.

As in the real host all of it is sent, and a streaming app reads none of it: it costs the worker memory and time.
"""

import json
from typing import Any
from urllib.parse import parse_qsl

from dev.functions_host.request import Request


def trigger_metadata(request: Request, body: bytes) -> dict[str, dict[str, str]]:
    """Return each by name, as the one set field of a TypedData."""
    query = dict(parse_qsl(request.query.decode("latin-1"), keep_blank_values=True))
    headers = {name.decode("latin-1"): value.decode() for name, value in request.headers}
    members = _members(request, body)
    return {
        **{name: {"string": value} for name, value in query.items()},
        **{name: _typed(value) for name, value in members.items() if not isinstance(value, list)},
        "Query": {"json": json.dumps(query)},
        "Headers": {"json": json.dumps(headers)},
    }


def _members(request: Request, body: bytes) -> dict[str, Any]:
    if not body or b"json" not in (request.header(b"content-type") or b"").lower():
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _typed(value: Any) -> dict[str, str]:
    return {"string": value} if isinstance(value, str) else {"json": json.dumps(value)}
