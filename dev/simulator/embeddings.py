"""Embeddings: unit vectors that depend only on the input (https://platform.openai.com/docs/api-reference/embeddings)."""

import base64
import math
import struct
from typing import Any

from dev.simulator.call import Call, Json
from dev.simulator.refusals import invalid
from dev.simulator.words import dice

SIZES = {"text-embedding-3-large": 3072}
USUAL_SIZE = 1536


def embeddings(call: Call) -> Json:
    inputs = _inputs(call.body["input"])
    if not inputs:
        raise invalid("Invalid 'input'': it holds no text.", param="input", code="empty_array")
    size = call.body.get("dimensions") or SIZES.get(call.deployment, USUAL_SIZE)
    as_text = call.body.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _encoded(vector(text, size)) if as_text else vector(text, size),
        }
        for index, text in enumerate(inputs)
    ]
    tokens = sum(len(text) // 4 + 1 for text in inputs)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": call.model, "usage": usage}


def vector(text: str, size: int) -> list[float]:
    rng = dice(text, "embedding")
    values = [rng.uniform(-1, 1) for _ in range(size)]
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values]


def _encoded(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def _inputs(given: Any) -> list[str]:
    """Split the input: a text, a list of texts, a list of tokens, or a list of lists of tokens."""
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        return []
    if isinstance(given[0], int):
        return [" ".join(map(str, given))]
    return [one if isinstance(one, str) else " ".join(map(str, one)) for one in given]
