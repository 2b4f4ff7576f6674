"""Who may call: one rule per AUTH_MODE, in one table. Says who it is, or raises `Unauthorized`; never looks further."""

import hashlib
from collections.abc import Callable, Mapping

from shared.config.caller_keys import find_caller
from shared.config.settings import Settings
from shared.errors import Unauthorized

_CHALLENGE = {"www-authenticate": "Bearer"}
SHARED_NAMES: Mapping[str, frozenset[str]] = {
    "function": frozenset({"function"}),
    "anonymous": frozenset({"anonymous"}),
}
"""By mode, the one name that every caller has: there the app cannot tell who calls."""


def authorise(settings: Settings, headers: Mapping[str, str]) -> str:
    """Return the caller's name for the receipt. Raise `Unauthorized`.

    `headers` are the request's, with names in any case.
    """
    return _RULES[settings.auth_mode](settings, headers)


def _function(_settings: Settings, _headers: Mapping[str, str]) -> str:
    # The host has checked the function key before the app saw the request, and does not say whose it was.
    return "function"


def _anonymous(_settings: Settings, _headers: Mapping[str, str]) -> str:
    return "anonymous"


def _keys(settings: Settings, headers: Mapping[str, str]) -> str:
    presented = presented_keys(headers)
    if not presented:
        raise Unauthorized(
            "No API key was given. Send yours as 'Authorization: Bearer KEY', 'api-key: KEY' or 'x-functions-key: KEY'.",
            headers=_CHALLENGE,
        )
    caller = next(filter(None, [find_caller(settings.caller_keys, key) for key in presented]), None)
    if caller is None:
        raise Unauthorized("The API key is not one that this service knows.", headers=_CHALLENGE)
    return caller.name


def _entra(_settings: Settings, headers: Mapping[str, str]) -> str:
    # NOTE: anyone can send this header. It is believed only because the settings refuse AUTH_MODE=entra unless App Service
    # authentication is on, which then overwrites whatever the caller sent.
    principal = headers.get("x-ms-client-principal-id", "").strip()
    if not principal:
        raise Unauthorized("Sign in first: no authenticated principal came with the request.", headers=_CHALLENGE)
    return principal


_RULES: dict[str, Callable[[Settings, Mapping[str, str]], str]] = {
    "function": _function,
    "keys": _keys,
    "entra": _entra,
    "anonymous": _anonymous,
}


def presented_keys(headers: Mapping[str, str]) -> list[str]:
    """Return what the three headers have as keys, in their order.

    Clients that insist on a key of their own send a placeholder in one header, and the caller's key in another.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    bearer = value if scheme.lower() == "bearer" else ""
    found = (bearer, headers.get("api-key", ""), headers.get("x-functions-key", ""))
    return [key.strip() for key in found if key.strip()]


def caller_identity(settings: Settings, caller: str, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """Return whose the responses are that are stored for this request. `caller`: as `authorise` returns it.

    Under AUTH_MODE=function they belong to the function key that was presented, under anonymous to whoever has their ids.
    """
    if settings.auth_mode == "anonymous":
        return ""
    if settings.auth_mode == "function":
        key = headers.get("x-functions-key") or query.get("code", "")
        return "function:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{settings.auth_mode}:{caller}"
