"""The store's clock, which every process of the app shares: this machine's own may be wrong."""

import time
from collections.abc import Callable


class StoreClock:
    """Seconds since 1970. Until the store has told its time, this machine's."""

    def __init__(self, own: Callable[[], float] = time.time) -> None:
        """Begin with this machine's time."""
        self._own = own
        self._ahead = 0.0

    def __call__(self) -> float:
        """Return the store's time as far as it is known, exact to a second."""
        return self._own() + self._ahead

    def learn(self, now: float) -> None:
        """Take over what the store says."""
        self._ahead = now - self._own()
