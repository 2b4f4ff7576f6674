"""The kinds of settings: what their text may be, and how it is read. Each kind's `parse` raises `Misconfigured`."""

import json
import re
from math import nan
from typing import Any

from shared.config.addresses import Address
from shared.config.declarations import Kind
from shared.config.redaction import REPEATED, Redacted, address, json_error, json_value, number, size, word
from shared.errors import Misconfigured

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_APP_ORIGIN = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*://[a-z0-9_-]+(\.[a-z0-9_-]+)*(:[0-9]{1,5})?")
"""Of an application or an extension with a scheme of its own: `app://obsidian.md`, `chrome-extension://…`, `tauri://localhost`."""
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEADER = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")
_NOT_PASSED = re.compile(
    "authorization|api-key|ocp-apim-subscription-key|cookie|host|origin|referer|connection|keep-alive|te|trailer|upgrade|expect"
    "|forwarded|via|range|transfer-encoding|content-.*|accept.*|if-.*|proxy-.*|x-forwarded-.*|x-functions-.*|sec-.*"
    "|access-control-.*|x-ms-client-principal.*|x-ms-token-.*|x-ms-invocation-id|x-arr-.*|x-site-.*"
)
"""What authenticates at this app or comes from the platform in front of it, and what belongs to this connection and body."""
V1_VERSIONS = ("v1", "preview")
"""The versions that Azure's v1 API has instead of dates."""
_DATED_VERSION = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}(-preview)?")
_MAX_DIGITS = 15
_SCOPE = "a token scope such as https://cognitiveservices.azure.com/.default"
_NAMES = 'a JSON object such as {"gpt-5": "my-deployment"} or a comma-separated list such as gpt-5=my-deployment, gpt-4=other'


def invalid_setting(name: str, found: Redacted, allowed: str) -> Misconfigured:
    """Return the error about one setting: for callers without what was found, for the operator with it."""
    return Misconfigured(
        f"{name} is not valid; expected {allowed}.",
        operator_message=f"{name} is not valid: found {found}; expected {allowed}.",
    )


def text(allowed: str = "any text") -> Kind[str]:
    """Return the kind of a text that is taken as it is, or that other code checks: '' where it is not set."""
    return Kind("", allowed, lambda _name, found: found)


def model_name() -> Kind[str]:
    """Return the kind of the name of a model or a deployment: '' where it is not set. Raise `Misconfigured` otherwise."""
    allowed = "a name without control characters"

    def parse(name: str, found: str) -> str:
        if found and not is_name(found):
            raise invalid_setting(name, size(found), allowed)
        return found

    return Kind("", allowed, parse)


def secret() -> Kind[str]:
    """Return the kind of a key that a header can carry. Raise `Misconfigured` otherwise, with nothing of the key."""
    allowed = "printable ASCII"

    def parse(name: str, found: str) -> str:
        if not (found.isascii() and found.isprintable()):
            raise Misconfigured(f"{name} contains non-printable or non-ASCII characters; expected {allowed}.")
        return found

    return Kind("", allowed, parse)


def choice(words: tuple[str, ...], *, default: str) -> Kind[str]:
    """Return the kind of one of a few words, in any case of letters. Raise `Misconfigured` for another word."""
    allowed = "one of " + ", ".join(words)

    def parse(name: str, found: str) -> str:
        if found.lower() not in words:
            raise invalid_setting(name, word(found, words), allowed)
        return found.lower()

    return Kind(default, allowed, parse)


def flag(*, default: bool) -> Kind[bool]:
    """Return the kind of true and false (also 1/0, yes/no, on/off). Raise `Misconfigured` for anything else."""
    allowed = "true or false"

    def parse(name: str, found: str) -> bool:
        if found.lower() not in _TRUE | _FALSE:
            raise invalid_setting(name, word(found, sorted(_TRUE | _FALSE)), allowed)
        return found.lower() in _TRUE

    return Kind(str(default).lower(), allowed, parse)


def integer(default: int, *, minimum: int, maximum: int | None = None) -> Kind[int]:
    """Return the kind of a whole number. Raise `Misconfigured` outside the bounds."""
    allowed = (
        f"a whole number of at least {minimum}" if maximum is None else f"a whole number from {minimum} to {maximum}"
    )

    def parse(name: str, found: str) -> int:
        value = _parse_integer(name, found, minimum, allowed)
        if maximum is not None and value > maximum:
            raise invalid_setting(name, number(found), allowed)
        return value

    return Kind(str(default), allowed, parse)


def optional_integer(*, minimum: int) -> Kind[int | None]:
    """Return the kind of a whole number, None where it is not set. Raise `Misconfigured` below `minimum`."""
    allowed = f"a whole number of at least {minimum}"

    def parse(name: str, found: str) -> int | None:
        return _parse_integer(name, found, minimum, allowed) if found else None

    return Kind("", allowed, parse)


def seconds(default: float, *, minimum: float = 0.05, maximum: float = 86_400) -> Kind[float]:
    """Return the kind of a duration in seconds, fractions allowed. Raise `Misconfigured` outside the bounds."""
    allowed = f"a number of seconds from {minimum:g} to {maximum:g}"

    def parse(name: str, found: str) -> float:
        value = float(found) if _DECIMAL.fullmatch(found) else nan
        if not minimum <= value <= maximum:
            raise invalid_setting(name, number(found), allowed)
        return value

    return Kind(f"{default:g}", allowed, parse)


def share(default: float) -> Kind[float]:
    """Return the kind of a share from 0 to 1. Raise `Misconfigured` outside the bounds."""
    allowed = "a number from 0 to 1"

    def parse(name: str, found: str) -> float:
        value = float(found) if _DECIMAL.fullmatch(found) else nan
        if not 0 <= value <= 1:
            raise invalid_setting(name, number(found), allowed)
        return value

    return Kind(f"{default:g}", allowed, parse)


def collector_address() -> Kind[str]:
    """Return the kind of a collector's base address, '' where it is not set. Raise `Misconfigured` for anything else."""
    allowed = "an address such as https://collector.example.com:4318 (no user, query or fragment)"

    def parse(name: str, found: str) -> str:
        parsed = Address.parse(found) if found else None
        if found and (parsed is None or parsed.scheme not in ("http", "https") or parsed.query or parsed.fragment):
            raise invalid_setting(name, address(found), allowed)
        return found

    return Kind("", allowed, parse)


def guid() -> Kind[str]:
    """Return the kind of a GUID, '' where it is not set. Raise `Misconfigured` for anything else."""
    allowed = "a GUID such as 11111111-2222-3333-4444-555555555555"

    def parse(name: str, found: str) -> str:
        if found and not _GUID.fullmatch(found):
            raise invalid_setting(name, size(found), allowed)
        return found

    return Kind("", allowed, parse)


def scope(default: str) -> Kind[str]:
    """Return the kind of a token scope. Raise `Misconfigured` as `parse_scope` does."""
    return Kind(default, _SCOPE, parse_scope)


def api_version(default: str) -> Kind[str]:
    """Return the kind of a version of Azure OpenAI's API: a date, with or without `-preview`, or one of the v1 API's words."""
    allowed = "a dated version such as 2025-04-01-preview, or v1 or preview"

    def parse(name: str, found: str) -> str:
        if found not in V1_VERSIONS and not is_dated_version(found):
            raise invalid_setting(name, size(found), allowed)
        return found

    return Kind(default, allowed, parse)


def is_dated_version(text: str) -> bool:
    """Return whether this is a dated version of Azure OpenAI's API, such as 2024-10-21 or 2025-04-01-preview."""
    return _DATED_VERSION.fullmatch(text) is not None


def origins() -> Kind[frozenset[str]]:
    """Return the kind of browser origins, as browsers write them. Raise `Misconfigured` for an entry that is none."""
    allowed = "a comma-separated list of origins such as https://app.example.com or app://obsidian.md (no path, no *)"

    def parse(name: str, found: str) -> frozenset[str]:
        listed = [part.strip().lower() for part in found.split(",") if part.strip()]
        for position, origin in enumerate(listed, 1):
            if not _is_origin(origin):
                raise invalid_setting(f"{name}, entry {position},", address(origin), allowed)
        return frozenset(_without_default_port(origin) for origin in listed)

    return Kind("", allowed, parse)


def header_names() -> Kind[frozenset[str]]:
    """Return the kind of header names, in lower case. Raise `Misconfigured` for one that may not leave with a request."""
    allowed = "a comma-separated list of header names such as x-policy-id (no keys, cookies, addresses or lengths)"

    def parse(name: str, found: str) -> frozenset[str]:
        listed = [part.strip().lower() for part in found.split(",") if part.strip()]
        for position, header in enumerate(listed, 1):
            if not _HEADER.fullmatch(header) or _NOT_PASSED.fullmatch(header):
                raise invalid_setting(f"{name}, entry {position},", size(header), allowed)
        return frozenset(listed)

    return Kind("", allowed, parse)


def caller_names() -> Kind[frozenset[str]]:
    """Return the kind of callers' names, which may be anything without a comma."""
    allowed = "a comma-separated list of callers' names such as alice, bob"

    def parse(_name: str, found: str) -> frozenset[str]:
        return frozenset(part.strip() for part in found.split(",") if part.strip())

    return Kind("", allowed, parse)


def name_map() -> Kind[dict[str, str]]:
    """Return the kind of a mapping of names. Raise `Misconfigured` for an entry without a name or a value."""
    return Kind("", _NAMES, _parse_name_map)


def parse_scope(name: str, found: str) -> str:
    """Return the scope. Raise `Misconfigured` where it is not an https address that ends in /.default."""
    parsed = Address.parse(found)
    is_scope = parsed is not None and parsed.scheme == "https" and parsed.path.endswith("/.default")
    if parsed is None or not is_scope or parsed.query or parsed.fragment:
        raise invalid_setting(name, address(found), _SCOPE)
    return found


def is_name(value: object) -> bool:
    """Return whether the value can be a name: a text that is not empty, without control characters and lone surrogates."""
    return isinstance(value, str) and value != "" and value.isprintable()


def _parse_integer(name: str, found: str, minimum: int, allowed: str) -> int:
    if not (found.isascii() and found.isdigit() and len(found) <= _MAX_DIGITS) or int(found) < minimum:
        raise invalid_setting(name, number(found), allowed)
    return int(found)


def _parse_name_map(name: str, found: str) -> dict[str, str]:
    if found.startswith("{"):
        return _parse_name_object(name, found)
    names: dict[str, str] = {}
    for position, part in enumerate(filter(str.strip, found.split(",")), 1):
        alias, _, deployment = (piece.strip() for piece in part.partition("="))
        if not is_name(alias) or not is_name(deployment) or "=" in deployment:  # a key in Base64 may end in `==`
            raise invalid_setting(f"{name}, entry {position},", size(part.strip()), _NAMES)
        if alias in names:
            raise invalid_setting(f"{name}, entry {position},", REPEATED, _NAMES)
        names[alias] = deployment
    return names


def _parse_name_object(name: str, found: str) -> dict[str, str]:
    try:
        names: dict[str, Any] = json.loads(found)
    except (ValueError, RecursionError) as error:
        raise invalid_setting(name, json_error(found, error), _NAMES) from None
    for position, (alias, deployment) in enumerate(names.items(), 1):
        if not (is_name(alias) and is_name(deployment)):
            raise invalid_setting(f"{name}, entry {position},", json_value(deployment), _NAMES)
    return names


def _without_default_port(origin: str) -> str:
    """Return the origin as browsers send it."""
    if not origin.startswith(("http:", "https:")):
        return origin
    return origin.removesuffix(":443" if origin.startswith("https:") else ":80")


def _is_origin(origin: str) -> bool:
    if origin.startswith(("http:", "https:")):
        found = Address.parse(origin)
        return found is not None and found.root == origin
    return _APP_ORIGIN.fullmatch(origin) is not None
