"""Whether an answer ended honestly: complete only where the model ended it, and then valid in its format."""

import json
import re
from collections.abc import Iterator

from shared.sse import FrameSplitter, frame_data
from tests.fuzz.case import Case
from tests.fuzz.formats import CHECKS, CUT_AFTER_ERROR, UNMARKED
from tests.fuzz.seen import Seen

MODEL_ENDED = (b"[DONE]", b"finish_reason", b"response.completed", b"response.incomplete")
MEDIA_ENDED = ("image_generation.completed", "image_edit.completed", "speech.audio.done", "transcript.text.done")
BLANK_LINE = re.compile(rb"(\r\n|\r|\n)(\r\n|\r|\n)\Z")


def ending_of(case: Case, seen: Seen) -> Iterator[str]:
    """Yield what is dishonest or invalid."""
    if not (receipts := seen.receipts):
        return
    receipt, body, is_complete = receipts[0], bytes(seen.body), seen.is_complete
    if receipt["api"] == "openai":
        # A transcription may ignore that a stream was asked for.
        is_stream = receipt["format"] == "stream" and "event-stream" in (seen.header("content-type") or "")
        yield from _relayed(case, seen, is_stream=is_stream)
        return
    name = receipt["format"]
    if name not in CHECKS:
        yield f"a format {name!r} that is not known"
        return
    try:
        ended = CHECKS[name](body, is_complete or seen.has_left)
    except (ValueError, LookupError, TypeError) as error:
        if not (seen.has_left or (not is_complete and name in UNMARKED)):
            yield f"not valid {name}: {error}"[:300]
        return
    if seen.has_left:
        return
    if is_complete and ended == "open":
        yield f"{name}: complete, and not ended"
    if ended == "failed" and is_complete == (name in CUT_AFTER_ERROR):
        yield f"{name}: an error ending that is {'not ' if is_complete else ''}cut"
    if ended == "finished":
        if not is_complete:
            yield f"{name}: finished, and cut"
        if seen.opened and not any(mark in seen.opened[-1].raw for mark in MODEL_ENDED):
            yield f"{name}: finished, and the model has not ended it"
        if receipt["ended"] != "finished":
            yield f"{name}: finished, and the receipt says {receipt['ended']}"


def _relayed(case: Case, seen: Seen, *, is_stream: bool) -> Iterator[str]:
    body = bytes(seen.body)
    if seen.has_left:
        return
    if not is_stream:
        yield from _relayed_whole(seen, body)
        return
    try:
        data = list(_events(body))
    except Exception as error:
        yield f"not an event stream: {error!r}"
        return
    last, kind = (data[-1] if data else b""), ""
    try:
        event = json.loads(last.decode(errors="replace"), parse_int=float)
        kind = event.get("type", "error" if "error" in event else "") if isinstance(event, dict) else ""
    except ValueError:
        pass
    is_ended = last.strip() == b"[DONE]" or kind in ("response.completed", "response.incomplete", *MEDIA_ENDED)
    is_own_failure = any(b"response.failed" in one or b"response.cancelled" in one for one in data)
    if seen.is_complete and not (is_ended or is_own_failure):
        yield f"complete, and its last event is {last[:80]!r}"
    if seen.is_complete and not BLANK_LINE.search(body):
        yield "complete, and its last event is not"
    if not seen.is_complete and is_ended and not is_own_failure and kind not in MEDIA_ENDED:  # one comes for each image
        yield f"cut, and its last event is {last[:80]!r}"


SIGNED = re.compile(rb"(?:resp_|file-|vs_|conv_)[A-Za-z0-9_-]{40,}")
"""Of an id of any length."""


def _relayed_whole(seen: Seen, body: bytes) -> Iterator[str]:
    """A complete body passes as it came, JSON or not, but for the signed ids of stored responses and the blanks before it.

    One that only the end of its connection delimits is another matter: tests/upstream/test_transport.py.
    """
    said = seen.opened[-1].raw if seen.opened else body
    if (
        seen.is_complete
        and body.lstrip() != said.lstrip()
        and seen.status not in (204, 205)
        and not SIGNED.search(body)
    ):
        yield f"complete, and not what the upstream said: {len(body)} of {len(said)} bytes"


def _events(body: bytes) -> Iterator[bytes]:
    splitter = FrameSplitter(1 << 30)
    frames = [*splitter.feed(body), splitter.flush()]
    for frame in frames:
        data = frame_data(frame)
        if data is not None:
            yield data
