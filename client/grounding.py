"""What a terminal shows of a search: its steps on one line, and its sources as a numbered list."""

from client.formats import Event

MAX_QUERY_CHARACTERS = 60


class Grounding:
    """The steps and sources of one answer. The texts are strangers' words: whoever prints them cleans them."""

    def __init__(self) -> None:
        """Begin with neither."""
        self._steps: dict[str, Event] = {}
        self._sources: list[Event] = []

    def note(self, event: Event) -> None:
        """Note a `step` or a `source`."""
        if event["type"] == "step":
            self._steps[event["name"]] = event
        else:
            self._sources.append(event)

    def steps(self) -> str:
        """Return the last state of each step, on one line; '' without a step."""
        return " · ".join(map(_step, self._steps.values()))

    def sources(self) -> list[str]:
        """Return one line for each source, numbered as the answer refers to it, with its address in view."""
        lines = []
        for position, source in enumerate(self._sources, start=1):
            number = source["id"] if str(source["id"]).isdecimal() else position
            title, url = " ".join(str(source["title"]).split()), str(source.get("url") or "")
            lines.append(f"[{number}] {title}" + (f"  {url}" if url else ""))
        return lines


def _step(event: Event) -> str:
    detail = event.get("detail") or {}
    words = f"{event['name']}: {event['status']}".replace("_", " ")
    if query := " ".join(str(detail.get("query") or "").split()):
        shown = query if len(query) <= MAX_QUERY_CHARACTERS else f"{query[:MAX_QUERY_CHARACTERS]}…"
        words += f" “{shown}”"
    if "count" in detail:
        words += f", {detail['count']} passage{'' if detail['count'] == 1 else 's'}"
    if "milliseconds" in detail:
        words += f", {detail['milliseconds']} ms"
    return words
