"""The right to one answer, and what it costs in the end: what the model counted, or what may have been made of it by then."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.events import Usage
from shared.limits.account import Account
from shared.limits.estimate import Outputs
from shared.receipt import Spent

USUAL_SECONDS, THINKING_TOKENS = 2.0, 100
"""A model takes so long for its first word, and makes so many tokens a second before it where it takes longer."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What was reserved of one account."""

    account: Account
    amount: int


class Books(Protocol):
    """Where a ticket is settled."""

    outputs: Outputs

    def settle(self, promises: Iterable[Promise], tokens: int) -> None:
        """Settle every promise: `tokens` were used, of however much was reserved."""


@dataclass(slots=True)
class Ticket:
    """The right to one answer, to be settled exactly once."""

    caller: str
    model: str
    headers: Mapping[str, str]
    """What the caller is told of its limit, `x-ratelimit-…`."""
    _books: Books
    _promises: Sequence[Promise] = ()
    _prompt_tokens: int = 0
    """As they were estimated."""
    _reserved_tokens: int = 0
    _outlives: bool = False
    _is_settled: bool = field(default=False)

    def settle(self, spent: Spent) -> None:
        """Say what the answer used; the first word counts."""
        if self._is_settled:
            return
        self._is_settled = True
        usage, aside = spent.usage, spent.aside
        tokens = 0 if aside is None else _tokens(aside.usage)
        if spent.was_asked:
            tokens += self._uncounted(spent) if usage is None else _tokens(usage)
        self._books.settle(self._promises, tokens)
        if usage is not None and spent.is_finished:
            self._books.outputs.note(self.caller, self.model, usage.output_tokens)

    def _uncounted(self, spent: Spent) -> int:
        """Return what an answer counts that the model has not counted.

        What was seen of it, and what a model may have thought before: whoever leaves early must not get that for nothing. It
        is no more than was reserved, which is what a model counts that nobody stops.
        """
        seen = self._prompt_tokens + spent.output_tokens
        thought = int(max(0.0, spent.unseen_seconds - USUAL_SECONDS) * THINKING_TOKENS)
        return max(seen, self._reserved_tokens if self._outlives else min(seen + thought, self._reserved_tokens))


def _tokens(usage: Usage) -> int:
    return usage.input_tokens + usage.output_tokens
