"""Notes each answer in the ledger once it is settled, whether its caller has limits or not."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shared.demand import Demand
from shared.events import Usage
from shared.http.admission import Admission, Ticket
from shared.limits.estimate import estimate
from shared.limits.ledger import Ledger
from shared.limits.usage import NOTHING, Sums
from shared.receipt import Aside


class Recorded:
    """See `admission.Admission`: what was admitted is noted in the ledger once it is settled."""

    def __init__(self, ledger: Ledger, limits: Admission | None) -> None:
        """Record every answer that `limits` admits; all, where callers have none."""
        self._ledger = ledger
        self._limits = limits

    async def admit(self, caller: str, model: str, demand: Demand) -> Ticket:
        """Return the right to ask the model. Raise `CallerLimitExceeded` or `LimitsUnavailable`."""
        ticket = None if self._limits is None else await self._limits.admit(caller, model, demand)
        return RecordedTicket(self._ledger, caller, model, estimate(replace(demand, has_output=False), 0), ticket)


@dataclass(slots=True)
class RecordedTicket:
    """See `admission.Ticket`."""

    ledger: Ledger
    caller: str
    model: str
    expected_prompt: int
    """In tokens."""
    ticket: Ticket | None
    """That of the caller's limits."""
    _is_settled: bool = field(default=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """What the caller is told of its limits."""
        return {} if self.ticket is None else self.ticket.headers

    def settle(
        self,
        usage: Usage | None,
        *,
        output_tokens: int,
        is_finished: bool,
        was_asked: bool,
        aside: Aside | None = None,
    ) -> None:
        """Note the answer once, and settle with the limits. One that no model was asked for is none."""
        used = self._used(usage, output_tokens) if was_asked else NOTHING
        if aside is not None:
            used += Sums.aside(aside)
        if used != NOTHING and not self._is_settled:
            self.ledger.note(self.caller, self.model, used)
        self._is_settled = True
        if self.ticket is not None:
            self.ticket.settle(
                usage, output_tokens=output_tokens, is_finished=is_finished, was_asked=was_asked, aside=aside
            )

    def _used(self, usage: Usage | None, output_tokens: int) -> Sums:
        prompts = self.ledger.prompts
        if usage is None:
            prompt = prompts.likely(self.caller, self.model, expected=self.expected_prompt)
            return Sums.estimated(prompt, output_tokens)
        prompts.note(self.caller, self.model, expected=self.expected_prompt, tokens=usage.input_tokens)
        return Sums.reported(usage)
