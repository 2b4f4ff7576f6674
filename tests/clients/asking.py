"""The same question to either API, and what was said."""

from typing import Any

from tests.clients.sides import MODEL, Client, asks

APIS = ("chat", "responses")


def ask(client: Client, api: str, prompt: str = "hello", *, stream: bool = True, **more: Any) -> Any:
    """The same question to either API."""
    if api == "chat":
        return client.chat.completions.create(**asks(prompt, stream=stream, **more))
    return client.responses.create(**{"model": MODEL, "input": prompt, "stream": stream, **more})


def said(elements: list[Any]) -> str:
    """What the model said by then, in either API."""
    found = ""
    for element in elements:
        for choice in getattr(element, "choices", None) or []:
            found += getattr(choice, "text", None) or (getattr(choice, "delta", None) and choice.delta.content) or ""
        if getattr(element, "type", "") == "response.output_text.delta":
            found += element.delta
    return found
