"""What callers have used: sums of tokens by caller, day and model. Pure."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace

from shared.events import Usage
from shared.receipt import Aside


@dataclass(frozen=True, slots=True)
class Sums:
    """What several answers used together. Cached tokens are part of the input, reasoning tokens of the output.

    `estimated_answers` are those that the model reported no usage for, such as streams that were left; `estimated_tokens` of
    the input and the output are theirs.
    """

    answers: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    estimated_answers: int = 0
    estimated_tokens: int = 0

    @classmethod
    def reported(cls, usage: Usage) -> "Sums":
        """Return what one answer used, as the model reported it."""
        return cls(1, usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.reasoning_tokens)

    @classmethod
    def estimated(cls, input_tokens: int, output_tokens: int) -> "Sums":
        """Return what one answer used that the model reported nothing of."""
        return cls(
            answers=1,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            estimated_answers=1,
            estimated_tokens=input_tokens + output_tokens,
        )

    @classmethod
    def aside(cls, aside: Aside) -> "Sums":
        """Return what was used besides an answer: it is no answer."""
        used = replace(cls.reported(aside.usage), answers=0)
        tokens = used.input_tokens + used.output_tokens
        return replace(used, estimated_tokens=tokens) if aside.is_estimated else used

    def __add__(self, other: "Sums") -> "Sums":
        """Return both together."""
        return Sums(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "Sums") -> "Sums":
        """Return what this has more than the other."""
        return Sums(*(one - two for one, two in zip(astuple(self), astuple(other), strict=True)))


NOTHING = Sums()


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """What is summed up together. `day`: YYYY-MM-DD, in UTC."""

    caller: str
    day: str
    model: str


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One process's part of a spot. `id`: unique among all rows of all processes; only one process ever writes it."""

    spot: Spot
    id: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class Period:
    """Days, both included, as YYYY-MM-DD."""

    first: str
    last: str

    def has(self, day: str) -> bool:
        """Return whether the day is one of them."""
        return self.first <= day <= self.last


def summed(rows: Iterable[UsageRow]) -> dict[Spot, Sums]:
    """Return the sums over all processes."""
    found: dict[Spot, Sums] = {}
    for row in rows:
        found[row.spot] = found.get(row.spot, NOTHING) + row.sums
    return found
