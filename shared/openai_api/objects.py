"""Files, vector stores, conversations and batches: what is at each path of OpenAI's API, as one table. Pure.

https://platform.openai.com/docs/api-reference/files, …/vector-stores, …/conversations, …/batch; the names of fields are
those of the openai package's types (3.52).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from shared.state.stored_ids import BATCH, CONVERSATION, FILE, VECTOR_STORE, Kind

KINDS: Mapping[str, Kind] = {"file": FILE, "vector_store": VECTOR_STORE, "conversation": CONVERSATION, "batch": BATCH}
"""What the signed parts of a path name. Every other part is an id within one of these, and stays the account's."""

_SIGNED_PART = "[^/.][^/]{0,2047}"
"""An id is opened before it goes up, so that any text may be there."""
_OWN_PART = "[A-Za-z0-9_-]{1,256}"
_PART = re.compile(r"\{(\w+)\}")

_GET = frozenset({"GET", "HEAD"})
_POST = frozenset({"POST"})
_DELETE = frozenset({"DELETE"})


class Posted(Enum):
    """What a POST may carry."""

    JSON = "application/json"
    FORM = "multipart/form-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectApi:
    """One path, with the names of its parts in braces.

    `signs`: the fields whose ids are signed, of the object that is answered and of each object in its `data`. `is_unlisted`:
    GET would list all callers' objects. `is_raw`: the answer is a file's bytes. `makes_batch`: POST has models asked for the
    lines of a file; see `batches`.
    """

    path: str
    methods: frozenset[str]
    posted: Posted = Posted.JSON
    signs: Mapping[str, Kind] = field(default_factory=dict)
    is_unlisted: bool = False
    is_raw: bool = False
    makes_batch: bool = False


_STORED_FILE = {"id": FILE, "vector_store_id": VECTOR_STORE}
_STORED_FILES = _STORED_FILE | {"first_id": FILE, "last_id": FILE}
_STORE = "vector_stores/{vector_store}"
_TALK = "conversations/{conversation}"
_BATCH = {"id": BATCH, "input_file_id": FILE, "output_file_id": FILE, "error_file_id": FILE}

OBJECTS = (
    ObjectApi(path="files", methods=_POST, posted=Posted.FORM, signs={"id": FILE}, is_unlisted=True),
    ObjectApi(path="files/{file}", methods=_GET | _DELETE, signs={"id": FILE}),
    ObjectApi(path="files/{file}/content", methods=_GET, is_raw=True),
    ObjectApi(path="vector_stores", methods=_POST, signs={"id": VECTOR_STORE}, is_unlisted=True),
    ObjectApi(path=_STORE, methods=_GET | _POST | _DELETE, signs={"id": VECTOR_STORE}),
    ObjectApi(path=f"{_STORE}/search", methods=_POST, signs={"file_id": FILE}),
    ObjectApi(path=f"{_STORE}/files", methods=_GET | _POST, signs=_STORED_FILES),
    ObjectApi(path=f"{_STORE}/files/{{file}}", methods=_GET | _POST | _DELETE, signs=_STORED_FILE),
    ObjectApi(path=f"{_STORE}/files/{{file}}/content", methods=_GET),
    ObjectApi(path=f"{_STORE}/file_batches", methods=_POST, signs={"vector_store_id": VECTOR_STORE}),
    ObjectApi(path=f"{_STORE}/file_batches/{{file_batch}}", methods=_GET, signs={"vector_store_id": VECTOR_STORE}),
    ObjectApi(
        path=f"{_STORE}/file_batches/{{file_batch}}/cancel", methods=_POST, signs={"vector_store_id": VECTOR_STORE}
    ),
    ObjectApi(path=f"{_STORE}/file_batches/{{file_batch}}/files", methods=_GET, signs=_STORED_FILES),
    ObjectApi(path="conversations", methods=_POST, signs={"id": CONVERSATION}),
    ObjectApi(path=_TALK, methods=_GET | _POST | _DELETE, signs={"id": CONVERSATION}),
    ObjectApi(path=f"{_TALK}/items", methods=_GET | _POST),
    ObjectApi(path=f"{_TALK}/items/{{item}}", methods=_GET | _DELETE),
    ObjectApi(path="batches", methods=_POST, signs=_BATCH, is_unlisted=True, makes_batch=True),
    ObjectApi(path="batches/{batch}", methods=_GET, signs=_BATCH),
    ObjectApi(path="batches/{batch}/cancel", methods=_POST, signs=_BATCH),
)


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """What a path asks for: `parts` are the ids in it by the names in `api.path`, as the caller writes them."""

    api: ObjectApi
    parts: Mapping[str, str]


def find_object(path: str) -> ObjectAddress | None:
    """Return what a path below a base (`paths.below_base`) asks for, or None where it means nothing."""
    for api, pattern in _PATTERNS:
        if match := pattern.fullmatch(path):
            return ObjectAddress(api, match.groupdict())
    return None


def _pattern(api: ObjectApi) -> re.Pattern[str]:
    def part(match: re.Match[str]) -> str:
        return f"(?P<{match[1]}>{_SIGNED_PART if match[1] in KINDS else _OWN_PART})"

    return re.compile(_PART.sub(part, api.path))


_PATTERNS = tuple((api, _pattern(api)) for api in OBJECTS)
