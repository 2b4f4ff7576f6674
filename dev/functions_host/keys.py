"""Which requests may call a function where keys are required: by `x-functions-key` or `?code=`, and by nothing else.

One key stands for the function, host and master keys of the real host.
"""

import hmac
import secrets
from urllib.parse import parse_qs

from dev.functions_host.functions import HttpFunction
from dev.functions_host.request import Request

ANONYMOUS = "ANONYMOUS"


def generated() -> str:
    """Return a new key like the portal's: long, and safe in a URL."""
    return secrets.token_urlsafe(40)


def permitted(key: str | None, function: HttpFunction, request: Request) -> bool:
    """Return whether a request may call a function: any may without a key to compare with, as with plain `func start`."""
    if key is None or function.level == ANONYMOUS:
        return True
    given = request.header(b"x-functions-key")
    if given is None:
        codes = parse_qs(request.query.decode("latin-1"), keep_blank_values=True).get("code", [])
        given = codes[0].encode() if codes else b""
    return hmac.compare_digest(given, key.encode())
