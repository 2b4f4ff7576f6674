"""The table of images and audio."""

import msgspec

from shared.openai_api.media import MEDIA
from tests.harness.cells import cells

TRANSCRIPTIONS, SPEECH = MEDIA["audio/transcriptions"], MEDIA["audio/speech"]


@cells("word", ["true", "True", "TRUE", "1", " yes "])
def test_a_form_asks_for_a_stream_in_any_word_that_servers_take_for_true(word: str) -> None:
    assert TRANSCRIPTIONS.streams({"stream": word})


@cells("word", ["", "false", "0", "sse", "truest"])
def test_any_other_word_asks_for_none(word: str) -> None:
    assert not TRANSCRIPTIONS.streams({"stream": word})
    assert not MEDIA["audio/translations"].streams({"stream": "true", "": "true"})


def test_speech_asks_for_events_by_its_format() -> None:
    assert SPEECH.streams_json({"stream_format": msgspec.Raw(b'"sse"')})
    for field, value in (("stream_format", b'"audio"'), ("stream_format", b"true"), ("stream", b"true")):
        assert not SPEECH.streams_json({field: msgspec.Raw(value)})


@cells(("images", "endings"), [("", 1), ("3", 3), ("0", 1), ("-2", 1), ("x", 1), ("9" * 9, 1), ("999", 128)])
def test_each_image_ends_by_an_event_of_its_own(images: str, endings: int) -> None:
    assert MEDIA["images/generations"].endings(images) == endings
    assert TRANSCRIPTIONS.endings(images) == 1


def test_every_path_that_streams_has_an_ending_and_takes_a_body() -> None:
    for path, api in MEDIA.items():
        assert api.path == path
        assert bool(api.ending) == bool(api.stream_field)
        assert api.bodies
