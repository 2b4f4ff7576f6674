"""The keys of AUTH_MODE=keys. Only their SHA-256 is ever stored: a key itself is printed once, when it is made."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from shared.config.declarations import Kind
from shared.config.redaction import size
from shared.config.values import invalid_setting

CALLER_KEYS_FORM = "a comma-separated list of name=sha256:<64 hex digits> (make caller-key NAME=... makes an entry)"
_ENTRY = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,64})=sha256:(?P<digest>[0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class CallerKey:
    """A caller: its name in the receipts, and the SHA-256 of the key in lower-case hex."""

    name: str
    digest: str


def caller_keys() -> Kind[tuple[CallerKey, ...]]:
    """Return the kind of CALLER_KEYS. Raise `Misconfigured` as `parse_caller_keys` does."""
    return Kind("", CALLER_KEYS_FORM, lambda _name, text: parse_caller_keys(text))


def parse_caller_keys(text: str) -> tuple[CallerKey, ...]:
    """Read CALLER_KEYS. Raise `Misconfigured` for an entry of another form, and for a key in place of its own name."""
    keys = []
    for number, part in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        match = _ENTRY.fullmatch(part)
        if not match or _digest(match["name"]) == match["digest"].lower():
            raise invalid_setting(f"CALLER_KEYS, entry {number},", size(part), CALLER_KEYS_FORM)
        keys.append(CallerKey(match["name"], match["digest"].lower()))
    return tuple(keys)


def find_caller(keys: tuple[CallerKey, ...], presented: str) -> CallerKey | None:
    """Return the owner of the presented key, or None. Take the same time whichever key fits, or none."""
    digest = _digest(presented)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def make_caller_key(name: str) -> tuple[str, str]:
    """Return a new key, and its entry for CALLER_KEYS."""
    key = "sk-" + secrets.token_urlsafe(32)
    return key, f"{name}=sha256:{_digest(key)}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
