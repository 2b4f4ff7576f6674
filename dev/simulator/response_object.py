"""The response object of the Responses API, from queued to its end."""

import secrets
import time

from dev.simulator.answer import Answer
from dev.simulator.call import Call, Json
from dev.simulator.chat import SAFE

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
ECHOED: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


class ResponseObject:
    def __init__(self, call: Call, answer: Answer) -> None:
        self._call = call
        self._answer = answer
        self._created = int(time.time())
        self.id = f"resp_{secrets.token_hex(24)}"
        self.background = call.body.get("background") is True
        self.status = "queued" if self.background else "in_progress"
        self.output: list[Json] = []
        self.ended_at: float | None = None

    @property
    def incomplete(self) -> bool:
        return self._answer.finish_reason in INCOMPLETE

    def end(self, status: str | None = None) -> None:
        """Set the final status; by default, derived from the answer's finish reason."""
        self.status = status or ("incomplete" if self.incomplete else "completed")
        self.ended_at = time.time()

    def view(self) -> Json:
        """Return the current state."""
        body, behaviour = self._call.body, self._call.behaviour
        echoed = {name: body[name] if body.get(name) is not None else default for name, default in ECHOED.items()}
        reason = INCOMPLETE.get(self._answer.finish_reason) if self.status == "incomplete" else None
        found: Json = {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": self.status,
            "background": self.background,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": self._call.model,
            "output": [dict(item) for item in self.output],
            **echoed,
            "usage": self._usage(),
        }
        if self._call.surface.azure:
            filtered = {"blocked": False, "source_type": "completion", "content_filter_results": SAFE}
            found["content_filters"] = [filtered] if self.ended_at is not None else None
        if behaviour.no_id:
            del found["id"]
        if behaviour.null_fields:
            found |= {"id": None, "model": None, "created_at": None}
        return found

    def _usage(self) -> Json | None:
        told = self._answer.usage
        if told is None or self.status not in ("completed", "incomplete"):
            return None
        prompt, completion = self._answer.prompt_tokens, self._answer.completion_tokens
        return {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": told.cached},
            "output_tokens": completion,
            "output_tokens_details": {"reasoning_tokens": told.reasoning},
            "total_tokens": prompt + completion,
        }
