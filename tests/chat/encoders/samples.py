"""An answer and an error that every encoder writes, and the golden files of its bytes."""

from pathlib import Path

from shared.chat.encoders import FORMATS, Encoder
from shared.errors import ErrorObject
from shared.events import AnswerEvent, Citation, Delta, Finished, Reasoning, Source, Started, Step, Usage

GOLDEN = Path(__file__).parent / "golden"
ANSWER: list[AnswerEvent] = [
    Step("search", "started", {"query": "Grüße"}),
    Source("1", "Greetings [1]", "https://example.com/greetings", "Say “Grüße”.\u2028"),
    Source("2", "hello.pdf"),
    Step("search", "finished", {"count": 2, "milliseconds": 143}),
    Started("chatcmpl-1", "gpt-5.4-mini"),
    Step("web_search", "searching"),
    Reasoning("Let me think.\n"),
    Delta("Grüße, “Welt” 😀\u2028"),
    Citation("1", 0, 5),
    Delta("\nline two\r\n\ttab \\ \"quoted\" </script>"),
    Usage(9, 12, 4, 3),
    Finished("stop"),
]  # fmt: skip
BROKEN_AT = 8
"""How many events a failed answer says."""
ERROR = ErrorObject("The connection to the model broke off.", "upstream_error", "upstream_cut")


def new_encoder(name: str) -> Encoder:
    return FORMATS[name].encoder({})


def write(encoder: Encoder, answer: list[AnswerEvent]) -> bytes:
    return b"".join([encoder.encode([event]) for event in answer])


def write_failed(encoder: Encoder) -> bytes:
    return write(encoder, ANSWER[:BROKEN_AT]) + (encoder.fail(ERROR) or b"")
