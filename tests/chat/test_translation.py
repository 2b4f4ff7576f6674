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


@pytest.mark.parametrize("name", [*BUFFERED, "relay"])
def test_a_buffered_answer_within_the_bound_leaves_at_its_end(name: str) -> None:
    one = buffered(name)
    stop = b'data: {"id":"c1","choices":[{"index":0,"finish_reason":"stop","delta":{}}]}\n\ndata: [DONE]\n\n'
    assert one.feed(WORDS * 3) == b""
    assert b"xxx" in one.feed(stop)
    assert one.progress.phase is Phase.ENDED
