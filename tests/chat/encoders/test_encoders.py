"""One list of rules over every encoder of the chat API; the wire bytes are in golden files next to this one."""

import json

from shared.chat.encoders import FORMATS
from shared.chat.request import Schema
from shared.events import Delta
from tests.chat.encoders.samples import ANSWER, BROKEN_AT, ERROR, GOLDEN, new_encoder, write, write_failed
from tests.harness.cells import cells


@cells("name", FORMATS)
def test_the_bytes_of_a_finished_answer_are_those_of_the_golden_file(name: str) -> None:
    assert write(new_encoder(name), ANSWER) == (GOLDEN / f"{name}.finished").read_bytes()


@cells("name", FORMATS)
def test_the_bytes_of_a_failed_answer_are_those_of_the_golden_file(name: str) -> None:
    assert write_failed(new_encoder(name)) == (GOLDEN / f"{name}.failed").read_bytes()


@cells("name", FORMATS)
def test_events_that_arrive_together_give_the_same_bytes(name: str) -> None:
    assert new_encoder(name).encode(ANSWER) == write(new_encoder(name), ANSWER)


@cells("name", FORMATS)
def test_no_format_has_an_ending_that_looks_finished_when_it_is_not(name: str) -> None:
    finished, failed = write(new_encoder(name), ANSWER), write_failed(new_encoder(name))
    ending = finished[len(write(new_encoder(name), ANSWER[:-1])) :]
    encoder = new_encoder(name)
    write(encoder, ANSWER[:BROKEN_AT])
    if encoder.fail(ERROR) is None:
        assert encoder.cuts_after_error
    else:
        assert b"broke off" in failed
        assert not ending or ending not in failed


def test_a_failed_stream_is_cut_in_the_formats_whose_clients_gain_by_it() -> None:
    streaming = {name: made for name in FORMATS if not (made := new_encoder(name)).is_buffered}
    cut = {name for name, encoder in streaming.items() if encoder.cuts_after_error}
    assert (cut, set(streaming) - cut) == ({"ndjson", "jsonl", "text"}, {"sse", "ui-message", "chat-protocol"})


@cells("name", FORMATS)
def test_the_words_of_the_answer_arrive_unharmed(name: str) -> None:
    words = "".join(event.text for event in ANSWER if isinstance(event, Delta))
    out = write(new_encoder(name), ANSWER)
    assert out.decode()  # UTF-8, whole characters
    if name == "text":
        assert out.decode() == words
    elif name == "json":
        assert json.loads(out)["text"] == words
    elif name == "chat-protocol-json":
        assert json.loads(out)["message"]["content"] == words
    else:
        texts = [
            json.loads(line.removeprefix("data: "))
            for line in out.decode().split("\n")
            if line.lstrip("dat: ").startswith("{")
        ]
        assert words in ("".join(t.get("text", "") for t in texts if t.get("type") == "delta"), _other_words(texts))


def _other_words(values: list[dict[str, object]]) -> str:
    """The text of formats that are not events of ours."""
    words = ""
    for value in values:
        delta = value.get("delta")
        if isinstance(delta, dict):
            words += str(delta.get("content") or "")
        elif value.get("type") == "text-delta":
            words += str(delta)
    return words


@cells("name", [name for name in FORMATS if new_encoder(name).heartbeat])
def test_a_heartbeat_stands_between_events_without_a_trace(name: str) -> None:
    beat = new_encoder(name).heartbeat
    assert beat.endswith(b"\n")
    assert beat.startswith(b":") or beat == b"\n" or json.loads(beat)["type"] == "heartbeat"


def test_the_event_line_of_a_server_sent_event_is_its_json_s_type() -> None:
    for event in ANSWER:
        name, data = FORMATS["sse"].encoder({}).encode([event]).decode().removeprefix("event: ").split("\ndata: ")
        assert json.loads(data)["type"] == name


def test_every_non_streaming_form_is_a_format_that_is_buffered() -> None:
    assert {found.non_streaming for found in FORMATS.values()} == {"json", "chat-protocol-json"}
    for name, found in FORMATS.items():
        assert found.encoder({}).is_buffered is (found.non_streaming == name)


def test_the_media_types_that_a_schema_is_offered_name_one_format_each() -> None:
    for schema in Schema:
        offered = [media for found in FORMATS.values() if schema in found.schemas for media in found.media_types]
        assert len(offered) == len(set(offered)) > 0


@cells("name", [name for name in FORMATS if FORMATS[name].media_types])
def test_a_format_is_labelled_with_a_media_type_that_asks_for_it(name: str) -> None:
    assert new_encoder(name).media_type.partition(";")[0] in FORMATS[name].media_types
