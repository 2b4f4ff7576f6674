"""A call: one request as the simulated service understands it, before anything is said."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from dev.simulator.behaviour import Behaviour, without_mark

Json = dict[str, Any]
Operation = Literal["chat", "responses", "completions", "embeddings"]


@dataclass(frozen=True, slots=True)
class Surface:
    """Which of the three addressings the request came through; they differ in shapes, not in abilities."""

    azure: bool
    """Content filter results and Azure's error texts; the plain OpenAI surface has neither."""
    deployment: str | None = None
    """Named by the path on the older Azure surface; elsewhere the body's `model` names it."""


@dataclass(frozen=True, slots=True)
class Call:
    operation: Operation
    backend: str
    surface: Surface
    body: Json
    behaviour: Behaviour
    interval: float
    """Seconds between pieces, settled."""

    @property
    def deployment(self) -> str:
        return self.surface.deployment or str(self.body.get("model", ""))

    @property
    def model(self) -> str:
        """Azure answers with the model's name, not the deployment's: nobody may rely on their being equal."""
        return f"{self.deployment}-2026-01-01"

    @property
    def stream(self) -> bool:
        return self.body.get("stream") is True

    @property
    def prompt(self) -> str:
        return without_mark(newest_text(self.body))


def newest_text(body: Any) -> str:
    """The newest text of the user: the last user message of `messages` or `input`, or `prompt`, or the last input."""
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
    """Everything that a tokenizer would count, roughly."""
    for name in ("messages", "input"):
        items = body.get(name)
        for item in [items] if isinstance(items, str) else items if isinstance(items, list) else []:
            yield content_text(item.get("content")) if isinstance(item, dict) else str(item)
    for name in ("instructions", "prompt"):
        if body.get(name):
            yield str(body[name])
