"""The ids of files, vector stores, conversations and batches in one request: opened on the way up, signed on the way down."""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from shared.config.backends import Backend
from shared.errors import BadRequest, InvalidJson, ObjectNotFound
from shared.http.json_body import decode_value, parse_fields
from shared.json_bounds import matches
from shared.openai_api.objects import KINDS
from shared.state.caller_ids import UPSTREAM_ID
from shared.state.signing_key import KeyRing
from shared.state.stored_ids import FILE, Kind, StoredIds, backend_tag

_SIGNED = re.compile(rb'"((?:file-|vs_|conv_)[A-Za-z0-9_-]{42,1500})"')
"""A JSON string that may be a signed id; never found within a text, whose quotation marks are escaped."""
_LONGEST_SIGNED = 1536
"""More than any that `_SIGNED` finds."""
_NAMED_FILES = ("file_id", "file_ids", "files")
"""The fields of a request about a vector store that name files."""
_ECHOED = (
    "id",
    "file_id",
    "vector_store_id",
    "first_id",
    "last_id",
    "input_file_id",
    "output_file_id",
    "error_file_id",
)
_OBJECTS = msgspec.json.Decoder(list[msgspec.Raw])


class ObjectIds:
    """One request's ids. See `call.IdSigning` and `relay.BodySigning`."""

    def __init__(self, key_ring: KeyRing, backends: Sequence[Backend], caller: str) -> None:
        """`caller`: whose the objects are (`auth.caller_identity`)."""
        self.caller = caller
        self.signs: Mapping[str, Kind] = {}
        """The fields of the answer that are signed; see `objects.ObjectApi`."""
        self._key_ring = key_ring
        self._names = {backend_tag(one.name): one.name for one in backends}
        self._by_kind: dict[Kind, StoredIds] = {}
        self._backend = ""
        self._shown: dict[str, str] = {}
        """What was opened: the ids that the request named, by those of the account."""
        self.owner = ""
        """The name of the backend that has what was opened; '' where nothing was."""
        self.param = ""
        """What named it first."""

    async def load(self) -> None:
        """Read the key. Raise `StateUnavailable`."""
        if not self._by_kind:
            keys = await self._key_ring.keys()
            self._by_kind = {kind: StoredIds(keys, kind) for kind in KINDS.values()}

    def start(self) -> None:
        """Begin to read the key, while the upstream is asked."""
        self._key_ring.start()

    async def ready(self, backend: Backend) -> None:
        """Note which backend answers: the key is there since the request was resolved."""
        self._backend = backend.name

    def open(self, kind: Kind, signed_id: str, *, param: str) -> str:
        """Return the account's id, after `load`.

        Raise `ObjectNotFound` for an id that is not the caller's, `BadRequest` where another account has what came before.
        """
        opened = self._by_kind[kind].open(signed_id, caller=self.caller)
        name = self._names.get(opened.backend_tag) if opened is not None else None
        if opened is None or name is None or not UPSTREAM_ID.fullmatch(opened.upstream_id):
            raise ObjectNotFound.named_by(param, kind.name)
        self.belongs_to(name, param=param)
        self._shown[opened.upstream_id] = signed_id
        return opened.upstream_id

    def belongs_to(self, owner: str, *, param: str) -> None:
        """Note the backend that has what the request names. Raise `BadRequest` where it is not the one of before."""
        if self.owner not in ("", owner):
            raise BadRequest(
                "The objects that the request names are in different accounts, which cannot see each other's; make them again "
                "together.",
                param=param,
            )
        self.owner, self.param = owner, self.param or param

    def are_named_in(self, body: bytes) -> bool:
        """Return whether a body may name any: a string that looks like a signed id."""
        return next(matches(_SIGNED, body, longest=_LONGEST_SIGNED), None) is not None

    def open_body(self, body: bytes) -> bytes:
        """Return a JSON body with the account's ids in place of the caller's, wherever they are. Raise as `open` does.

        What is signed for somebody else is refused. An id that was never signed stays: the account's own objects are the
        operator's, who may share them.
        """

        pieces, at = list[bytes](), 0
        for match in matches(_SIGNED, body, longest=_LONGEST_SIGNED):
            text = match[1].decode()
            kind = next(one for one in KINDS.values() if text.startswith(one.prefix))
            if self._by_kind[kind].recognises(text):
                opened = self.open(kind, text, param=kind.name.replace(" ", "_"))
                pieces += (body[at : match.start(1)], opened.encode())
                at = match.end(1)
        return b"".join([*pieces, body[at:]]) if pieces else body

    def open_own(self, body: bytes) -> bytes:
        """Return a body about an object as `open_body` does, where each file that it names is the caller's.

        Raise `ObjectNotFound` for one that is not. Of two fields of one name the last counts, and goes up alone.
        """
        fields = parse_fields(self.open_body(body))
        for name in _NAMED_FILES:
            value = decode_value(fields[name]) if name in fields else None
            for named in _named(value):
                if not isinstance(named, str) or named not in self._shown:
                    raise ObjectNotFound.named_by(name, FILE.name)
            if name in fields:
                fields[name] = msgspec.Raw(msgspec.json.encode(value))
        return msgspec.json.encode(fields)

    def sign_body(self, body: bytes) -> bytes:
        """Return a body with the ids of its object, and of the objects in its `data`, signed."""
        try:
            fields = parse_fields(body)
            signed = self._signed_fields(fields)
            if bytes(fields.get("data", b"")).startswith(b"["):
                signed |= self._signed_data(_OBJECTS.decode(fields["data"]))
        except (InvalidJson, BadRequest, msgspec.DecodeError):
            return body
        return msgspec.json.encode({**fields, **signed}) if signed else body

    def _signed_data(self, objects: list[msgspec.Raw]) -> dict[str, msgspec.Raw]:
        found = [parse_fields(bytes(one)) if bytes(one).startswith(b"{") else {} for one in objects]
        signed = [self._signed_fields(fields) for fields in found]
        if not any(signed):
            return {}
        pairs = zip(objects, found, signed, strict=True)
        data = [msgspec.Raw(msgspec.json.encode({**fields, **new})) if new else one for one, fields, new in pairs]
        return {"data": msgspec.Raw(msgspec.json.encode(data))}

    def _signed_fields(self, fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
        """Return those of the fields that are signed."""
        signed = {}
        for name in _ECHOED:
            value = decode_value(fields[name]) if name in fields else None
            shown = self._shown_id(name, value) if isinstance(value, str) else None
            if shown is not None and shown != value:
                signed[name] = msgspec.Raw(msgspec.json.encode(shown))
        return signed

    def _shown_id(self, name: str, value: str) -> str | None:
        if value in self._shown:
            return self._shown[value]
        kind = self.signs.get(name)
        return None if kind is None else self._by_kind[kind].sign(value, backend=self._backend, caller=self.caller)


def _named(value: object) -> Iterable[object]:
    """Return the ids in the value of a field that names files: one, a list of them, or a list of objects that have one."""
    for one in value if isinstance(value, list) else [value]:
        named = one.get("file_id") if isinstance(one, dict) else one
        if named is not None:
            yield named
