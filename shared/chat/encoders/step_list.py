"""The steps of an answer that is sent in one piece, or shown as one list: each with its last status."""

from typing import Any

from shared.events import ENDED_STEPS, Event, Step


class StepList:
    """The steps in the order in which they began. A later status replaces an earlier one of the same step."""

    def __init__(self) -> None:
        """Begin without a step."""
        self.steps: list[dict[str, Any]] = []

    def note(self, step: Step) -> None:
        """Note the step's status; a name whose step has ended begins another."""
        fields = fields_of(step)
        for place, known in enumerate(self.steps):
            if known["name"] == step.name and (known["status"] not in ENDED_STEPS or known["status"] == step.status):
                detail = {**known.get("detail", {}), **fields.get("detail", {})}
                self.steps[place] = fields | ({"detail": detail} if detail else {})
                return
        self.steps.append(fields)


def fields_of(event: Event) -> dict[str, Any]:
    """Return the event's fields, without those that are None."""
    values = {name: getattr(event, name) for name in event.__struct_fields__}
    return {name: value for name, value in values.items() if value is not None}
