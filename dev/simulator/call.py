"""A call: one request as parsed by the simulated service."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from dev.simulator.behaviour import Behaviour, without_mark
from dev.simulator.grounded import question_of

Json = dict[str, Any]
Operation = Literal[
    "chat",
    "responses",
    "input_tokens",
    "compact",
    "completions",
    "embeddings",
    "generations",
    "edits",
    "speech",
    "transcriptions",
    "translations",
]


@dataclass(frozen=True, slots=True)
class Surface:
    """The API surface of the request. The three differ in format, not in features."""

    azure: bool
    """Whether there are content filter results and Azure's error texts; the plain OpenAI surface has neither."""
    deployment: str | None = None
    """Taken from the path on the older Azure surface, elsewhere from the body's `model`."""


@dataclass(frozen=True, slots=True)
class Call:
    operation: Operation
    backend: str
    surface: Surface
    body: Json
    behaviour: Behaviour
    interval: float
    """Seconds between pieces, with the default applied."""
    cached_tokens: int = 0
    """How much of the prompt the account has in its cache."""
    encrypted: str | None = None
    """What a reasoning item carries as `encrypted_content`; None for no such item."""

    @property
    def deployment(self) -> str:
        return self.surface.deployment or str(self.body.get("model", ""))

    @property
    def model(self) -> str:
        """Azure returns the model's name, not the deployment's; clients must not rely on equality."""
        return f"{self.deployment}-2026-01-01"

    @property
    def stream(self) -> bool:
        return self.body.get("stream") is True

    @property
    def prompt(self) -> str:
        return without_mark(question_of(newest_text(self.body)))


def newest_text(body: Any) -> str:
    """Return the user's last text: of the last user message in `messages` or `input`, of `prompt`, or of the last input."""
    if not isinstance(body, dict):
        return ""
    for name in ("messages", "input"):
        items = body.get(name)
        if isinstance(items, str):
            return items
        if isinstance(items, list):
            for item in reversed(items):
                if isinstance(item, str):
                    return item
                if isinstance(item, dict) and item.get("role") == "user":
                    return content_text(item.get("content"))
    prompt = body.get("prompt")
    if isinstance(prompt, list):
        prompt = prompt[-1] if prompt else ""
    return prompt if isinstance(prompt, str) else ""


def content_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def all_text(body: Json) -> Iterator[str]:
    """Return the text that counts as input tokens, approximately."""
    for name in ("messages", "input"):
        items = body.get(name)
        for item in [items] if isinstance(items, str) else items if isinstance(items, list) else []:
            yield content_text(item.get("content")) if isinstance(item, dict) else str(item)
    for name in ("instructions", "prompt"):
        if body.get(name):
            yield str(body[name])
