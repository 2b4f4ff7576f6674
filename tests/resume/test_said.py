"""What is missing of a response, whatever has been passed on: written from its output, said once, in the API's own order."""

import json
from collections import Counter
from typing import Any

import pytest

from dev.simulator.behaviour import behaviour
from dev.simulator.call import Call, Surface
from dev.simulator.responses import Responses
from shared.resume.said import Said, Unknown
from shared.sse import frame_data
from shared.upstream.wire.responses import decode_content_event
from tests.harness.cells import cells

ANSWERS: dict[str, dict[str, Any]] = {
    "a text": {"text": "Grüße, 你好 and 😀 to you"},
    "a text after reasoning": {"text": "So it is.", "reasoning": "Let me think about that."},
    "tool calls": {"tool_call": [{"name": "one", "arguments": {"city": "Örebro"}}, {"name": "two", "arguments": "{}"}]},
    "a refusal": {"refusal": "I cannot help with that."},
    "an incomplete text": {"text": "And then", "finish_reason": "length"},
}


def answer(given: dict[str, Any]) -> tuple[list[bytes], dict[str, Any]]:
    """Return the frames of a simulated response, and its object at the end."""
    call = Call(
        "responses", "main", Surface(azure=True, deployment=None), {"model": "m", "input": "x"}, behaviour(given), 0.0
    )
    responses = Responses(call)
    frames = [frame.data for part in (responses.opening, responses.content, responses.closing) for frame in part()]
    return frames, responses.object.view()


def events(frames: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(frame_data(frame) or b"") for frame in frames]


def said_after(frames: list[bytes]) -> Said:
    said = Said()
    for frame in frames:
        said.note(decode_content_event(frame_data(frame) or b""))
    return said


def texts(found: list[dict[str, Any]]) -> dict[tuple[str, int, int], str]:
    """Return what the deltas of each part say."""
    parts: dict[tuple[str, int, int], str] = {}
    for event in found:
        if event["type"].endswith(".delta"):
            place = (event["type"], event["output_index"], event.get("content_index", event.get("summary_index", 0)))
            parts[place] = parts.get(place, "") + event["delta"]
    return parts


@cells("name", ANSWERS)
def test_wherever_it_breaks_every_part_is_said_once_and_every_event_comes_once(name: str) -> None:
    frames, response = answer(ANSWERS[name])
    whole = events(frames)
    once = Counter(event["type"] for event in whole if not event["type"].endswith(".delta"))
    for cut in range(1, len(frames)):
        missing = said_after(frames[:cut]).missing(response, number=cut)
        found = [*whole[:cut], *events(missing)]
        assert texts(found) == texts(whole)
        assert [event["sequence_number"] for event in found] == list(range(len(found)))
        kinds = Counter(event["type"] for event in found if not event["type"].endswith(".delta"))
        del kinds["response.in_progress"], once["response.in_progress"]
        assert kinds == once
        assert found[-1]["response"] == response


def test_nothing_is_said_where_it_would_be_said_twice() -> None:
    frames, response = answer({"text": "Hello you"})
    longer = [frame.replace(b'"delta":"Hello', b'"delta":"Hello, dear reader,') for frame in frames]
    nameless = [frame.replace(b'"output_index":0,', b"") for frame in frames]
    halves = [frame.replace(b'"delta":"Hello', b'"delta":"\\ud83d') for frame in frames]
    for changed in (longer, nameless, halves):
        with pytest.raises(Unknown):
            said_after(changed[:-3]).missing(response, number=0)
