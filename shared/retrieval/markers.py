"""`[1]` in the model's words -> citations, while they arrive. Pure.

A marker may come in several pieces, so the beginning of one is held back: at most `[` and two digits. In code (between
backticks, in a fence) brackets are brackets.
"""

from collections.abc import Mapping

from shared.events import AnswerEvent, Citation, Delta
from shared.retrieval.code_spans import CodeSpans

MAX_DIGITS = 2


class MarkerReader:
    """The words of one answer. `names`: what stands between the brackets instead, by number, where readers know names."""

    def __init__(self, count: int, names: Mapping[int, str] | None = None) -> None:
        """Begin an answer that has so many sources."""
        self._count = count
        self._names = names or {}
        self._code = CodeSpans()
        self._held = ""
        self._sent = 0
        """How many characters of the answer have left."""

    def read(self, text: str) -> list[AnswerEvent]:
        """Return the words that can leave, and the citations that are complete."""
        events: list[AnswerEvent] = []
        out: list[str] = []
        for character in text:
            if self._held:
                if character.isdecimal() and character.isascii() and len(self._held) <= MAX_DIGITS:
                    self._held += character
                    continue
                number = int(self._held[1:] or 0) if character == "]" else 0
                if 1 <= number <= self._count:
                    self._cite(number, out, events)
                    continue
                out.append(self._held)
                self._held = ""
            is_code = self._code.is_code(character)
            if character == "[" and not is_code:
                self._held = "["
            else:
                out.append(character)
        self._leave(out, events)
        return events

    def end(self) -> list[AnswerEvent]:
        """Return what was held back, which no marker has become."""
        events: list[AnswerEvent] = []
        held, self._held = self._held, ""
        self._leave([held], events)
        return events

    def _cite(self, number: int, out: list[str], events: list[AnswerEvent]) -> None:
        marker = f"[{self._names.get(number, number)}]"
        self._held = ""
        out.append(marker)
        self._leave(out, events)
        events.append(Citation(str(number), self._sent - len(marker), self._sent))

    def _leave(self, out: list[str], events: list[AnswerEvent]) -> None:
        text = "".join(out)
        out.clear()
        if text:
            self._sent += len(text)
            events.append(Delta(text))
