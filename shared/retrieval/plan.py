"""What is searched for: the last question of a conversation, and whether what came before it has to be read too. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_QUERY_CHARACTERS = 2000
"""Of a question that is searched for as it is."""
MAX_HISTORY_CHARACTERS = 8000
"""Of the turns before the question, the newest of them."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation: its role and its text."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a search begins with. `history`: what was said before the question; '' where it is the first."""

    question: str
    history: str = ""

    @property
    def query(self) -> str:
        """The question as a search takes it."""
        return " ".join(self.question.split())[:MAX_QUERY_CHARACTERS]


def plan_of(turns: Sequence[Turn]) -> Plan | None:
    """Return the plan; None where the last message is no question in words."""
    if not turns or turns[-1].role != "user" or not turns[-1].text.strip():
        return None
    said = [turn for turn in turns[:-1] if turn.role in ("user", "assistant") and turn.text.strip()]
    history = "\n\n".join(f"{turn.role.capitalize()}: {turn.text.strip()}" for turn in said)
    return Plan(turns[-1].text, history[-MAX_HISTORY_CHARACTERS:])
