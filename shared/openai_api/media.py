"""Images and audio: what is at each path of OpenAI's API, as one table. Pure.

https://platform.openai.com/docs/api-reference/images, …/audio; the names of events and fields are those of the openai
package's types (3.52).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import msgspec

_TRUE_WORDS = frozenset({"1", "on", "t", "true", "y", "yes"})
"""What the form parsers of servers read as true, in any case of letters."""
_MAX_IMAGES = 128


class RequestBody(Enum):
    """What may be posted."""

    JSON = "application/json"
    FORM = "multipart/form-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaApi:
    """One path. `path` is relative to a backend's base URL.

    `bodies`: what is posted there. `stream_field`: the field that asks for a stream of events by having `stream_value`; ''
    where there is no such stream. `ending`: the type of the event with which the model ends a stream; where `per_image`, it
    comes once for each of the `n` images asked for. `may_ignore_stream`: some models answer with a body where a stream was
    asked for. `is_audio`: without a stream, the answer is the bytes of a sound.
    """

    path: str
    bodies: frozenset[RequestBody]
    stream_field: str = ""
    stream_value: str = "true"
    ending: str = ""
    per_image: bool = False
    may_ignore_stream: bool = False
    is_audio: bool = False

    def streams(self, fields: Mapping[str, str]) -> bool:
        """Return whether a form's fields ask for a stream."""
        word = fields.get(self.stream_field, "").strip().lower() if self.stream_field else ""
        return word in _TRUE_WORDS if self.stream_value == "true" else word == self.stream_value

    def streams_json(self, fields: Mapping[str, msgspec.Raw]) -> bool:
        """Return whether a JSON object's fields ask for a stream."""
        value = bytes(fields.get(self.stream_field, b"null"))
        return value == (b"true" if self.stream_value == "true" else msgspec.json.encode(self.stream_value))

    def endings(self, images: str) -> int:
        """Return how many events end a stream. `images`: the field `n`; what is no number is the upstream's to refuse."""
        is_number = images.isascii() and images.isdigit() and len(images) < 4
        return min(max(int(images), 1), _MAX_IMAGES) if self.per_image and is_number else 1


_JSON, _FORM = frozenset({RequestBody.JSON}), frozenset({RequestBody.FORM})

MEDIA: Mapping[str, MediaApi] = {
    api.path: api
    for api in (
        MediaApi(
            path="images/generations",
            bodies=_JSON,
            stream_field="stream",
            ending="image_generation.completed",
            per_image=True,
        ),
        MediaApi(
            path="images/edits",
            bodies=_FORM | _JSON,
            stream_field="stream",
            ending="image_edit.completed",
            per_image=True,
        ),
        MediaApi(
            path="audio/speech",
            bodies=_JSON,
            stream_field="stream_format",
            stream_value="sse",
            ending="speech.audio.done",
            is_audio=True,
        ),
        MediaApi(
            path="audio/transcriptions",
            bodies=_FORM,
            stream_field="stream",
            ending="transcript.text.done",
            may_ignore_stream=True,  # whisper-1: https://platform.openai.com/docs/api-reference/audio/createTranscription
        ),
        MediaApi(path="audio/translations", bodies=_FORM),
    )
}
"""By path. `images/variations` is not there: it serves dall-e-2 alone, and Azure does not have it."""
