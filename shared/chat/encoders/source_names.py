"""A name for each source of an answer, for clients that know sources by name alone: `[name]` in the text."""

import re

from shared.events import Source

MAX_NAME_CHARACTERS = 80
_UNFIT = re.compile(r"[\[\]\s:]+")
"""What would end the name: a bracket, and the colon before an excerpt."""


class SourceNames:
    """The names given so far in one answer; no two are the same."""

    def __init__(self) -> None:
        """Begin with none."""
        self._given: set[str] = set()

    def add(self, source: Source) -> str:
        """Return the name of another source: its title, the end of its address, or its id."""
        wanted = source.title or source.url.rstrip("/").rpartition("/")[2] or source.id
        base = _UNFIT.sub(" ", wanted).strip()[:MAX_NAME_CHARACTERS].strip() or f"source {source.id}"
        name, number = base, 1
        while name in self._given:
            number += 1
            name = f"{base} ({number})"
        self._given.add(name)
        return name
