"""What an answer counts in the end: what the model counted, or what may have been made of it by then."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.events import Usage
from shared.limits.estimate import USUAL_OUTPUT_TOKENS, Outputs
from shared.limits.ticket import THINKING_TOKENS, USUAL_SECONDS, Promise, Ticket
from shared.receipt import Aside, Spent
from tests.harness.cells import cells

COUNTED = Usage(30, 12, 0, 0)


@dataclass
class Ledger:
    outputs: Outputs = field(default_factory=Outputs)
    settled: list[int] = field(default_factory=list)

    def settle(self, promises: Iterable[Promise], tokens: int) -> None:
        assert not list(promises)
        self.settled.append(tokens)


def ticket(books: Ledger, *, outlives: bool = False) -> Ticket:
    return Ticket("a caller", "m", {}, books, (), 100, 1100, outlives)


@cells(
    ("spent", "tokens"),
    [
        (Spent(usage=COUNTED, output_tokens=5, is_finished=True), 42),
        (Spent(was_asked=False), 0),
        (Spent(was_asked=False, aside=Aside(COUNTED)), 42),
        (Spent(output_tokens=200), 300),
        (Spent(output_tokens=200, aside=Aside(COUNTED)), 342),
        (Spent(unseen_seconds=USUAL_SECONDS + 3), 100 + 3 * THINKING_TOKENS),
        (Spent(unseen_seconds=3600.0), 1100),
        (Spent(output_tokens=5000, unseen_seconds=3600.0), 5100),
    ],
    ids=["counted", "never asked", "only a search", "seen", "seen after a search", "thought", "at most all", "over"],
)
def test_an_answer_counts_what_the_model_counted_or_what_may_have_been_made_of_it(spent: Spent, tokens: int) -> None:
    books = Ledger()
    ticket(books).settle(spent)
    assert books.settled == [tokens]


def test_an_answer_that_the_model_goes_on_with_counts_all_that_was_reserved() -> None:
    books = Ledger()
    ticket(books, outlives=True).settle(Spent(output_tokens=1))
    assert books.settled == [1100]


def test_only_the_first_word_about_an_answer_counts() -> None:
    books = Ledger()
    one = ticket(books)
    one.settle(Spent(usage=COUNTED, is_finished=True))
    one.settle(Spent(output_tokens=1000))
    assert books.settled == [42]


@cells(
    ("spent", "usual"),
    [
        (Spent(usage=COUNTED, is_finished=True), COUNTED.output_tokens),
        (Spent(usage=COUNTED), USUAL_OUTPUT_TOKENS),
        (Spent(output_tokens=7, is_finished=True), USUAL_OUTPUT_TOKENS),
    ],
    ids=["finished", "left", "not counted"],
)
def test_only_finished_and_counted_answers_teach_what_to_expect(spent: Spent, usual: int) -> None:
    books = Ledger()
    ticket(books).settle(spent)
    assert books.outputs.usual("a caller", "m") == usual
