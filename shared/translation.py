"""What both APIs share: upstream's bytes in, the client's bytes out, and where the answer stands.

One translation serves one attempt, so that what an abandoned attempt said never reaches the client. Pure: no await, no
clock. `feed` never raises: a failure inside the stream is kept in `failure`, and `fail` then gives its ending.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from shared.errors import AnswerError
from shared.events import Usage


@dataclass(frozen=True, slots=True)
class ErrorEnding:
    """How a stream ends that the model did not end."""

    frames: bytes
    """The error event; b'' where the format has none, or where the upstream's own has gone out."""
    is_cut: bool
    """Cut the connection after it, without the closing chunk, for clients that take a clean end for the answer's."""


class Translation(Protocol):
    """From the upstream's wire format to the client's."""

    media_type: str
    headers: Mapping[str, str]
    """Headers that the client's format requires."""
    heartbeat: bytes
    """What says "still here" between two blocks; b'' where there is no such form."""
    has_content: bool
    """The model has begun to say something; from here on no other backend may take over."""
    is_ended: bool
    """The model has ended the answer."""
    may_have_failed: bool
    """A failure was announced, and its explanation may come next."""
    failure: AnswerError | None
    """Why the model did not end the answer, once that is known from the stream itself."""
    chunks: int
    """How many pieces of content went by."""

    @property
    def usage(self) -> Usage | None:
        """What the answer cost, once known."""

    @property
    def answer_id(self) -> str:
        """The upstream's id of the answer, once known."""

    def feed(self, data: bytes) -> bytes:
        """Takes what arrived; returns what can go out, in whole frames."""

    def end(self) -> bytes:
        """The upstream's body has ended cleanly; whether that ends the answer is in `is_ended` and `failure`."""

    def fail(self, error: AnswerError) -> ErrorEnding:
        """Return the error ending."""
