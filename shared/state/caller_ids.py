"""The ids of stored responses in one request: opened on the way up, signed on the way down, all of them for its caller."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shared.config.backends import Backend
from shared.errors import ResponseNotFound
from shared.state.signing_key import KeyRing
from shared.state.stored_ids import StoredIds, backend_tag

UPSTREAM_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
"""It becomes a part of a path: one that begins with a dot would climb to another."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a stored response is: the backend's name, and the id that it has there."""

    owner: str
    id: str


class CallerIds:
    """One request's ids. See `call.IdSigning`."""

    def __init__(self, key_ring: KeyRing, backends: Sequence[Backend], caller: str) -> None:
        """`caller`: whose the stored responses are (`auth.caller_identity`)."""
        self.caller = caller
        self._key_ring = key_ring
        self._backends = backends
        self._ids: StoredIds | None = None
        self._backend = ""

    async def load(self) -> StoredIds:
        """Read the key. Raise `StateUnavailable`."""
        self._ids = self._ids or StoredIds(await self._key_ring.keys())
        return self._ids

    async def open(self, signed_id: str, *, param: str) -> Found:
        """Return where the response is. Raise `StateUnavailable`, and `ResponseNotFound` for an id that is not the caller's."""
        ids = await self.load()
        opened = ids.open(signed_id, caller=self.caller)
        names = [
            one.name for one in self._backends if opened is not None and backend_tag(one.name) == opened.backend_tag
        ]
        if opened is None or not names or not UPSTREAM_ID.fullmatch(opened.upstream_id):
            raise ResponseNotFound.named_by(param)
        return Found(names[0], opened.upstream_id)

    def start(self) -> None:
        """Begin to read the key, while the upstream is asked."""
        self._key_ring.start()

    async def ready(self, backend: Backend) -> None:
        """Return once this backend's answer can be signed. Where the key cannot be had, it stays as it comes."""
        self._backend = backend.name
        if self._ids is None and (keys := await self._key_ring.keys_if_available()):
            self._ids = StoredIds(keys)

    def sign(self, upstream_id: str) -> str:
        """Return the id for the caller; unchanged where there is no key."""
        if self._ids is None:
            return upstream_id
        return self._ids.sign(upstream_id, backend=self._backend, caller=self.caller)
