"""Read single values out of the environment. `invalid` builds the error about one that cannot be taken."""

import json
import re
from collections.abc import Mapping
from math import nan

from shared.config.addresses import Address
from shared.config.redaction import REPEATED, Redacted, address, json_error, json_value, number, size, word
from shared.errors import Misconfigured

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def invalid(name: str, found: Redacted, allowed: str) -> Misconfigured:
    """Return the error about one setting: for callers without what was found, for the operator with it."""
    return Misconfigured(
        f"{name} is not valid; expected {allowed}.",
        operator_message=f"{name} is not valid: found {found}; expected {allowed}.",
    )


class SettingReader:
    """Typed reads by name. An empty or blank value counts as not set."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def text(self, name: str) -> str:
        """The value without surrounding blanks, or ''."""
        value = self._env.get(name, "").strip()
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise Misconfigured(f"{name} is not valid UTF-8; expected text.")
        return value

    def secret(self, name: str) -> str:
        """As `text`, of what may stand in a header; the sentence never shows it."""
        value = self.text(name)
        if not (value.isascii() and value.isprintable()):
            raise Misconfigured(f"{name} has characters that no key has; expected printable ASCII.")
        return value

    def choice(self, name: str, allowed: tuple[str, ...], *, default: str) -> str:
        """One of a few words, in any case of letters."""
        found = self.text(name)
        value = found.lower() or default
        if value not in allowed:
            raise invalid(name, word(found, allowed), "one of " + ", ".join(allowed))
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """true or false (also 1/0, yes/no, on/off)."""
        found = self.text(name)
        if not found:
            return default
        if found.lower() in _TRUE:
            return True
        if found.lower() in _FALSE:
            return False
        raise invalid(name, word(found, sorted(_TRUE | _FALSE)), "true or false")

    def integer(self, name: str, *, default: int, least: int) -> int:
        """A whole number of at least `least`."""
        value = self.optional_integer(name, least=least)
        return default if value is None else value

    def optional_integer(self, name: str, *, least: int) -> int | None:
        """A whole number of at least `least`, or None where it is not set."""
        found = self.text(name)
        if not found:
            return None
        if not (found.isascii() and found.isdigit() and len(found) < 16) or int(found) < least:
            raise invalid(name, number(found), f"a whole number of at least {least}")
        return int(found)

    def seconds(self, name: str, *, default: float, least: float = 0.05, most: float = 86_400) -> float:
        """A duration in seconds, fractions allowed."""
        found = self.text(name)
        if not found:
            return default
        value = float(found) if _DECIMAL.fullmatch(found) else nan
        if not least <= value <= most:
            raise invalid(name, number(found), f"a number of seconds from {least:g} to {most:g}")
        return value

    def guid(self, name: str) -> str:
        """Return a GUID, or '' where it is not set."""
        value = self.text(name)
        if value and not _GUID.fullmatch(value):
            raise invalid(name, size(value), "a GUID such as 11111111-2222-3333-4444-555555555555")
        return value

    def scope(self, name: str, *, default: str) -> str:
        """A token scope, which is an https address that ends in /.default."""
        return check_scope(name, self.text(name) or default)

    def origins(self, name: str) -> frozenset[str]:
        """A comma list of browser origins, each scheme://host[:port] and nothing more."""
        origins = [part.strip().lower() for part in self.text(name).split(",") if part.strip()]
        for position, origin in enumerate(origins, 1):
            if not _is_origin(origin):
                allowed = "origins such as https://app.example.com, separated by commas (no path, no *)"
                raise invalid(f"{name}, entry {position},", address(origin), allowed)
        return frozenset(_without_default_port(origin) for origin in origins)

    def name_map(self, name: str) -> dict[str, str]:
        """Return a JSON object of strings, or a comma-separated list of alias=deployment, as a mapping."""
        found = self.text(name)
        allowed = 'a JSON object such as {"gpt-5": "my-deployment"} or a list such as gpt-5=my-deployment, gpt-4=other'
        names: dict[str, str] = {}
        if found.startswith("{"):
            try:
                names = json.loads(found)
            except (ValueError, RecursionError) as error:
                raise invalid(name, json_error(found, error), allowed) from None
            for position, (alias, deployment) in enumerate(names.items(), 1):
                if not (isinstance(deployment, str) and deployment and alias):
                    raise invalid(f"{name}, entry {position},", json_value(deployment), allowed)
            return names
        for position, part in enumerate(filter(str.strip, found.split(",")), 1):
            alias, _, deployment = (piece.strip() for piece in part.partition("="))
            if not alias or not deployment or "=" in deployment:  # a key in Base64 may end in `==`
                raise invalid(f"{name}, entry {position},", size(part.strip()), allowed)
            if alias in names:
                raise invalid(f"{name}, entry {position},", REPEATED, allowed)
            names[alias] = deployment
        return names


def check_scope(name: str, scope: str) -> str:
    """Return the scope. Raise `Misconfigured` where it is not an https address that ends in /.default."""
    found = Address.parse(scope)
    is_scope = found is not None and found.scheme == "https" and found.path.endswith("/.default")
    if found is None or not is_scope or found.query or found.fragment:
        allowed = "a token scope such as https://cognitiveservices.azure.com/.default"
        raise invalid(name, address(scope), allowed)
    return scope


def _without_default_port(origin: str) -> str:
    """As browsers send it."""
    return origin.removesuffix(":443" if origin.startswith("https:") else ":80")


def _is_origin(origin: str) -> bool:
    found = Address.parse(origin)
    return found is not None and found.root == origin
