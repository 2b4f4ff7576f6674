"""One call to an upstream and its response, whichever backend answers; and the seam between the attempts and the clients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.config.backends import Backend
from shared.config.catalog import Target
from shared.errors import UpstreamFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCall:
    """One call. `path` is relative to a backend's base URL; `body` is made per backend, since deployments have other names.

    `target`: the model that is to answer; None for a call about a stored response.
    `streams`: the answer is a stream of events. `stored_id`: the call is about a stored response, and any backend may be the
    one that has it. `previous_id`: the same, for an answer that goes on from a stored response.
    """

    method: str = "POST"
    path: str
    target: Target | None = None
    body: Callable[[Backend, str], bytes | None] = lambda _backend, _deployment: None
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    streams: bool = True
    stored_id: str = ""
    previous_id: str = ""

    def may_be_elsewhere(self, failure: UpstreamFailure) -> bool:
        """Return whether the failure only says that this backend does not have the stored response of the call."""
        if self.stored_id:
            return failure.status == 404
        is_unknown = failure.status == 400 and failure.code == "previous_response_not_found"
        return bool(self.previous_id) and is_unknown


class Body(Protocol):
    """The body of a successful response."""

    async def read(self) -> bytes:
        """Return whatever has arrived, at least one byte; b'' at a clean end. Raise `UpstreamCut`."""

    def at_end(self) -> bool:
        """Return whether the body is complete and read."""

    def close(self) -> None:
        """Release it at once, finished or not."""


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """A 2xx response whose body has not been read yet."""

    status: int
    headers: Mapping[str, str]
    body: Body


class UpstreamClients(Protocol):
    """The clients of all backends: what the attempts call, and what a test replaces."""

    async def load(self) -> None:
        """Import and prepare what is slow to load; cheap once done, tried again after it has failed."""

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        """Send the call and return once the response's headers have arrived.

        Raise `UpstreamErrorResponse` (any status but 2xx), `UpstreamUnreachable`, `UpstreamTimeout`,
        `IdentityUnavailable`, `OutOfResources` or `ServerStopping`.
        """

    async def aclose(self) -> None:
        """Close everything that is open; never raise. A second call does nothing."""
