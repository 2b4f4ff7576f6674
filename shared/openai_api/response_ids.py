"""The ids of stored responses in one request and its answer: opened on the way up, signed on the way down."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from shared.config.backends import Backend
from shared.errors import InvalidJson, ResponseNotFound
from shared.http.json_body import decode_value, parse_fields
from shared.sse import with_data
from shared.state.signing_key import KeyRing
from shared.state.stored_ids import PREFIX, StoredIds, backend_tag

SIGNED_FIELDS = ("id", "previous_response_id", "first_id", "last_id")
"""Of a response object, and of a page of its items; only where the value is a response's id."""
_UPSTREAM_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
"""It becomes a part of a path: one that begins with a dot would climb to another."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a stored response is: the backend's name, and the id that it has there."""

    owner: str
    id: str


class ResponseIds:
    """One request's ids, all of them for the same caller. See `call.IdSigning`."""

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
        if opened is None or not names or not _UPSTREAM_ID.fullmatch(opened.upstream_id):
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

    def sign_event(self, frame: bytes, data: bytes) -> bytes:
        """Return the frame of an event that carries a response object, with that object's ids signed. `data` is its data."""
        fields = _fields(data)
        response = self._signed(_fields(bytes(fields.get("response", b""))))
        if response is None:
            return frame
        return with_data(frame, msgspec.json.encode({**fields, "response": response}))

    def sign_body(self, body: bytes) -> bytes:
        """Return a body, with the ids of its response object signed; unchanged where it is none."""
        signed = self._signed(_fields(body))
        return body if signed is None else bytes(signed)

    def _signed(self, fields: dict[str, msgspec.Raw]) -> msgspec.Raw | None:
        """Return the object with its ids signed, or None where there is nothing to sign, or no key."""
        signed: dict[str, msgspec.Raw] = {}
        for name in SIGNED_FIELDS:
            value = decode_value(fields[name]) if name in fields else None
            if self._ids is not None and isinstance(value, str) and value.startswith(PREFIX):
                text = self._ids.sign(value, backend=self._backend, caller=self.caller)
                signed[name] = msgspec.Raw(msgspec.json.encode(text))
        return msgspec.Raw(msgspec.json.encode({**fields, **signed})) if signed else None


def _fields(data: bytes) -> dict[str, msgspec.Raw]:
    """Return an object's fields; none where it is not an object, or not read by every JSON parser."""
    try:
        return parse_fields(data)
    except InvalidJson:
        return {}
