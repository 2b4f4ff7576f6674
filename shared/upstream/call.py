"""One call to an upstream and its response, whichever backend answers; and the seam between the attempts and the clients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.config.backends import Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCall:
    """One call. `path` is relative to a backend's base URL; `body` is made per backend, since deployments have other names.

    `streams`: the answer is a stream of events. `stored_id`: the call is about a stored response, and any backend may be the
    one that has it. `previous_id`: the same, for an answer that goes on from a stored response.
    """

    method: str = "POST"
    path: str
    model: str = ""
    body: Callable[[Backend, str], bytes | None] = lambda _backend, _deployment: None
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    streams: bool = True
    stored_id: str = ""
    previous_id: str = ""


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
        """Import and prepare what is slow to load; cheap once done."""

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        """Send the call and return once the response's headers have arrived.

        Raise `UpstreamErrorResponse` (any status but 2xx), `UpstreamUnreachable`, `UpstreamTimeout` or
        `IdentityUnavailable`.
        """

    async def aclose(self) -> None:
        """Close the connections and the credential."""
