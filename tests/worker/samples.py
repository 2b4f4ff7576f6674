"""Samples: requests as UI kits send them, and a whole stream of chat completions for the simulated upstream."""

import base64
import json
from typing import Any

RAW = base64.b64encode(
    b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"Gr\xc3\xbc\xc3\x9fe"}}]}\n\n'
    b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"length"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
).decode()
"""Byte by byte, as the simulated upstream takes it."""


def use_chat(text: str, **more: Any) -> dict[str, Any]:
    parts = [{"type": "text", "text": text}]
    return {"id": "c1", "messages": [{"id": "m1", "role": "user", "parts": parts}], "trigger": "submit-message"} | more


def protocol(text: str, **carried: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **carried}


def lines(body: bytes) -> list[Any]:
    return [json.loads(line) for line in body.splitlines() if line]
