"""Reads single values out of the environment. Every refusal names the setting, what was found and what is allowed."""

import json
import re
from collections.abc import Mapping
from math import nan
from urllib.parse import urlsplit

from shared.errors import Misconfigured

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_SHOWN_CHARACTERS = 80


def shown(value: object) -> str:
    """A found value for an error sentence: quoted, on one line, cut when long."""
    text = value if isinstance(value, str) else json.dumps(value)
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")


def wrong(name: str, found: object, allowed: str) -> Misconfigured:
    """The one sentence about one wrong setting."""
    return Misconfigured(f"{name} is {shown(found)}; expected {allowed}.")


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
            raise wrong(name, found, "one of " + ", ".join(allowed))
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
        raise wrong(name, found, "true or false")

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
            raise wrong(name, found, f"a whole number of at least {least}")
        return int(found)

    def seconds(self, name: str, *, default: float, least: float = 0.05, most: float = 86_400) -> float:
        """A duration in seconds, fractions allowed."""
        found = self.text(name)
        if not found:
            return default
        value = float(found) if _DECIMAL.fullmatch(found) else nan
        if not least <= value <= most:
            raise wrong(name, found, f"a number of seconds from {least:g} to {most:g}")
        return value

    def scope(self, name: str, *, default: str) -> str:
        """A token scope, which is an https address that ends in /.default."""
        return check_scope(name, self.text(name) or default)

    def origins(self, name: str) -> frozenset[str]:
        """A comma list of browser origins, each scheme://host[:port] and nothing more."""
        origins = [part.strip().lower() for part in self.text(name).split(",") if part.strip()]
        for origin in origins:
            if not _is_origin(origin):
                raise wrong(name, origin, "a comma list of origins such as https://app.example.com (no path, no *)")
        return frozenset(_without_default_port(origin) for origin in origins)

    def name_map(self, name: str) -> dict[str, str]:
        """A JSON object of strings, or a comma list of alias=deployment."""
        found = self.text(name)
        allowed = 'a JSON object such as {"gpt-5": "my-deployment"} or a comma list such as gpt-5=my-deployment'
        if found.startswith("{"):
            try:
                names = json.loads(found)
            except (ValueError, RecursionError):
                raise wrong(name, found, allowed) from None
            if not all(isinstance(value, str) and value and key for key, value in names.items()):
                raise wrong(name, found, allowed)
            return dict(names)
        pairs = [part.partition("=") for part in found.split(",") if part.strip()]
        names = {alias.strip(): deployment.strip() for alias, _, deployment in pairs}
        if len(names) != len(pairs) or not all(alias and deployment for alias, deployment in names.items()):
            raise wrong(name, found, allowed)
        return names


def check_scope(name: str, scope: str) -> str:
    """Returns the scope, or raises `Misconfigured`."""
    if not (scope.startswith("https://") and scope.endswith("/.default")):
        raise wrong(name, scope, "a token scope such as https://cognitiveservices.azure.com/.default")
    return scope


def _without_default_port(origin: str) -> str:
    """As browsers send it."""
    return origin.removesuffix(":443" if origin.startswith("https:") else ":80")


def _is_origin(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        return False
    bare = f"{parts.scheme}://{parts.netloc}"
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "*" not in origin and bare == origin
