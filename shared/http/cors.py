"""Cross-origin requests from browsers: off unless ALLOWED_ORIGINS names the origin. https://fetch.spec.whatwg.org/#http-cors-protocol"""

from collections.abc import Mapping

from shared.config.settings import Settings

_EXPOSED = "x-request-id, apim-request-id, retry-after, retry-after-ms, x-vercel-ai-ui-message-stream"
_MAX_AGE_SECONDS = 600


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
        allowed |= {
            "access-control-allow-methods": "GET, POST, DELETE",
            "access-control-allow-headers": headers.get("access-control-request-headers", "content-type"),
            "access-control-max-age": str(_MAX_AGE_SECONDS),
        }
    return allowed
