"""How many tokens an answer will take, before it is asked for. Pure but for what it remembers of earlier answers."""

from collections import OrderedDict, deque

from shared.demand import Demand

BYTES_PER_TOKEN = 3.5
"""Of a prompt's JSON. English has about four characters a token, other languages fewer."""
IMAGE_TOKENS = 800
USUAL_OUTPUT_TOKENS = 1000
"""What is expected of a caller's first answers."""
REMEMBERED_ANSWERS = 50
REMEMBERED_PAIRS = 2000
"""How many pairs of caller and model are remembered."""
_QUANTILE = 0.9


class Outputs:
    """How long the answers of each caller and model have been."""

    def __init__(self) -> None:
        """Begin with none."""
        self._seen: OrderedDict[tuple[str, str], deque[int]] = OrderedDict()

    def note(self, caller: str, model: str, tokens: int) -> None:
        """Remember one answer."""
        seen = self._seen.setdefault((caller, model), deque(maxlen=REMEMBERED_ANSWERS))
        seen.append(tokens)
        self._seen.move_to_end((caller, model))
        if len(self._seen) > REMEMBERED_PAIRS:
            self._seen.popitem(last=False)

    def usual(self, caller: str, model: str) -> int:
        """Return what nine of ten answers did not exceed."""
        seen = sorted(self._seen.get((caller, model), ()))
        return seen[int(len(seen) * _QUANTILE)] if seen else USUAL_OUTPUT_TOKENS


def estimate(demand: Demand, usual_output: int) -> int:
    """Return the tokens to reserve: never fewer than one."""
    prompt = int(demand.body_bytes / BYTES_PER_TOKEN) + demand.images * IMAGE_TOKENS
    if not demand.has_output:
        return max(1, prompt)
    output = usual_output if demand.max_output is None else demand.max_output
    return max(1, prompt + output * demand.choices)
