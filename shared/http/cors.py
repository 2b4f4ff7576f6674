"""Cross-origin requests from browsers: off unless ALLOWED_ORIGINS names the origin. https://fetch.spec.whatwg.org/#http-cors-protocol"""

import re
from collections.abc import Mapping

from shared.config.settings import Settings

_EXPOSED = "x-request-id, apim-request-id, retry-after, retry-after-ms, x-vercel-ai-ui-message-stream"
_MAX_AGE_SECONDS = 600
_USUAL_HEADERS = "content-type"
_HEADER_NAMES = re.compile(r"[\w!#$%&'*+.^`|~-]+(?:[\t ]*,[\t ]*[\w!#$%&'*+.^`|~-]+)*", re.ASCII)
"""https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1: what goes back into a header has to be one that the host passes on."""


def cors_headers(settings: Settings, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that let the calling page read the response; none for an origin that is not allowed."""
    if not settings.allowed_origins:
        return {}
    origin = headers.get("origin", "")
    if origin.lower() not in settings.allowed_origins:
        return {"vary": "origin"}
    return {"access-control-allow-origin": origin, "access-control-expose-headers": _EXPOSED, "vary": "origin"}


def preflight_headers(settings: Settings, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of the response to a CORS preflight."""
    allowed = cors_headers(settings, headers)
    if "access-control-allow-origin" in allowed:
        asked = headers.get("access-control-request-headers", _USUAL_HEADERS)
        allowed |= {
            "access-control-allow-methods": "GET, POST, DELETE",
            "access-control-allow-headers": asked if _HEADER_NAMES.fullmatch(asked) else _USUAL_HEADERS,
            "access-control-max-age": str(_MAX_AGE_SECONDS),
        }
    return allowed
