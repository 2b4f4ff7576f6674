"""The keys of AUTH_MODE=keys. Only their SHA-256 is ever stored: a key itself is shown once, when it is made."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from shared.config.redaction import size
from shared.config.values import invalid

CALLER_KEYS_FORM = "name=sha256:<64 hex digits>, separated by commas (make caller-key NAME=... makes one)"
_ENTRY = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,64})=sha256:(?P<digest>[0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class CallerKey:
    """Who may call: a name for the receipts, and the SHA-256 of the key in lower-case hex."""

    name: str
    digest: str


def parse_caller_keys(text: str) -> tuple[CallerKey, ...]:
    """Read CALLER_KEYS. Raise `Misconfigured` for an entry of another form, and for a key in place of its own name."""
    keys = []
    for number, part in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        match = _ENTRY.fullmatch(part)
        if not match or _digest(match["name"]) == match["digest"].lower():
            raise invalid(f"CALLER_KEYS, entry {number},", size(part), CALLER_KEYS_FORM)
        keys.append(CallerKey(match["name"], match["digest"].lower()))
    return tuple(keys)


def find_caller(keys: tuple[CallerKey, ...], presented: str) -> CallerKey | None:
    """The owner of the presented key, or None. Takes the same time whichever key fits, or none."""
    digest = _digest(presented)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def make_caller_key(name: str) -> tuple[str, str]:
    """A new key, and its entry for CALLER_KEYS."""
    key = "sk-" + secrets.token_urlsafe(32)
    return key, f"{name}=sha256:{_digest(key)}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
