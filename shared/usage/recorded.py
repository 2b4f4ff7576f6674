"""Notes each answer in the ledger once it is settled, whether its caller has limits or not."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shared.demand import Demand
from shared.http.admission import Admission, Ticket
from shared.limits.estimate import USUAL_OUTPUT_TOKENS, estimate
from shared.limits.ledger import Ledger
from shared.limits.usage import NOTHING, Sums
from shared.receipt import Spent


class Recorded:
    """See `admission.Admission`: what was admitted is noted in the ledger once it is settled."""

    def __init__(self, ledger: Ledger, limits: Admission | None) -> None:
        """Record every answer that `limits` admits; all, where callers have none."""
        self._ledger = ledger
        self._limits = limits

    async def admit(self, caller: str, model: str, demand: Demand) -> Ticket:
        """Return the right to ask the model. Raise `CallerLimitExceeded` or `LimitsUnavailable`."""
        ticket = None if self._limits is None else await self._limits.admit(caller, model, demand)
        prompt = estimate(replace(demand, has_output=False), 0)
        unseen = estimate(demand, USUAL_OUTPUT_TOKENS) - prompt if demand.outlives else 0
        return RecordedTicket(self._ledger, caller, model, prompt, unseen, ticket)


@dataclass(slots=True)
class RecordedTicket:
    """See `admission.Ticket`."""

    ledger: Ledger
    caller: str
    model: str
    expected_prompt: int
    """In tokens."""
    unseen_output: int
    """What is expected of a model that goes on after its caller has gone."""
    ticket: Ticket | None
    """That of the caller's limits."""
    _is_settled: bool = field(default=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """What the caller is told of its limits."""
        return {} if self.ticket is None else self.ticket.headers

    def settle(self, spent: Spent) -> None:
        """Note the answer once, and settle with the limits. One that no model was asked for is none."""
        used = self._used(spent) if spent.was_asked else NOTHING
        if spent.aside is not None:
            used += Sums.aside(spent.aside)
        if used != NOTHING and not self._is_settled:
            self.ledger.note(self.caller, self.model, used)
        self._is_settled = True
        if self.ticket is not None:
            self.ticket.settle(spent)

    def _used(self, spent: Spent) -> Sums:
        prompts, usage = self.ledger.prompts, spent.usage
        if usage is None:
            prompt = prompts.likely(self.caller, self.model, expected=self.expected_prompt)
            return Sums.estimated(prompt, max(spent.output_tokens, self.unseen_output))
        prompts.note(self.caller, self.model, expected=self.expected_prompt, tokens=usage.input_tokens)
        return Sums.reported(usage)
