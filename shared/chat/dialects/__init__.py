"""The dialects that the chat API can use upstream, by the value of AZURE_OPENAI_API."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shared.chat.dialects import chat, completions, responses
from shared.chat.request import ChatRequest
from shared.config.backends import Backend
from shared.events import AnswerEvent
from shared.upstream.additions import Addition, field, nested_field


class Decoder(Protocol):
    """The data of one frame after another -> events; one decoder per answer."""

    @property
    def is_ended(self) -> bool:
        """Whether the model has ended the answer."""

    @property
    def is_cut(self) -> bool:
        """Whether the upstream says that it will send no more, though the model has not ended the answer."""

    @property
    def may_have_failed(self) -> bool:
        """Whether the answer has failed, and what explains it may come with the next frame."""

    def decode(self, data: bytes) -> list[AnswerEvent]:
        """Return the events of one frame. Raise `UpstreamMalformed`, or another `UpstreamFailure` for an error event."""

    def end(self) -> list[AnswerEvent]:
        """Return what a clean end of the stream means, if anything. Raise `UpstreamFailure`."""


class RequestBody(Protocol):
    """A function that writes the upstream's request."""

    def __call__(self, request: ChatRequest, deployment: str, *, backend: Backend) -> bytes:
        """Return the JSON of the upstream's request. Raise `BadRequest` for what the dialect cannot carry."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a module of this package has to offer. `path` is relative to a backend's base URL."""

    path: str
    request_body: RequestBody
    new_decoder: Callable[[], Decoder]
    addition: Addition
    """What the request's body has that the caller did not ask for."""


DIALECTS: dict[str, Dialect] = {
    "chat": Dialect(chat.PATH, chat.request_body, chat.Decoder, field("stream_options")),
    "responses": Dialect(
        responses.PATH, responses.request_body, responses.Decoder, nested_field("reasoning", "summary")
    ),
    "completions": Dialect(completions.PATH, completions.request_body, completions.Decoder, field("stream_options")),
}
