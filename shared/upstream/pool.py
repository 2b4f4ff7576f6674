"""Backend selection: priority, weight and a circuit breaker per backend and deployment.

Per process; nothing is shared. Pure but for the clock and the random numbers, which are given.
"""

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from shared.config.backends import Backend
from shared.config.catalog import Target
from shared.upstream import circuit
from shared.upstream.circuit import CLOSED, Circuit, Report

MAX_REMEMBERED = 4096
"""How many owners of stored responses, and how many circuits that are not closed, are kept; the oldest go first."""


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
        self._owners: dict[str, str] = {}

    def candidates_for_model(self, target: Target, *, previous_id: str = "") -> list[Candidate]:
        """Return every backend that serves the model; only the owner of `previous_id` where that is known and serves it."""
        pairs = [(backend, target.deployments.get(backend.name)) for backend in self._backends]
        candidates = [Candidate(backend, deployment) for backend, deployment in pairs if deployment is not None]
        owner = self._owners.get(previous_id)
        return [candidate for candidate in candidates if candidate.backend.name == owner] or candidates

    def candidates_for_response(self, stored_id: str) -> list[Candidate]:
        """Return every backend, since any may have the stored response; only its owner where that is known."""
        name = self._owners.get(stored_id)
        return [Candidate(backend, "") for backend in self._backends if name is None or backend.name == name]

    def record_owner(self, stored_id: str, candidate: Candidate) -> None:
        """Note that the backend has the stored response."""
        _put_newest(self._owners, stored_id, candidate.backend.name)

    def choose(self, candidates: Sequence[Candidate], *, tried: Collection[tuple[str, str]] = ()) -> Candidate | None:
        """Return the next candidate to ask, or None when all were tried.

        One whose circuit is open is taken only when no other can serve.
        """
        left = [candidate for candidate in candidates if candidate.key not in tried]
        now = self._clock()
        ready = [candidate for candidate in left if circuit.is_ready(self._circuit(candidate), now)]
        if ready:
            chosen = self._weighted(ready)
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

    def _circuit(self, candidate: Candidate) -> Circuit:
        return self._circuits.get(candidate.key, CLOSED)

    def _report(self, candidate: Candidate, report: Report) -> None:
        before = self._circuit(candidate)
        state = circuit.after(before, report, self._clock())
        if state is CLOSED:
            self._circuits.pop(candidate.key, None)
        elif state is not before:
            _put_newest(self._circuits, candidate.key, state)

    def _weighted(self, ready: list[Candidate]) -> Candidate:
        first = min(candidate.backend.priority for candidate in ready)
        equals = [candidate for candidate in ready if candidate.backend.priority == first]
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
