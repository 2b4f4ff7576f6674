"""What a search has found: passages, out of JSON that nobody vouches for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.errors import UpstreamMalformed
from shared.events import Source
from shared.tolerant_json import loads
from shared.web_links import web_link

MAX_CONTENT_CHARACTERS = 8000
"""Of a passage, for the model; what is longer is cut."""
MAX_EXCERPT_CHARACTERS = 500
"""Of a passage, for the reader."""
MAX_TITLE_CHARACTERS = 300
CUT = " …"


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document. `excerpt` is what a reader sees of it, `url` an http(s) address or ''."""

    content: str
    title: str
    url: str
    excerpt: str


def passage_of(document: Mapping[str, Any], fields: Sequence[str], *, caption: str = "") -> Passage | None:
    """Return the passage of a document; None where it has no text.

    `fields` are the names of the content, the title and the address, of which the last two may be missing. `caption` is the
    search's own choice of what to show.
    """
    content_field, title_field, url_field = (*fields, "", "")[:3]
    content = _text(document.get(content_field)).strip()
    if not content:
        return None
    title = " ".join(_text(document.get(title_field)).split())
    excerpt = " ".join((caption or content).split())
    return Passage(
        _cut(content, MAX_CONTENT_CHARACTERS),
        _cut(title, MAX_TITLE_CHARACTERS),
        web_link(document.get(url_field)),
        _cut(excerpt, MAX_EXCERPT_CHARACTERS),
    )


def source_of(number: int, passage: Passage) -> Source:
    """Return what the reader gets of the passage with this number."""
    return Source(str(number), passage.title or f"Passage {number}", passage.url, passage.excerpt)


def decode_object(data: bytes) -> dict[str, Any]:
    """Return the fields of a search's answer. Raise `UpstreamMalformed`."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            value = loads(data)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, dict):
        raise UpstreamMalformed("The search sent an answer that is not valid JSON.", cause="not a JSON object")
    return value


def objects_of(value: Any) -> list[dict[str, Any]]:
    """Return a list's objects; nothing for any other value."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _cut(text: str, maximum: int) -> str:
    return text if len(text) <= maximum else text[: maximum - len(CUT)].rstrip() + CUT
