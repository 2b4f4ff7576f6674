"""Response headers: those for clients, and those internal to the gateway."""

import secrets

from dev.simulator.behaviour import Behaviour

REQUEST_LIMIT = 1_000
TOKEN_LIMIT = 100_000
INTERNAL = {
    "server": "istio-envoy",
    "set-cookie": "simulated-affinity=internal; Path=/; HttpOnly",
    "x-ms-internal-something": "not for clients",
    "x-envoy-upstream-service-time": "12",
    "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
}


def headers(content_type: str, *, number: int) -> dict[str, str]:
    """Return the headers of a backend's answer with this number, on which the remaining-limit headers depend."""
    return {
        "content-type": content_type,
        "x-request-id": secrets.token_hex(16),
        "apim-request-id": secrets.token_hex(16),
        "x-ms-region": "Simulated Central",
        "x-ratelimit-limit-requests": str(REQUEST_LIMIT),
        "x-ratelimit-remaining-requests": str(REQUEST_LIMIT - 1 - number % REQUEST_LIMIT),
        "x-ratelimit-reset-requests": "1",
        "x-ratelimit-limit-tokens": str(TOKEN_LIMIT),
        "x-ratelimit-remaining-tokens": str(TOKEN_LIMIT - 100 * (1 + number % 900)),
        "x-ratelimit-reset-tokens": "1",
        "openai-processing-ms": "42",
        **INTERNAL,
    }


def with_own(found: dict[str, str], behaviour: Behaviour) -> dict[str, str]:
    """Apply a behaviour's headers, which replace others or, if None, remove them."""
    if behaviour.close:
        found = {**found, "connection": "close"}
    for name, value in behaviour.headers.items():
        found = {key: kept for key, kept in found.items() if key != name.lower()}
        if value is not None:
            found[name.lower()] = value
    return found
