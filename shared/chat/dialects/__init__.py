"""The dialects that the chat API can speak upstream, by the word of AZURE_OPENAI_API."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shared.chat.dialects import chat, completions, responses
from shared.chat.request import ChatRequest
from shared.config.backends import Backend
from shared.events import AnswerEvent


class Decoder(Protocol):
    """The data of one frame after another -> events; one decoder per answer."""

    is_ended: bool
    """The model has ended the answer."""
    may_have_failed: bool
    """The answer has failed, and what explains it may come with the next frame."""

    def decode(self, data: bytes) -> list[AnswerEvent]:
        """The events of one frame. Raises `UpstreamMalformed`, or `UpstreamErrorResponse` for an error event."""

    def end(self) -> list[AnswerEvent]:
        """The stream ended cleanly: what that means, if anything. Raises `UpstreamErrorResponse`."""


class RequestBody(Protocol):
    """Makes the upstream's request. Raises `BadRequest` for what the dialect can't carry."""

    def __call__(self, request: ChatRequest, deployment: str, *, backend: Backend) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a module of this package offers. `path` is relative to a backend's base URL."""

    path: str
    request_body: RequestBody
    new_decoder: Callable[[], Decoder]


DIALECTS: dict[str, Dialect] = {
    "chat": Dialect(chat.PATH, chat.request_body, chat.Decoder),
    "responses": Dialect(responses.PATH, responses.request_body, responses.Decoder),
    "completions": Dialect(completions.PATH, completions.request_body, completions.Decoder),
}
