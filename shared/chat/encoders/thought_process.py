"""The `context` that the front end of Azure's search demo reads: `thoughts` and `data_points`, which grow with the answer.

https://github.com/Azure-Samples/azure-search-openai-demo/blob/main/app/frontend/src/api/models.ts. Its page takes the last one
that it gets, so each is complete, and finds the citations in the text by their names in brackets.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from shared.chat.encoders.source_names import SourceNames
from shared.chat.encoders.step_list import StepList
from shared.events import Source, Step

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class ThoughtProcess:
    """The steps and sources of one answer. `echoed`: the `context` of the request, which the answer shows again."""

    def __init__(self, echoed: msgspec.Raw | None = None) -> None:
        """Begin with nothing known."""
        self._echoed = echoed
        self._steps = StepList()
        self._names = SourceNames()
        self._texts: list[str] = []
        self._citations: list[str] = []
        self.has_news = False
        """Whether something was noted since `context` was called."""

    def note(self, event: Step | Source) -> None:
        """Note a step's status, or a source."""
        self.has_news = True
        if isinstance(event, Step):
            self._steps.note(event)
            return
        name = self._names.add(event)
        self._citations.append(name)
        if event.excerpt:
            self._texts.append(f"{name}: {event.excerpt}")

    def context(self) -> dict[str, Any]:
        """Return all that is known by now."""
        self.has_news = False
        points = {"text": self._texts, "images": [], "citations": self._citations}
        thoughts = [_thought(step) for step in self._steps.steps]
        echoed = _FIELDS.decode(self._echoed) if self._echoed is not None else {}
        return {**echoed, "thoughts": thoughts, "data_points": points, "followup_questions": None}


def _thought(step: Mapping[str, Any]) -> dict[str, Any]:
    detail = step.get("detail") or {}
    props = {"status": step["status"], **detail}
    return {"title": step["name"], "description": detail.get("query") or step["status"], "props": props}
