"""Images and audio as they are asked for: addresses, forms, models, failover, and what goes up and comes down."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest

from shared.errors import UpstreamCut, UpstreamUnreachable
from shared.openai_api.form import text_part
from shared.sse import HEARTBEAT
from tests.harness.app import InProcessApp, play
from tests.harness.caller import Caller, Received
from tests.harness.cells import cells
from tests.harness.frames import data
from tests.harness.upstream import EVENT_STREAM, FOREVER, JSON, Asked, Play, Script, Step, fails, refuses

BOUNDARY = b"x-y"
FORM = {"content-type": "multipart/form-data; boundary=x-y"}
FILE = (
    b'--x-y\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + bytes(range(256)) * 20 + b"\r\n"
)
LARGE_FILE = FILE[:-2] + b"\0" * 3_000_000 + b"\r\n"
END = b"--x-y--\r\n"
USAGE = {"input_tokens": 7, "output_tokens": 272}
IMAGE = {"model": "painter", "prompt": "a cat"}
PICTURE = json.dumps({"created": 1, "data": [{"b64_json": "AAAA"}], "usage": USAGE}).encode()
HEARD = b'{"text":"hello","usage":{"type":"duration","seconds":3}}'
SPEAK = {"model": "voice", "input": "hi", "voice": "alloy"}
V1: dict[str, Any] = {"MEDIA_API_VERSION": "v1"}
AZURE = "/openai/deployments/{}/images/generations"
DATED = "https://main.openai.azure.com/openai/deployments"


def form(model: str | None = "ear", *, file: bytes = FILE, after: bool = True, **fields: str) -> bytes:
    texts = [text_part(BOUNDARY, name, value) for name, value in fields.items()]
    texts += [] if model is None else [text_part(BOUNDARY, "model", model)]
    return b"".join([file, *texts] if after else [*texts, file]) + END


def whole(body: bytes, headers: Mapping[str, str] = JSON) -> Play:
    return Play(body=[body[:9], body[9:]], headers={**headers, "content-length": str(len(body))})


def events(kind: str, *, ending: str, then: Sequence[Step] = ()) -> Play:
    return Play(body=[data({"type": kind}, kind), *then, data({"type": ending, "usage": USAGE}, ending)])


def call(
    path: str,
    body: object,
    scripts: Script | Mapping[str, Script | list[Script]],
    *,
    headers: Mapping[str, str] | None = None,
    caller: Caller | None = None,
    **settings: str,
) -> tuple[Received, list[Asked]]:
    async def scene(app: InProcessApp) -> tuple[Received, list[Asked]]:
        sent = FORM if isinstance(body, bytes) and body.startswith(b"--x-y") else {}
        exchange = app.begin(path, body, headers={**sent, **(headers or {})}, caller=caller or Caller())
        return await exchange.end(), app.clients.asked

    return play(scene, scripts if isinstance(scripts, Mapping) else {"main": scripts}, **settings)


def address(asked: Asked) -> str:
    """Return where the call goes; the scripted accounts are called main, second and third."""
    assert asked.call.address is not None
    backend: Any = type(
        "Backend", (), {"is_azure": True, "base_url": f"https://{asked.backend}.openai.azure.com/openai/v1/"}
    )
    return asked.call.address(backend, asked.deployment)


# Where a call goes.


@cells(
    ("path", "settings", "upstream"),
    [
        ("/v1/images/generations", {}, "{}/painter/{}?api-version=2025-04-01-preview"),
        ("/v1/images/generations?api-version=2024-10-21", {}, "{}/painter/{}?api-version=2025-04-01-preview"),
        ("/v1/images/generations", {"MEDIA_API_VERSION": "2024-10-21"}, "{}/painter/{}?api-version=2024-10-21"),
        (f"{AZURE.format('az/b')}?api-version=2024-10-21", {}, "{}/az%2Fb/{}?api-version=2024-10-21"),
        (f"{AZURE.format('b')}?api-version=../x", {}, "{}/b/{}?api-version=2025-04-01-preview"),
        ("/v1/images/generations", V1, "images/generations"),
        ("/v1/images/generations", {"MEDIA_API_VERSION": "preview"}, "images/generations?api-version=preview"),
        (f"{AZURE.format('b')}?api-version=2024-10-21", V1, "images/generations"),
    ],
)
def test_a_call_goes_to_the_deployments_own_address_unless_the_setting_says_v1(
    path: str, settings: dict[str, Any], upstream: str
) -> None:
    received, (asked,) = call(path, IMAGE, whole(PICTURE), **settings)
    assert (received.status, received.body) == (200, PICTURE)
    assert address(asked) == upstream.format(DATED, "images/generations")
    assert asked.json["prompt"] == "a cat"


def test_a_compatible_server_is_called_below_its_own_base_url() -> None:
    settings: dict[str, Any] = {
        "AZURE_OPENAI_BACKENDS": "",
        "OPENAI_BASE_URL": "http://localhost:1/v1",
        "AZURE_OPENAI_MODELS": "ear=whisper",
    }
    received, (asked,) = call("/v1/audio/transcriptions", form(), whole(HEARD), **settings)
    assert received.status == 200
    assert asked.call.address is not None
    backend: Any = type("Backend", (), {"is_azure": False, "base_url": "http://localhost:1/v1/"})
    assert asked.call.address(backend, "whisper") == "audio/transcriptions"
    assert asked.raw == form("whisper")


# Forms.


@cells("file", [FILE, LARGE_FILE], ids=["held", "spooled"])
@cells("after", [True, False])
def test_a_form_goes_up_as_it_came_wherever_its_model_is(file: bytes, *, after: bool) -> None:
    sent = form(file=file, after=after)
    received, (asked,) = call("/v1/audio/transcriptions", sent, whole(HEARD), caller=Caller(pauses_body=[0.1] * 50))
    assert (received.status, received.body, asked.raw) == (200, HEARD, sent)
    assert asked.deployment == "ear"
    assert asked.call.upload is not None
    assert received.receipt["model"] == "ear"
    assert (received.receipt["tokens"], received.receipt["ended"]) == ("unknown", "finished")


ALIASES: dict[str, Any] = {"AZURE_OPENAI_MODELS": "ear=whisper-east,gpt=gpt"}


@cells(
    ("settings", "model", "deployment", "up"),
    [
        ({}, "ear", "whisper-east", "ear"),
        (V1, "ear", "whisper-east", "whisper-east"),
        ({}, None, "gpt", None),
    ],
)
def test_a_forms_model_is_changed_only_where_the_address_does_not_name_the_deployment(
    settings: dict[str, Any], model: str | None, deployment: str, up: str | None
) -> None:
    _, (asked,) = call("/v1/audio/transcriptions", form(model), whole(HEARD), **ALIASES, **settings)
    assert (asked.deployment, asked.raw) == (deployment, form(up))


def test_a_form_without_a_model_gets_one_before_its_first_part_where_it_needs_one() -> None:
    _, (asked,) = call("/v1/audio/translations", form(None), whole(HEARD), **V1)
    assert asked.raw == text_part(BOUNDARY, "model", "gpt") + form(None)


@cells("file", [FILE, LARGE_FILE], ids=["held", "spooled"])
def test_a_form_goes_to_another_account_whole_until_the_first_content(file: bytes) -> None:
    sent = form(file=file)
    for failing in (
        refuses(429, headers={"retry-after": "60"}),
        fails(UpstreamUnreachable),
        Play(body=[UpstreamCut("It broke off.")], headers=JSON),
    ):
        received, asked = call("/v1/audio/transcriptions", sent, {"main": failing, "second": whole(HEARD)})
        assert (received.status, [one.backend for one in asked]) == (200, ["main", "second"])
        assert [one.raw for one in asked] == [sent, sent]


def test_an_error_of_the_callers_own_moves_nothing() -> None:
    received, asked = call("/v1/audio/transcriptions", form(), {"main": refuses(400), "second": whole(HEARD)})
    assert (received.status, len(asked)) == (400, 1)


@cells(
    ("path", "body", "headers", "status", "code"),
    [
        ("audio/transcriptions", b"{}", {}, 415, "unsupported_media_type"),
        ("audio/speech", form(), {}, 415, "unsupported_media_type"),
        ("images/generations", form(), {}, 415, "unsupported_media_type"),
        ("images/edits", b"x", {"content-type": "text/plain"}, 415, "unsupported_media_type"),
        ("images/edits", form(), {"content-encoding": "gzip"}, 415, "unsupported_media_type"),
        ("images/edits", form(), {"content-type": "multipart/form-data"}, 400, "invalid_request"),
        ("images/edits", form()[:-9], {}, 400, "invalid_request"),
        ("images/edits", form(model="m" * 300), {}, 400, "invalid_request"),
        ("images/edits", form(file=FILE * 300), {}, 413, "request_too_large"),
        ("images/generations", b"{nope", {}, 400, "invalid_json"),
        ("images/generations", {"model": 5}, {}, 400, "invalid_request"),
    ],
)
def test_a_bad_request_asks_nobody(path: str, body: object, headers: dict[str, str], status: int, code: str) -> None:
    received, asked = call(f"/v1/{path}", body, whole(HEARD), headers=headers, MAX_UPLOAD_BYTES="100000")
    assert (received.status, received.json["error"]["code"], asked) == (status, code, [])


def test_a_form_of_two_models_is_refused_before_the_rest_of_it_has_come() -> None:
    body = text_part(BOUNDARY, "model", "a") + text_part(BOUNDARY, "model", "b") + LARGE_FILE + END
    received, asked = call("/v1/images/edits", body, whole(PICTURE), caller=Caller(pauses_body=[10.0, 10.0, 10.0]))
    assert (received.status, received.json["error"]["param"], asked) == (400, "model", [])
    assert received.headers["connection"] == "close"
    assert received.ended_at < 1


@cells(
    ("path", "code"),
    [("/v1/images/edits", "model_not_found"), ("/openai/deployments/other/images/edits", "DeploymentNotFound")],
)
def test_a_model_that_is_not_served_is_the_404_of_its_surface(path: str, code: str) -> None:
    received, asked = call(path, form("other"), whole(PICTURE), **ALIASES)
    assert (received.status, received.json["error"]["code"], asked) == (404, code, [])


def test_a_client_that_leaves_while_its_form_goes_up_is_no_answer() -> None:
    caller = Caller(pauses_body=[0.1, 0.1], leaves_in_body=True)
    received, asked = call("/v1/audio/transcriptions", form(file=LARGE_FILE), whole(HEARD), caller=caller)
    assert (received.receipt["ended"], received.status, asked) == ("client_left", 0, [])


def test_a_form_that_stops_arriving_is_a_408() -> None:
    received, _ = call("/v1/audio/transcriptions", form(), whole(HEARD), caller=Caller(pauses_body=[31.0]))
    assert (received.status, received.json["error"]["code"]) == (408, "request_timeout")


def test_a_form_takes_a_place_once_it_has_come() -> None:
    async def scene(app: InProcessApp) -> None:
        slow = app.begin("/v1/images/edits", form(), headers=FORM, caller=Caller(pauses_body=[20.0]))
        first = app.begin("/v1/images/edits", form(), headers=FORM)
        assert (await first.end()).status == 200
        assert (await slow.end()).status == 200

    play(scene, {"main": whole(PICTURE)}, MAX_OPEN_STREAMS="1")


# Answers.

STREAMS = {
    "images/generations": ({**IMAGE, "stream": True}, "image_generation.partial_image", "image_generation.completed"),
    "images/edits": (form("painter", stream="true"), "image_edit.partial_image", "image_edit.completed"),
    "audio/speech": ({**SPEAK, "stream_format": "sse"}, "speech.audio.delta", "speech.audio.done"),
    "audio/transcriptions": (form(stream="True"), "transcript.text.delta", "transcript.text.done"),
}


@cells("path", STREAMS)
def test_a_stream_comes_down_as_it_came_with_a_receipt_and_its_usage(path: str) -> None:
    body, kind, ending = STREAMS[path]
    answer = events(kind, ending=ending)
    received, (asked,) = call(f"/v1/{path}", body, answer)
    assert received.body == b"".join(step for step in answer.body if isinstance(step, bytes))
    assert (received.is_completed, received.headers["content-type"]) == (True, EVENT_STREAM["content-type"])
    assert (asked.call.streams, received.receipt["format"], received.receipt["ended"]) == (True, "stream", "finished")
    assert received.receipt["tokens"] == {"input": 7, "output": 272, "cached": 0, "reasoning": 0}


@cells("path", STREAMS)
def test_a_stream_that_ends_early_ends_in_an_error_event_and_a_cut(path: str) -> None:
    body, kind, _ = STREAMS[path]
    received, _ = call(f"/v1/{path}", body, Play(body=[data({"type": kind}, kind)]))
    assert (received.status, received.is_completed, received.receipt["ended"]) == (200, False, "upstream_cut")
    last = json.loads(received.body.rpartition(b"data: ")[2])
    assert (last["type"], last["error"]["code"]) == ("error", "upstream_cut")


@cells("path", STREAMS)
def test_silence_within_a_stream_carries_heartbeats(path: str) -> None:
    body, kind, ending = STREAMS[path]
    received, _ = call(f"/v1/{path}", body, events(kind, ending=ending, then=[40.0]))
    assert received.body.count(HEARTBEAT) == 2
    assert received.is_completed


@cells("path", STREAMS)
def test_leaving_stops_the_upstream(path: str) -> None:
    body, kind, ending = STREAMS[path]

    async def scene(app: InProcessApp) -> None:
        headers = FORM if isinstance(body, bytes) else {}
        exchange = app.begin(f"/v1/{path}", body, headers=headers, caller=Caller(leaves_at=5.0))
        received = await exchange.end()
        assert received.receipt["ended"] == "client_left"
        assert app.clients.bodies[0].closed_at == pytest.approx(5.0)

    play(scene, {"main": events(kind, ending=ending, then=[100.0])})


def test_silence_before_an_image_commits_and_before_a_transcript_does_not() -> None:
    body, kind, ending = STREAMS["images/generations"]
    late = Play(body=[30.0, *events(kind, ending=ending).body])
    received, _ = call("/v1/images/generations", body, late)
    assert received.head_at == pytest.approx(10.0)
    body, kind, ending = STREAMS["audio/transcriptions"]
    late = Play(body=[30.0, *events(kind, ending=ending).body])
    received, _ = call("/v1/audio/transcriptions", body, late)
    assert received.head_at == pytest.approx(30.0)


def test_a_model_that_ignores_the_stream_answers_with_its_body() -> None:
    late = Play(body=[30.0, HEARD], headers={**JSON, "content-length": str(len(HEARD))})
    received, _ = call("/v1/audio/transcriptions", form(stream="true"), late)
    assert (received.status, received.json["text"], received.is_completed) == (200, "hello", True)
    assert received.headers["content-type"] == "application/json"


SOUND = {"content-type": "audio/mpeg"}


def test_a_sound_comes_down_as_bytes_as_they_come_without_a_heartbeat() -> None:
    received, _ = call("/v1/audio/speech", SPEAK, Play(body=[b"\0one", 20.0, b"two\n"], headers=SOUND))
    assert [block for _, block in received.writes] == [b"\0one", b"two\n"]
    assert (received.headers["content-type"], received.is_completed) == ("audio/mpeg", True)
    assert (received.receipt["ended"], received.receipt["chunks"], received.receipt["tokens"]) == (
        "finished",
        2,
        "unknown",
    )


def test_a_cut_sound_is_a_cut_connection_and_silence_within_it_too() -> None:
    for rest in (UpstreamCut("It broke off."), FOREVER):
        received, _ = call("/v1/audio/speech", SPEAK, Play(body=[b"one", rest], headers=SOUND))
        assert (received.body, received.is_completed) == (b"one", False)


def test_a_transcript_of_silence_is_an_empty_text() -> None:
    empty = Play(body=[], headers={"content-type": "text/plain"})
    received, _ = call("/v1/audio/transcriptions", form(response_format="text"), empty)
    assert (received.status, received.body, received.is_completed) == (200, b"", True)
    received, _ = call("/v1/audio/transcriptions", form(), empty)
    assert received.status == 502


def test_a_limit_before_the_first_content_is_the_callers_to_wait() -> None:
    limited = refuses(429, headers={"retry-after": "30"})
    received, asked = call("/v1/images/edits", form(), {"main": limited, "second": limited})
    assert (received.status, received.headers["retry-after"], len(asked)) == (429, "30", 2)


WHOLE: dict[str, tuple[object, bytes]] = {
    "images/generations": (IMAGE, PICTURE),
    "images/edits": (form("painter"), PICTURE),
    "audio/transcriptions": (form(), HEARD),
}


@cells("path", WHOLE)
def test_json_may_take_long_and_blanks_keep_its_connection(path: str) -> None:
    body, answer = WHOLE[path]
    sized = {**JSON, "content-length": str(len(answer))}
    for late in (Play(body=[answer], headers=sized, seconds_to_headers=500), Play(body=[500.0, answer], headers=sized)):
        received, asked = call(f"/v1/{path}", body, late)
        assert (received.status, received.head_at, received.ended_at, len(asked)) == (200, 200.0, 500.0, 1)
        assert (received.body.lstrip(), received.is_completed) == (answer, True)
        times = [0.0, *(at for at, _ in received.writes)]
        assert max(later - earlier for earlier, later in pairwise(times)) == 200.0
        assert "content-length" not in received.headers


def test_until_its_first_blank_json_keeps_its_status_and_after_it_a_failure_is_a_cut() -> None:
    received, _ = call("/v1/images/generations", IMAGE, refuses(429, seconds_to_headers=199))
    assert (received.status, received.head_at) == (429, 199.0)
    received, _ = call("/v1/images/generations", IMAGE, refuses(429, seconds_to_headers=201))
    assert (received.status, received.body, received.is_completed) == (200, b" ", False)


def test_a_sound_and_a_text_take_no_blanks_and_end_before_the_platform_cuts_them() -> None:
    for path, body in (("speech", SPEAK), ("transcriptions", form(response_format="srt"))):
        received, _ = call(f"/v1/audio/{path}", body, Play(body=[b"x"], headers=SOUND, seconds_to_headers=500))
        assert (received.status, received.ended_at) == (504, 225.0)
