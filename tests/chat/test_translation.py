"""The chat API's translation: what holds for every format of an answer that leaves in one piece."""

import pytest

from shared import translation
from shared.chat.dialects import DIALECTS
from shared.chat.encoders import encoder_factory
from shared.chat.translation import ChatTranslation
from shared.errors import UpstreamFrameTooLarge
from shared.openai_api.inspector import ChunkInspector
from shared.openai_api.relay import BufferedRelay
from shared.progress import Phase
from shared.translation import SseTranslation
from tests.harness.cells import cells

WORDS = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % (b"x" * 900)
EVENT_BYTES = 1 << 20
BUFFERED = ["json", "chat-protocol-json", "sse", "ui-message", "ndjson", "text"]


def buffered(name: str) -> SseTranslation[object]:
    """A translation into this format where nothing leaves before the end."""
    if name == "relay":
        return BufferedRelay(ChunkInspector(), hides_usage=True, max_event_bytes=EVENT_BYTES)  # type: ignore[return-value]
    encoder = encoder_factory(name, {}, streaming_enabled=False)()
    assert encoder.is_buffered
    return ChatTranslation(DIALECTS["chat"].new_decoder(), encoder, max_event_bytes=EVENT_BYTES)  # type: ignore[return-value]


@pytest.mark.parametrize("name", [*BUFFERED, "relay"])
def test_no_answer_is_buffered_without_a_bound(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "MAX_BUFFERED_BYTES", 10_000)
    one = buffered(name)
    out = [one.feed(WORDS) for _ in range(12)]
    assert set(out) == {b""}
    assert one.progress.phase is Phase.FAILED
    assert isinstance(one.progress.failure, UpstreamFrameTooLarge)


@cells("name", [*BUFFERED, "relay"])
def test_a_buffered_answer_within_the_bound_leaves_at_its_end(name: str) -> None:
    one = buffered(name)
    stop = b'data: {"id":"c1","choices":[{"index":0,"finish_reason":"stop","delta":{}}]}\n\ndata: [DONE]\n\n'
    assert one.feed(WORDS * 3) == b""
    assert b"xxx" in one.feed(stop)
    assert one.progress.phase is Phase.ENDED


WORD = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
THOUGHT = b'data: {"id":"c1","choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}\n\n'
STOP = b'data: {"id":"c1","choices":[{"index":0,"finish_reason":"stop","delta":{}}]}\n\n'
DELTA = b'data: {"type":"response.output_text.delta","delta":"hi"}\n\n'
SEARCHES = b'data: {"type":"response.web_search_call.searching","item_id":"ws_1"}\n\n'


@cells("name", ["sse", "ui-message", "ndjson", "text", "chat-protocol"])
@cells(
    ("dialect", "last", "can_wait"),
    [
        ("chat", WORD, True),
        ("chat", THOUGHT, True),
        ("chat", WORD + STOP + b"data: [DONE]\n\n", False),
        ("responses", DELTA, True),
        ("responses", SEARCHES, False),
    ],
)
def test_only_text_can_wait_for_what_comes_next(name: str, dialect: str, last: bytes, can_wait: bool) -> None:
    encoder = encoder_factory(name, {}, streaming_enabled=True)()
    one = ChatTranslation(DIALECTS[dialect].new_decoder(), encoder, max_event_bytes=EVENT_BYTES)
    one.feed(WORD if dialect == "chat" else DELTA)
    one.feed(last)
    assert one.progress.can_wait is can_wait
