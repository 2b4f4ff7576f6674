"""What is to be asked of an upstream, whichever backend is going to answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

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
