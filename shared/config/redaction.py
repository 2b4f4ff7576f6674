"""What the log may show of a value found in an invalid setting; `Misconfigured` states the rule.

`Redacted` texts are made here only. A sentence about a setting is built from one of them, never from the value.
"""

import json
import re
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher
from ipaddress import ip_address
from typing import NewType

from shared.config.addresses import Address

Redacted = NewType("Redacted", str)

NOTHING = Redacted("nothing")
REPEATED = Redacted("one that another entry has too")

QUOTED_CHARACTERS = 7
"""The longest number that is quoted. Nobody uses a key this short."""
_NUMBER = re.compile(r"[-+]?[0-9][0-9.,_]*( ?[A-Za-z]{1,2})?")
_TYPO_LIKENESS = 0.75
_TYPO_EXTRA_CHARACTERS = 1
_MAX_DOMAIN_CHARACTERS = 253
MAX_LOCAL_NAME_CHARACTERS = 15
"""The longest name of a machine in a Windows network, and shorter than a key."""
_DOMAIN = re.compile(r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")


def size(text: str, kind: str = "value") -> Redacted:
    """Return how long a text is, and nothing else of it."""
    return Redacted(f"a {kind} of {len(text)} character{'' if len(text) == 1 else 's'}")


def number(text: str) -> Redacted:
    """Return a short number, with a unit of one or two letters if it has one; any other text by its size."""
    if len(text) <= QUOTED_CHARACTERS and _NUMBER.fullmatch(text):
        return Redacted(repr(text))
    return size(text)


def word(text: str, allowed: Iterable[str], kind: str = "value") -> Redacted:
    """Return a misspelling of an allowed word; any other text by its size."""
    written = text.lower()
    for good in allowed:
        is_near = SequenceMatcher(None, written, good).ratio() >= _TYPO_LIKENESS
        if is_near and len(text) <= len(good) + _TYPO_EXTRA_CHARACTERS:
            return Redacted(repr(text))
    return size(text, kind)


def address(text: str) -> Redacted:
    """Return scheme and host, and that more follows; a text that is no address as a whole by its size."""
    found = Address.parse(text)
    if found is None or not _is_public_name(found.host):
        return size(text)
    host = f"[{found.host}]" if ":" in found.host else found.host
    more = ("/…" if found.path.strip("/") else "") + ("?…" if found.query else "") + ("#…" if found.fragment else "")
    return Redacted(f"'{found.scheme}://{host}{more}'")


def base_address(url: str, known_paths: Collection[str]) -> Redacted:
    """Return scheme, host, port and, where it is a known one, the path; an address without a public name by its size."""
    found = Address.parse(url)
    if found is None or not (_is_public_name(found.host) or _is_local_name(found)):
        return size(url)
    return Redacted(found.root + (found.path if found.path in known_paths else "/…/"))


def json_value(value: object) -> Redacted:
    """Return a boolean or a short number out of a JSON document; anything else by its kind and size."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return size(value, "text")
    if isinstance(value, dict | list):
        return Redacted("an object" if isinstance(value, dict) else "a list")
    text = json.dumps(value)
    return Redacted(text) if isinstance(value, bool) or len(text) <= QUOTED_CHARACTERS else size(text, "number")


def json_error(text: str, error: Exception) -> Redacted:
    """Return where a document stops being JSON, and nothing of it."""
    if isinstance(error, json.JSONDecodeError):
        return Redacted(f"{size(text)} with a JSON error at line {error.lineno}, column {error.colno}")
    return Redacted(f"{size(text)} that is nested too deeply or has a number that is too long")


def unknown_field(fields: Iterable[str], allowed: frozenset[str]) -> Redacted | None:
    """Return the position of the first field that is not allowed, counted from 1, or None. Its value is not looked at."""
    for position, name in enumerate(fields, 1):
        if name not in allowed:
            return Redacted(f"an unknown field at position {position} ({word(name, sorted(allowed), 'name')})")
    return None


def _is_local_name(found: Address) -> bool:
    """Whether it is a name without a dot at a port of plain http, such as a service of Docker Compose."""
    is_short = "." not in found.host and len(found.host) <= MAX_LOCAL_NAME_CHARACTERS
    return found.scheme == "http" and is_short and found.root != f"http://{found.host}"


def _is_public_name(host: str) -> bool:
    """Whether it is an IP address, this machine or a domain: a key written after `https://` has no top-level domain."""
    if host == "localhost":
        return True
    try:
        ip_address(host)
    except ValueError:
        return len(host) <= _MAX_DOMAIN_CHARACTERS and _DOMAIN.fullmatch(host.removesuffix(".")) is not None
    return True
