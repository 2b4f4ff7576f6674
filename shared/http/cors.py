"""Cross-origin requests from browsers: off unless ALLOWED_ORIGINS names the origin. https://fetch.spec.whatwg.org/#http-cors-protocol"""

import logging
import re
from collections.abc import Mapping

from shared.config.redaction import base_address
from shared.config.settings import Settings

_log = logging.getLogger(__name__)

MAX_LOGGED_ORIGINS = 20
"""Per process: anyone can send a preflight."""

_EXPOSED = (
    "x-request-id, x-answer-id, apim-request-id, retry-after, retry-after-ms, x-should-retry, "
    "x-vercel-ai-ui-message-stream"
)
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


class RefusedOrigins:
    """Logs each origin that is refused, once: a browser says nothing of the reason."""

    def __init__(self) -> None:
        """Begin with none."""
        self._logged: set[str] = set()

    def note(self, settings: Settings, headers: Mapping[str, str]) -> None:
        """Log how to allow the origin of a preflight request, unless it is allowed or was logged before."""
        origin = headers.get("origin", "").lower()
        if not origin or origin in settings.allowed_origins or origin in self._logged:
            return
        if len(self._logged) < MAX_LOGGED_ORIGINS:
            self._logged.add(origin)
            shown = base_address(origin, ("",))
            _log.warning(
                "Origin %s was refused: add it to ALLOWED_ORIGINS and restart the app to allow its pages.", shown
            )
