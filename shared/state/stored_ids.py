"""Ids of stored objects as callers see them: signed, bound to the caller and to the backend that has the object. Pure.

    resp_ + base64url(version 1 · key number 1 · backend tag 4 · caller tag 8 · upstream id · signature 16)

without padding; sizes in bytes. The backend tag is the beginning of the SHA-256 of the backend's name, the caller tag that
of HMAC-SHA256(key, caller), the signature that of HMAC-SHA256(key, all before it). The first byte keeps the two apart: no
caller's name begins with a control character. Each kind of object has a prefix and a version of its own, so that no id of
one is one of another. There is no time in it: one object has one id, wherever and whenever it is signed.
"""

import base64
import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from shared.state.signing_key import SECRET_BYTES, SigningKey

PREFIX = "resp_"
VERSION = 1
MAX_UPSTREAM_ID_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """What an id names: `version` is its first byte, and no other kind's."""

    name: str
    prefix: str
    version: int


RESPONSE = Kind("response", PREFIX, VERSION)
FILE = Kind("file", "file-", 2)
VECTOR_STORE = Kind("vector store", "vs_", 3)
CONVERSATION = Kind("conversation", "conv_", 4)
BATCH = Kind("batch", "batch_", 5)

_HEAD = struct.Struct(">BB4s8s")
_SIGNATURE_BYTES = 16
_MAX_ID_CHARACTERS = len(PREFIX) + -(-(_HEAD.size + MAX_UPSTREAM_ID_BYTES + _SIGNATURE_BYTES) * 4 // 3)
_NO_ID = bytes(_HEAD.size + 53 + _SIGNATURE_BYTES)
"""What is verified in place of a text that is no signed id: as long as the usual one, and never valid."""
_NO_KEY = SigningKey(0, bytes(SECRET_BYTES))


@dataclass(frozen=True, slots=True)
class Opened:
    """What a signed id stands for. `backend_tag` is what `backend_tag` returns for the backend's name."""

    backend_tag: bytes
    upstream_id: str


class StoredIds:
    """Signs with the newest key, verifies with all of them. No method raises, whatever text it is given."""

    def __init__(self, keys: Sequence[SigningKey], kind: Kind = RESPONSE) -> None:
        """`keys` as `KeyRing.keys` returns them: the newest first, at least one."""
        self._kind = kind
        self._newest = keys[0]
        self._keys = {key.number: key for key in keys}

    def sign(self, upstream_id: str, *, backend: str, caller: str) -> str:
        """Return the id for the caller. `backend` is the backend's name.

        Unchanged come back: an id that is signed already, an empty one, and one longer than `MAX_UPSTREAM_ID_BYTES`. The
        latter two cannot be opened, so that their responses can be read once and never asked for again.
        """
        raw = _bytes(upstream_id)
        if not raw or len(raw) > MAX_UPSTREAM_ID_BYTES or self.recognises(upstream_id):
            return upstream_id
        key = self._newest
        head = _HEAD.pack(self._kind.version, key.number, backend_tag(backend), _caller_tag(key, caller))
        return _text(self._kind, head + raw + _signature(key, head + raw))

    def open(self, signed_id: str, *, caller: str) -> Opened | None:
        """Return what the id stands for, or None where it was not signed here for this caller.

        A foreign, a forged, a truncated and an unsigned id are the same None, after the same computations.
        """
        packed = _packed(self._kind, signed_id) or _NO_ID
        key, is_valid = self._verify(packed)
        _, _, tag, caller_tag = _HEAD.unpack_from(packed)
        is_callers = hmac.compare_digest(_caller_tag(key, caller), caller_tag)
        if not (is_valid & is_callers):
            return None
        return Opened(tag, packed[_HEAD.size : -_SIGNATURE_BYTES].decode("utf-8", "surrogatepass"))

    def recognises(self, text: str) -> bool:
        """Return whether the text is an id that was signed here, for whichever caller."""
        packed = _packed(self._kind, text)
        return packed is not None and self._verify(packed)[1]

    def _verify(self, packed: bytes) -> tuple[SigningKey, bool]:
        version, number = packed[:2]
        key = self._keys.get(number, _NO_KEY)
        is_signed = hmac.compare_digest(_signature(key, packed[:-_SIGNATURE_BYTES]), packed[-_SIGNATURE_BYTES:])
        return key, is_signed & (version == self._kind.version) & (key is not _NO_KEY)


def backend_tag(name: str) -> bytes:
    """Return the four bytes that stand for a backend's name in an id."""
    return hashlib.sha256(_bytes(name)).digest()[:4]


def _caller_tag(key: SigningKey, caller: str) -> bytes:
    return hmac.digest(key.secret, _bytes(caller), "sha256")[:8]


def _signature(key: SigningKey, signed: bytes) -> bytes:
    return hmac.digest(key.secret, signed, "sha256")[:_SIGNATURE_BYTES]


def _text(kind: Kind, packed: bytes) -> str:
    return kind.prefix + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _packed(kind: Kind, text: str) -> bytes | None:
    """Return the bytes of a text that has the form of a signed id, or None."""
    if not (text.startswith(kind.prefix) and len(text) <= _MAX_ID_CHARACTERS and text.isascii()):
        return None
    encoded = text.removeprefix(kind.prefix)
    try:
        packed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        return None
    # The decoder skips what is not of its alphabet and the bits that fill the last character: an id has one spelling.
    is_canonical = len(packed) > _HEAD.size + _SIGNATURE_BYTES and _text(kind, packed) == text
    return packed if is_canonical else None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
