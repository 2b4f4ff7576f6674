"""An answer and an error that every encoder writes, and the golden files of its bytes."""

from pathlib import Path

from shared.chat.encoders import FORMATS, Encoder
from shared.errors import ErrorObject
from shared.events import AnswerEvent, Delta, Finished, Reasoning, Started, Step, Usage

GOLDEN = Path(__file__).parent / "golden"
ANSWER: list[AnswerEvent] = [
    Started("chatcmpl-1", "gpt-5.4-mini"),
    Step("web_search", "searching"),
    Reasoning("Let me think.\n"),
    Delta("Grüße, “Welt” 😀\u2028"),
    Delta("\nline two\r\n\ttab \\ \"quoted\" </script>"),
    Usage(9, 12, 4, 3),
    Finished("stop"),
]  # fmt: skip
ERROR = ErrorObject("The connection to the model broke off.", "upstream_error", "upstream_cut")


def new_encoder(name: str) -> Encoder:
    return FORMATS[name].encoder({})


def write(encoder: Encoder, answer: list[AnswerEvent]) -> bytes:
    return b"".join([encoder.encode([event]) for event in answer])


def write_failed(encoder: Encoder) -> bytes:
    return write(encoder, ANSWER[:4]) + (encoder.fail(ERROR) or b"")
