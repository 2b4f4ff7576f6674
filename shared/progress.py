"""How far one answer has come, as one value. Pure.

    phase      content()  announce_failure()  end()     fail(), end_of_body()
    PREAMBLE   CONTENT    FAILING             ENDED     FAILED
    CONTENT    CONTENT    FAILING             ENDED     FAILED
    FAILING    FAILING    FAILING             FAILED    FAILED
    ENDED      ENDED      ENDED               ENDED     ENDED
    FAILED     FAILED     FAILED              FAILED    FAILED

Rule 1: nothing leaves ENDED or FAILED. What a server says after the end changes nothing.
Rule 2: an announced failure cannot become an end, whatever follows it.
Rule 3: `has_content` and `is_settled` are never unset. Once settled, no other backend may take over; content settles.
Rule 4: the end of the upstream's body is the end of the answer: it is ENDED or FAILED by then.
"""

from dataclasses import dataclass
from enum import Enum

from shared.errors import AnswerError, UpstreamCut
from shared.events import Usage


class Phase(Enum):
    """How far an answer has come."""

    PREAMBLE = "preamble"
    """Nothing has come that a client waits for."""
    CONTENT = "content"
    """The model speaks."""
    FAILING = "failing"
    """A failure was announced, and its explanation may come next."""
    ENDED = "ended"
    """The model has ended the answer."""
    FAILED = "failed"
    """The answer failed; `Progress.failure` says why."""


OVER = (Phase.ENDED, Phase.FAILED)
"""The phases that nothing leaves."""


@dataclass(slots=True)
class Progress:
    """Where one answer stands. Only its own methods change the phase."""

    phase: Phase = Phase.PREAMBLE
    has_content: bool = False
    is_settled: bool = False
    """Something of it has been sent: it will be answered by this upstream or by none."""
    failure: AnswerError | None = None
    usage: Usage | None = None
    """What the answer cost, once known."""
    answer_id: str = ""
    """The upstream's id of the answer, once known."""
    events: int = 0
    """How many complete events came, whatever they said. Comments and halves of events are no sign of life."""
    chunks: int = 0
    """How many pieces of content went by."""
    can_wait: bool = False
    """Whether the last block is only more of the same text or the same arguments, which may leave with the next."""
    _announced: AnswerError | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come: the answer has ended or failed."""
        return self.phase in OVER

    def content(self) -> None:
        """Note that content came."""
        if self.phase is Phase.PREAMBLE:
            self.phase = Phase.CONTENT
        self.has_content = self.is_settled = True

    def settle(self) -> None:
        """Note that something is sent before the first content."""
        self.is_settled = True

    def announce_failure(self, failure: AnswerError) -> None:
        """Note that the answer is failing. `failure`: what is known of it, which an explanation may replace."""
        if not self.is_over:
            self.phase, self._announced = Phase.FAILING, failure

    def end(self) -> None:
        """Note that the model has ended the answer."""
        if self.phase is Phase.FAILING:
            self.phase, self.failure = Phase.FAILED, self._announced
        elif not self.is_over:
            self.phase, self.has_content, self.is_settled = Phase.ENDED, True, True

    def fail(self, failure: AnswerError, *, is_explanation: bool = False) -> None:
        """Note that the answer has failed. What was announced is kept as the reason, unless this is its explanation."""
        if not self.is_over:
            self.phase, self.failure = Phase.FAILED, failure if is_explanation else self._announced or failure

    def end_of_body(self) -> None:
        """Note that the upstream will send no more, or says so. An answer that has not ended by now has failed."""
        where = "before the response was complete" if self.has_content else "before sending any content"
        self.fail(UpstreamCut(f"The upstream closed the stream {where}."))
