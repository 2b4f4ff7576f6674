"""Ids of stored responses as the app gives them to callers: signed with the key that development keeps in a file."""

import asyncio
import re

from shared.state.file_keys import FileKeyStore
from shared.state.signing_key import KeyRing
from shared.state.stored_ids import StoredIds

SIGNED = re.compile(rb"resp_[A-Za-z0-9_-]{50,}")
"""Longer than any that the recordings have."""


def stored_ids() -> StoredIds:
    """Return what signs and opens as the app does."""
    return StoredIds(asyncio.run(KeyRing(FileKeyStore).keys()))


def signed_id(upstream_id: str, *, caller: str = "", backend: str = "default") -> str:
    """Return the id under which the caller knows a backend's response; '' is the caller of AUTH_MODE=anonymous."""
    return stored_ids().sign(upstream_id, backend=backend, caller=caller)


def upstream_id(signed: str, *, caller: str = "") -> str:
    """Return the id that the backend knows."""
    opened = stored_ids().open(signed, caller=caller)
    assert opened is not None
    return opened.upstream_id


def unsigned(body: bytes, *, caller: str = "") -> bytes:
    """Return the bytes with the backend's ids in place of the signed ones."""
    return SIGNED.sub(lambda match: upstream_id(match[0].decode(), caller=caller).encode(), body)
