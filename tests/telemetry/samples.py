"""Receipts of answers that went every way, and what is said of them."""

import json
from pathlib import Path
from typing import Any

from shared.events import Usage
from shared.receipt import AttemptRecord, Receipt
from shared.telemetry.calls import BackendAddress, Describer
from shared.telemetry.names import Names, Semconv
from shared.trace import AnswerTrace

TRACE, ANSWER, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000a1", "00f067aa0ba902b7"
FIRST_CALL, SECOND_CALL = "00000000000000c1", "00000000000000c2"
BACKENDS = {
    "east": BackendAddress("azure.ai.openai", "east.openai.azure.com", 443),
    "west": BackendAddress("azure.ai.openai", "west.openai.azure.com", 443),
}
SEMCONV: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "semconv.json").read_text(encoding="utf-8"))
ENDED_AT = 1_795_780_800.5
"""2026-11-27 12:00:00.5 UTC."""


def describer(semconv: Semconv = Semconv.V1_41, *, names_callers: bool = False) -> Describer:
    return Describer(Names.of(semconv), BACKENDS, names_callers)


def trace(*, is_sampled: bool = True, ratio: float = 1.0, parent: str = PARENT) -> AnswerTrace:
    return AnswerTrace(
        trace_id=TRACE, span_id=ANSWER, parent_id=parent, is_sampled=is_sampled, ratio=ratio, state="vendor=1"
    )


def receipt(**fields: Any) -> Receipt:
    """An answer of 2 s that failed over once; its first token came after 0.75 s."""
    usual: dict[str, Any] = {
        "id": "req_1",
        "invocation_id": "i",
        "api": "chat",
        "trace_id": TRACE,
        "trace": trace(),
        "operation": "chat",
        "streams": True,
        "caller": "alice",
        "format": "sse",
        "model": "gpt",
        "backend": "west",
        "attempts": [
            AttemptRecord("east", "rate_limit_exceeded", 0.25, 0.0, FIRST_CALL),
            AttemptRecord("west", "content", 0.5, 0.25, SECOND_CALL),
        ],
        "status": 200,
        "usage": Usage(1000, 200, 300, 40),
        "ended": "finished",
        "first_token_seconds": 0.75,
        "duration_seconds": 2.0,
    }
    return Receipt(**(usual | fields))


def searched(**fields: Any) -> Receipt:
    """The same after a search of 0.3 s, whose question was rewritten in 0.2 s."""
    found = {
        "outcome": "found",
        "passages": 5,
        "rewriting_seconds": 0.2,
        "search_seconds": 0.3,
        "rewriting_tokens": {"input": 50, "output": 8},
    }
    rewriting = [AttemptRecord("east", "content", 0.2, 0.01, "00000000000000d1")]
    return receipt(retrieval=found, retrieval_began_seconds=0.01, rewriting=rewriting, **fields)


EVERY_WAY: dict[str, Receipt] = {
    "finished": receipt(),
    "searched": searched(),
    "not streamed": receipt(format="whole", streams=False, first_token_seconds=2.0),
    "embeddings": receipt(api="openai", operation="embeddings", format="whole", streams=False, usage=Usage(7, 0)),
    "fetched": receipt(api="openai", operation="fetch_response", model=""),
    "cut": receipt(ended="upstream_cut"),
    "left": receipt(ended="client_left"),
    "left before the first word": receipt(
        ended="client_left", first_token_seconds=None, usage=None, attempts=[AttemptRecord("east", "abandoned", 2.0)]
    ),
    "refused by a limit": receipt(
        ended="caller_limit_exceeded", attempts=[], backend="", first_token_seconds=None, usage=None
    ),
    "failed": receipt(
        ended="upstream_timeout",
        first_token_seconds=None,
        usage=None,
        attempts=[AttemptRecord("east", "500", 0.5), AttemptRecord("west", "upstream_timeout", 1.5, 0.5)],
    ),
}
