"""What the Responses API answers about an input without a model's words: its tokens, and its compaction."""

import secrets
import time

from dev.simulator.answer import CHARACTERS_PER_TOKEN
from dev.simulator.call import Call, Json, all_text


def input_tokens(call: Call) -> Json:
    return {"object": "response.input_tokens", "input_tokens": _tokens(call)}


def compacted(call: Call) -> Json:
    """Return the user's messages, then one item that stands for the rest."""
    given = call.body.get("input")
    items = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given or []
    users = [item for item in items if isinstance(item, dict) and item.get("role") == "user"]
    messages = [
        {"type": "message", "id": f"msg_c{index}", "status": "completed", **item} for index, item in enumerate(users)
    ]
    sealed = {
        "type": "compaction",
        "id": f"cmp_{secrets.token_hex(12)}",
        "encrypted_content": "gAAAA" + secrets.token_hex(12),
    }
    usage = {
        "input_tokens": _tokens(call),
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": _tokens(call) + 5,
    }
    return {
        "id": f"resp_{secrets.token_hex(24)}",
        "object": "response.compaction",
        "created_at": int(time.time()),
        "output": [*messages, sealed],
        "usage": usage,
    }


def _tokens(call: Call) -> int:
    return sum(len(text) // CHARACTERS_PER_TOKEN + 4 for text in all_text(call.body))
