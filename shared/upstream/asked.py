"""Which backends were asked for one answer, what each said, and what follows once all of them have been. Pure."""

from collections.abc import Sequence

from shared.config.settings import Settings
from shared.errors import IdentityUnavailable, UpstreamFailure
from shared.upstream.failover import choose_error, retry_delay
from shared.upstream.missing import ITEM_SECONDS, Missing, MissingHere
from shared.upstream.pool import Candidate


class Asked:
    """The failed attempts at one answer, in order. `candidates`: all that may be asked, at least one."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        """Begin with nobody asked."""
        self.candidates = candidates
        self._attempts: list[tuple[Candidate, UpstreamFailure]] = []

    def note(self, candidate: Candidate, failure: UpstreamFailure) -> None:
        """Note that the candidate did not answer."""
        self._attempts.append((candidate, failure))

    @property
    def keys(self) -> set[tuple[str, str]]:
        """The keys of the candidates that were asked, and of those for which no token can be had either."""
        scopes = {one.backend.scope for one, failure in self._attempts if isinstance(failure, IdentityUnavailable)}
        unsigned = {one.key for one in self.candidates if one.backend.scope in scopes}
        return {candidate.key for candidate, _ in self._attempts} | unsigned

    @property
    def has_moved(self) -> bool:
        """Whether a candidate did not have what the request names."""
        return any(isinstance(failure, MissingHere) for _, failure in self._attempts)

    def error(self) -> UpstreamFailure:
        """Return the failure to report."""
        return choose_error([failure for _, failure in self._attempts])

    def again(self, elapsed_seconds: float, settings: Settings) -> tuple[Candidate, float] | None:
        """Return the candidate to ask once more, and after how many seconds; None for none.

        It is the only one that may have what the request names. Where no account has the item that it names, it is the first
        that was asked, which is the conversation's own: an item can be missing for a moment where it was just stored.
        """
        if len(self._attempts) != len(self.candidates):
            return None
        left = [(candidate, failure) for candidate, failure in self._attempts if not isinstance(failure, MissingHere)]
        if left:
            delay = retry_delay([failure for _, failure in left], len(left), elapsed_seconds, settings)
            return None if delay is None else (left[0][0], delay)
        candidate, failure = self._attempts[0]
        is_item = isinstance(failure, MissingHere) and failure.missing is Missing.ITEM
        return (candidate, ITEM_SECONDS) if is_item else None
