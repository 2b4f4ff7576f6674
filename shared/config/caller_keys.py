"""The keys of AUTH_MODE=keys. Only their SHA-256 is ever stored: a key itself is shown once, when it is made."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from shared.errors import Misconfigured

_ENTRY = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,64})=sha256:(?P<digest>[0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class CallerKey:
    """Who may call: a name for the receipts, and the SHA-256 of the key in lower-case hex."""

    name: str
    digest: str


def parse_caller_keys(text: str) -> tuple[CallerKey, ...]:
    """Reads CALLER_KEYS. Raises `Misconfigured`; the sentence shows nothing of the value, which may be a key itself."""
    keys = []
    for number, part in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        match = _ENTRY.fullmatch(part)
        if not match:
            raise Misconfigured(
                f"Entry {number} of CALLER_KEYS is not valid; expected a comma list of name=sha256:<64 hex digits> "
                "(make caller-key NAME=... makes one)."
            )
        keys.append(CallerKey(match["name"], match["digest"].lower()))
    return tuple(keys)


def find_caller(keys: tuple[CallerKey, ...], presented: str) -> CallerKey | None:
    """The owner of the presented key, or None. Takes the same time whichever key fits, or none."""
    digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).hexdigest()
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def make_caller_key(name: str) -> tuple[str, str]:
    """A new key, and its entry for CALLER_KEYS."""
    key = "sk-" + secrets.token_urlsafe(32)
    return key, f"{name}=sha256:{hashlib.sha256(key.encode()).hexdigest()}"
