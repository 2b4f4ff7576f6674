"""One call to an upstream and its response, whichever backend answers; and the seam between the attempts and the clients."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from shared.config.backends import Backend
from shared.config.catalog import Target
from shared.demand import Demand
from shared.upstream.additions import Addition

_OPERATIONS: Mapping[str, str] = {
    "chat/completions": "chat",
    "responses": "chat",
    "responses/compact": "chat",
    "responses/input_tokens": "count_tokens",
    "completions": "text_completion",
    "embeddings": "embeddings",
}


class IdSigning(Protocol):
    """Signs the ids of stored responses in one answer, with a key that may have to be read first."""

    def start(self) -> None:
        """Begin to read the key, while the upstream is asked."""

    async def ready(self, backend: Backend) -> None:
        """Return once this backend's answer can be signed, or is known to stay unsigned. Never raise."""


class Renewal(Protocol):
    """A body that can take its silent upstream up again."""

    @property
    def last_sign(self) -> float:
        """When its upstream last said that it goes on, other than by an event; on the loop's clock."""

    def renew(self) -> bool:
        """Take the upstream up again; return False where that is not possible."""


class Resumption(Protocol):
    """Makes the body of an answer go on where its upstream broke."""

    async def opened(
        self, send: "Callable[[], Awaitable[UpstreamResponse]]", clients: "UpstreamClients", backend: Backend
    ) -> "UpstreamResponse":
        """Return what `send` returns, with a body that goes on. Raise what `send` raises."""


class Upload(Protocol):
    """A request's body that goes up in pieces, as often as it is asked for."""

    @property
    def content_type(self) -> str:
        """The type of the body, with its parameters."""

    @property
    def size(self) -> int:
        """The number of its bytes."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield all of it, from its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCall:
    """One call. `path` is relative to a backend's base URL; `body` is made per backend, since deployments have other names.

    `address`: the whole address, where a backend does not serve the call below its base URL; None where all do.
    `upload`: what goes up instead of `body`; None for a body in memory.

    `target`: the model that is to answer; None for a call about a stored object.
    `streams`: the answer is a stream of events.
    `addition`: what of the body is this app's own, and taken back where it is refused.
    `owner`: the name of the backend that has the stored object which the call is about or goes on from, and so the only one
    that can answer; '' where any can. `owner_param` names the object in the request.
    `conversation`: what keeps the calls of one conversation at one backend (`affinity`); called only where there is a choice.
    `resolve`: takes this call and returns it as it goes up, where a key has to be read first. Raises `AnswerError`.
    `signing`: signs the ids in the answer; None where nothing is signed.
    `asks_once`: what it makes may be made although no answer comes, and costs too much to be made twice: after a connection
    that failed nobody is asked again.
    `resumption`: takes the upstream of a background response up again where it breaks; None for every other call.
    `demand`: what the call asks for; called only where callers have limits. None for one that no model answers.
    """

    method: str = "POST"
    path: str
    target: Target | None = None
    address: Callable[[Backend, str], str] | None = None
    body: Callable[[Backend, str], bytes | None] = lambda _backend, _deployment: None
    upload: Callable[[Backend, str], Upload] | None = None
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    streams: bool = True
    addition: Addition | None = None
    owner: str = ""
    owner_param: str = ""
    conversation: Callable[[], bytes] | None = None
    resolve: "Callable[[UpstreamCall], Awaitable[UpstreamCall]] | None" = None
    signing: IdSigning | None = None
    asks_once: bool = False
    resumption: Resumption | None = None
    demand: Callable[[], Demand] | None = None

    @property
    def operation(self) -> str:
        """What is asked for, as OpenTelemetry's `gen_ai.operation.name` has it, or a word of ours where that has none."""
        if self.target is None:
            kind = "response" if self.path.startswith("responses") else "object"
            return f"fetch_{kind}" if self.method == "GET" else f"change_{kind}"
        return _OPERATIONS.get(self.path, "generate_content")

    def without_addition(self, addition: Addition) -> "UpstreamCall":
        """Return the call without what this app added to its body."""
        make = self.body

        def body(backend: Backend, deployment: str) -> bytes | None:
            made = make(backend, deployment)
            return None if made is None else addition.take_back(made)

        return replace(self, body=body, addition=None)


class Body(Protocol):
    """The body of a successful response."""

    async def read(self) -> bytes:
        """Return whatever has arrived, at least one byte; b'' at a clean end. Raise `UpstreamCut`."""

    def at_end(self) -> bool:
        """Return whether the body is complete and read."""

    def hang_up(self) -> None:
        """Tell the upstream at once that nothing more is wanted; what has arrived by then can still be read."""

    def close(self) -> None:
        """Release it at once, finished or not."""


type Take = Callable[[bytes], bool]
"""Takes what has arrived; returns whether it takes more."""


@runtime_checkable
class FlowingBody(Body, Protocol):
    """A body that can hand over what arrives without waking a task."""

    async def flow(self, take: Take) -> None:
        """Call `take` with what arrives until it returns False, or `read` has more to say. Raise what it raises."""


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """A 2xx response whose body has not been read yet."""

    status: int
    headers: Mapping[str, str]
    body: Body
    renewal: Renewal | None = None
    """The same body, where it can take its upstream up again."""


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
