"""The path and the method that a request asks for, whatever the host has done to them on their way."""

import re
from collections.abc import Collection

from starlette.requests import Request
from starlette.types import Scope

from shared.errors import MethodNotAllowed, UpgradeRequired

_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)
_SLASHES = re.compile("/{2,}")


def requested_path(scope: Scope) -> str:
    """Return the decoded path of a request, with one slash where several stand, and none at its end.

    Clients join a base URL and a path with a slash too many, or close the path with one.

    The Functions host encodes again what it has not decoded: `%2F` arrives as `%252F`, which the server decodes to the text
    `%2F` (measured on host 4.1037). So a slash in a name, such as `azure/gpt-x`, arrives as one of the two.
    """
    path = _SLASHES.sub("/", _ENCODED_SLASH.sub("/", scope["path"]))
    return path.removesuffix("/") or "/"


def check_method(request: Request, methods: Collection[str], *, hint: str = "") -> None:
    """Raise `MethodNotAllowed` for a method that is none of the path's, `UpgradeRequired` for the opening of a WebSocket.

    `hint`: a sentence on what to do instead.

    Clients that prefer WebSockets, such as Codex, use HTTP at once after a 426, and only after retries otherwise.
    """
    if request.method == "GET" and _opens_websocket(request):
        raise UpgradeRequired("WebSockets are not supported; send the request over HTTP to the same address.")
    if request.method not in methods:
        raise MethodNotAllowed.at(request.method, request.url.path, methods, hint=hint)


def _opens_websocket(request: Request) -> bool:
    """https://www.rfc-editor.org/rfc/rfc6455#section-4.1; `upgrade` is hop-by-hop, so that a proxy may have removed it."""
    headers = request.headers
    return headers.get("upgrade", "").lower() == "websocket" or "sec-websocket-key" in headers
