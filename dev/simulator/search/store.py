"""The indexes: documents in SQLite, ranked by FTS5's bm25, https://www.sqlite.org/fts5.html#the_bm25_function."""

import json
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dev.simulator.search.documents import Document

WORD = re.compile(r"\w+")
_FREQUENT_WORDS = """
hi hello hey
a an and are as at be by can do does for from has have how i if in is it its me my of on or so that the their there this to was
what when where which who why will with you your
"""
_FREQUENT = frozenset(_FREQUENT_WORDS.split())
"""What a language analyzer drops: otherwise the shortest section with a "how" in it would win."""


@dataclass(slots=True)
class Index:
    """One index: its definition as it was given, and its documents by their key."""

    definition: dict[str, Any]
    key: str = "id"
    _documents: dict[str, Document] = field(default_factory=dict)
    _words: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        self._words = sqlite3.connect(":memory:")
        self._words.execute(
            "CREATE VIRTUAL TABLE words USING fts5(key UNINDEXED, title, body, tokenize='porter unicode61')"
        )

    @property
    def count(self) -> int:
        return len(self._documents)

    def upload(self, documents: Iterable[Document]) -> list[str]:
        """Replace documents with the same key; return the keys."""
        keys = []
        for document in documents:
            key = str(document[self.key])
            self.delete([key])
            self._documents[key] = document
            texts = [
                str(value)
                for name, value in document.items()
                if isinstance(value, str) and name not in ("url", self.key)
            ]
            self._words.execute(
                "INSERT INTO words VALUES (?, ?, ?)", (key, str(document.get("title", "")), "\n".join(texts))
            )
            keys.append(key)
        return keys

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            if self._documents.pop(key, None) is not None:
                self._words.execute("DELETE FROM words WHERE key = ?", (key,))

    def search(self, text: str, top: int) -> list[tuple[float, Document]]:
        """Return the best documents with their scores; all of them, unranked, for `*`."""
        if text.strip() in ("", "*"):
            return [(1.0, document) for document in list(self._documents.values())[:top]]
        words = [word for word in WORD.findall(text.lower()) if word not in _FREQUENT]
        if not words:
            return []
        query = " OR ".join(json.dumps(word) for word in dict.fromkeys(words))
        rows = self._words.execute(
            "SELECT key, -bm25(words, 0, 4, 1) AS score FROM words WHERE words MATCH ? ORDER BY score DESC LIMIT ?",
            (query, top),
        )
        return [(round(score, 6), self._documents[key]) for key, score in rows]
