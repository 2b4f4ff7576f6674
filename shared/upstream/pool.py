"""Which backend to ask next: priorities, weights, cooling down, one probe at a time. Per process; nothing is shared.

The state is kept per backend and deployment. Pure but for the clock and the rng, which are given.
"""

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from shared.config.backends import Backend

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
IDENTITY_PAUSE_SECONDS = 180.0
"""A missing role takes minutes to appear after it is assigned."""

MAX_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backend, and the name of the deployment there."""

    backend: Backend
    deployment: str

    @property
    def key(self) -> tuple[str, str]:
        """What the state is kept under."""
        return self.backend.name, self.deployment


@dataclass(slots=True)
class _Cooling:
    until: float
    failures: int
    is_probed: bool = False


class BackendPool:
    """Chooses, and learns from how it went: every candidate is to be followed by exactly one of the three reports."""

    def __init__(
        self,
        backends: Sequence[Backend],
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._backends = backends
        self._clock = clock
        self._rng = rng
        self._cooling: dict[tuple[str, str], _Cooling] = {}
        self._owners: dict[str, str] = {}

    def candidates_for_model(self, model: str, *, previous_id: str = "") -> list[Candidate]:
        """Every backend that has the model; of them only the one that is known to have what is to be continued, if it is."""
        pairs = [(backend, backend.deployment(model)) for backend in self._backends]
        candidates = [Candidate(backend, deployment) for backend, deployment in pairs if deployment is not None]
        owner = self._owners.get(previous_id)
        return [candidate for candidate in candidates if candidate.backend.name == owner] or candidates

    def candidates_for_response(self, stored_id: str) -> list[Candidate]:
        """Every backend, since any may have the stored response; only the one that is known to have it, if it is."""
        name = self._owners.get(stored_id)
        return [Candidate(backend, "") for backend in self._backends if name is None or backend.name == name]

    def record_owner(self, stored_id: str, candidate: Candidate) -> None:
        """The backend has the stored response. Kept for the newest few thousand."""
        self._owners.pop(stored_id, None)
        self._owners[stored_id] = candidate.backend.name
        while len(self._owners) > MAX_REMEMBERED:
            del self._owners[next(iter(self._owners))]

    def choose(self, candidates: Sequence[Candidate], *, tried: Collection[tuple[str, str]] = ()) -> Candidate | None:
        """The next one to ask, or None when all were tried. A cooled one is taken only when no other can serve."""
        left = [candidate for candidate in candidates if candidate.key not in tried]
        ready = [candidate for candidate in left if self._is_ready(candidate)]
        if ready:
            chosen = self._weighted(ready)
            if cooling := self._cooling.get(chosen.key):
                cooling.is_probed = True
            return chosen
        return min(
            left, key=lambda candidate: (self._cooling[candidate.key].until, candidate.backend.priority), default=None
        )

    def succeeded(self, candidate: Candidate) -> None:
        """It answered, be it with a refusal that is the caller's own."""
        self._cooling.pop(candidate.key, None)

    def failed(self, candidate: Candidate, *, pause_seconds: float | None) -> None:
        """It did not answer. `pause_seconds`: how long it asked to be left alone, if it did.

        What fails while it is cooling already, as all that were open do when it breaks, is the same failure over again:
        it makes no pause longer, and none shorter.
        """
        before, now = self._cooling.get(candidate.key), self._clock()
        is_known = before is not None and now < before.until
        failures = before.failures + (not is_known) if before else 1
        if pause_seconds is None:
            pause = min(FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 16), LONGEST_PAUSE_SECONDS)
            pause_seconds = pause * (0.5 + self._rng())
        until = now + pause_seconds
        self._cooling[candidate.key] = _Cooling(max(until, before.until) if before and is_known else until, failures)

    def abandoned(self, candidate: Candidate) -> None:
        """Nothing was learnt: the client left first."""
        if cooling := self._cooling.get(candidate.key):
            cooling.is_probed = False

    def _is_ready(self, candidate: Candidate) -> bool:
        cooling = self._cooling.get(candidate.key)
        return cooling is None or (not cooling.is_probed and self._clock() >= cooling.until)

    def _weighted(self, ready: list[Candidate]) -> Candidate:
        first = min(candidate.backend.priority for candidate in ready)
        equals = [candidate for candidate in ready if candidate.backend.priority == first]
        point = self._rng() * sum(candidate.backend.weight for candidate in equals)
        for candidate in equals:
            point -= candidate.backend.weight
            if point < 0:
                return candidate
        return equals[-1]
