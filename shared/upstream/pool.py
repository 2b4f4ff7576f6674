"""Backend selection: priority, weight, conversation and a circuit breaker per backend and deployment.

Per process; nothing is shared. Pure but for the clock and the random numbers, which are given.
"""

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from shared.config.backends import Backend
from shared.config.catalog import Target
from shared.upstream import circuit
from shared.upstream.affinity import order
from shared.upstream.circuit import CLOSED, Circuit, Report

MAX_REMEMBERED = 4096
"""How many conversations that moved, and how many circuits that are not closed, are kept; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backend, and the name of the deployment there."""

    backend: Backend
    deployment: str

    @property
    def key(self) -> tuple[str, str]:
        """What the circuit is kept under."""
        return self.backend.name, self.deployment


class BackendPool:
    """Chooses a backend and learns from how it went.

    Every choice must be followed by exactly one report: `succeeded`, `failed` or `abandoned`.
    """

    def __init__(
        self,
        backends: Sequence[Backend],
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: Callable[[], float] = random.random,
    ) -> None:
        """Begin with every circuit closed. `clock` and `rng` are for tests."""
        self._backends = backends
        self._clock = clock
        self._rng = rng
        self._circuits: dict[tuple[str, str], Circuit] = {}
        """Only those that are not closed."""
        self._moved: dict[bytes, str] = {}
        """Conversations that are not at the backend that their key chooses, and the name of the one where they are."""

    def candidates_for_model(self, target: Target, *, owner: str = "") -> list[Candidate]:
        """Return every backend that serves the model; only the one of that name where there is an owner."""
        pairs = [(backend, target.deployments.get(backend.name)) for backend in self._backends]
        candidates = [Candidate(backend, deployment) for backend, deployment in pairs if deployment is not None]
        return [candidate for candidate in candidates if owner in ("", candidate.backend.name)]

    def candidates_for_object(self, owner: str) -> list[Candidate]:
        """Return the backend of that name, which has the stored object; every one where a new object is made ('')."""
        return [Candidate(backend, "") for backend in self._backends if owner in ("", backend.name)]

    def remember(self, conversation: bytes, candidate: Candidate) -> None:
        """Note that the conversation moved to this backend, which has what its first choice does not."""
        _put_newest(self._moved, conversation, candidate.backend.name)

    def choose(
        self, candidates: Sequence[Candidate], *, tried: Collection[tuple[str, str]] = (), conversation: bytes = b""
    ) -> Candidate | None:
        """Return the next candidate to ask, or None when all were tried.

        One whose circuit is open is taken only when no other can serve. `conversation`: the key under which the same one is
        chosen each time; b'' for a choice at random.
        """
        left = [candidate for candidate in candidates if candidate.key not in tried]
        now = self._clock()
        ready = [candidate for candidate in left if circuit.is_ready(self._circuit(candidate), now)]
        if ready:
            chosen = self._moved_to(ready, conversation) or self._weighted(ready, conversation)
            self._report(chosen, circuit.Probed())
            return chosen
        return min(left, key=lambda one: (circuit.ready_at(self._circuit(one)), one.backend.priority), default=None)

    def succeeded(self, candidate: Candidate) -> None:
        """Report that it answered, if only with an error that is the caller's own."""
        self._report(candidate, circuit.Succeeded())

    def failed(self, candidate: Candidate, *, pause_seconds: float | None) -> None:
        """Report that it did not answer. `pause_seconds`: how long it asked to be left alone, None if it did not say."""
        jitter = self._rng() if pause_seconds is None else 0.0
        self._report(candidate, circuit.Failed(pause_seconds, jitter))

    def abandoned(self, candidate: Candidate) -> None:
        """Report that nothing was learnt: the client left first."""
        self._report(candidate, circuit.Abandoned())

    def readiness(self) -> dict[str, bool]:
        """Return of each backend, by its name, whether none of its deployments is cooling down. Any thread may ask."""
        now = self._clock()
        cooling = {name for (name, _), state in self._circuits.copy().items() if not circuit.is_ready(state, now)}
        return {backend.name: backend.name not in cooling for backend in self._backends}

    def _circuit(self, candidate: Candidate) -> Circuit:
        return self._circuits.get(candidate.key, CLOSED)

    def _report(self, candidate: Candidate, report: Report) -> None:
        before = self._circuit(candidate)
        state = circuit.after(before, report, self._clock())
        if state is CLOSED:
            self._circuits.pop(candidate.key, None)
        elif state is not before:
            _put_newest(self._circuits, candidate.key, state)

    def _moved_to(self, ready: list[Candidate], conversation: bytes) -> Candidate | None:
        name = self._moved.get(conversation)
        chosen = next((candidate for candidate in ready if candidate.backend.name == name), None)
        if chosen is not None:
            self.remember(conversation, chosen)  # as the newest
        return chosen

    def _weighted(self, ready: list[Candidate], conversation: bytes) -> Candidate:
        first = min(candidate.backend.priority for candidate in ready)
        equals = [candidate for candidate in ready if candidate.backend.priority == first]
        if conversation and len(equals) > 1:
            by_name = {candidate.backend.name: candidate for candidate in equals}
            return by_name[order(conversation, {name: one.backend.weight for name, one in by_name.items()})[0]]
        point = self._rng() * sum(candidate.backend.weight for candidate in equals)
        for candidate in equals:
            point -= candidate.backend.weight
            if point < 0:
                return candidate
        return equals[-1]


def _put_newest[K, V](entries: dict[K, V], key: K, value: V) -> None:
    """Put the entry last and drop the first ones beyond `MAX_REMEMBERED`: a dict keeps the order of insertion."""
    entries.pop(key, None)
    entries[key] = value
    while len(entries) > MAX_REMEMBERED:
        del entries[next(iter(entries))]
