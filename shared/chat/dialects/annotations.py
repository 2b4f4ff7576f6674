"""The annotations of the tools that run upstream -> sources and citations.

`url_citation` (web_search), `file_citation` (file_search) and `container_file_citation` (code_interpreter) are read, as the
openai package describes them; other kinds pass without effect. Whatever they say is text of strangers.
"""

from collections.abc import Mapping
from typing import Any

from shared.events import AnswerEvent, Citation, Source
from shared.web_links import web_link

MAX_TITLE_CHARACTERS = 300
MAX_SOURCES = 200
"""Of one answer; what is cited beyond them has no source."""


class Annotations:
    """The sources of one answer, and where the text begins that the positions of an annotation count from."""

    def __init__(self) -> None:
        """Begin with no source and no text."""
        self._ids: dict[tuple[str, str], str] = {}
        self._before = 0

    def end_text(self, text: str) -> None:
        """Note that a part of the answer is complete: later positions count from its end."""
        self._before += len(text)

    def read(self, annotation: Mapping[str, Any]) -> list[AnswerEvent]:
        """Return the citation, after its source where that is new; nothing for what is no citation."""
        found = _source_of(annotation)
        if found is None:
            return []
        key, title, url = found
        events: list[AnswerEvent] = []
        source_id = self._ids.get(key, "")
        if not source_id:
            if len(self._ids) >= MAX_SOURCES:
                return []
            # Not a number: those are the marks of passages that a search has found.
            source_id = self._ids[key] = f"tool-{len(self._ids) + 1}"
            events.append(Source(source_id, title, url))
        start, end = _range_of(annotation)
        if start is not None and end is not None:
            events.append(Citation(source_id, self._before + start, self._before + end))
        return events


def _source_of(annotation: Mapping[str, Any]) -> tuple[tuple[str, str], str, str] | None:
    """Return what tells the source from others, its title and its link."""
    kind = annotation.get("type")
    if kind == "url_citation":
        url = _text(annotation.get("url"))
        title = _text(annotation.get("title")) or url
        return (("url", url), title[:MAX_TITLE_CHARACTERS], web_link(url)) if title else None
    if kind in ("file_citation", "container_file_citation"):
        file_id = _text(annotation.get("file_id"))
        title = _text(annotation.get("filename")) or file_id
        return (("file", file_id or title), title[:MAX_TITLE_CHARACTERS], "") if title else None
    return None


def _range_of(annotation: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Return the positions; of a file that is cited, twice the one where its mark would stand."""
    index = _position(annotation.get("index"))
    start, end = _position(annotation.get("start_index")), _position(annotation.get("end_index"))
    if start is None or end is None:
        return index, index
    return (start, end) if start <= end else (None, None)


def _position(value: Any) -> int | None:
    is_position = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if is_position else None


def _text(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
