"""OpenAI's own clients make and read images and sounds through the app as they would at the upstream itself."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import openai
import pytest

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.clients.sides import (
    Both,
    Client,
    all_of,
    comparable,
    each,
    elements_and_error,
    entered,
    error_of,
    make_client,
    now,
)
from tests.harness.cells import cells
from tests.worker.sim import ended, sim

SOUND = ("speech.wav", bytes(range(256)) * 9000)
"""2.3 MB, so that it is spooled to a file."""
PICTURE = ("a.png", b"\x89PNG" + bytes(range(256)) * 9000)
HEARD = hashlib.sha256(SOUND[1]).hexdigest()
MODEL = "gpt-5-mini"
ENDLESS: dict[str, Any] = {"tokens": 500, "interval": 0.05}

type Ask = Callable[..., Callable[[Client], Any]]


def generates(**more: Any) -> Callable[[Client], Any]:
    prompt = more.pop("prompt", "a cat")
    return lambda client: client.images.generate(model=MODEL, prompt=prompt, **more)


def edits(**more: Any) -> Callable[[Client], Any]:
    prompt = more.pop("prompt", "a cat")
    return lambda client: client.images.edit(model=MODEL, image=[PICTURE, PICTURE], prompt=prompt, **more)


def transcribes(**more: Any) -> Callable[[Client], Any]:
    return lambda client: client.audio.transcriptions.create(model=MODEL, file=SOUND, **more)


WHOLES: dict[str, Callable[[Client], Any]] = {
    "two images": generates(n=2),
    "an edit of two images": edits(quality="high"),
    "a transcript": transcribes(),
    "a transcript as subtitles": transcribes(response_format="srt"),
    "a verbose transcript": transcribes(response_format="verbose_json", timestamp_granularities=["word", "segment"]),
    "a translation": lambda client: client.audio.translations.create(model=MODEL, file=SOUND),
}
STREAMS: dict[str, Ask] = {
    "generation": lambda **more: generates(stream=True, partial_images=2, **more),
    "edit": lambda **more: edits(stream=True, partial_images=2, **more),
    "transcription": lambda **more: transcribes(stream=True, **more),
}


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # openai's, about translations
@cells("name", WHOLES)
def test_an_answer_is_the_same_as_from_the_upstream_itself(both: Both, name: str) -> None:
    async def case(client: Client) -> Any:
        return await now(WHOLES[name](client))

    if both.is_azure or "image" in name:
        both.same(case)
    else:
        assert both.at_app(case)


@cells("name", STREAMS)
def test_a_stream_is_the_same_as_from_the_upstream_itself(both: Both, name: str) -> None:
    async def case(client: Client) -> Any:
        return [comparable(event) for event in await all_of(STREAMS[name]()(client))]

    events = both.same(case) if both.is_azure or name != "transcription" else both.at_app(case)
    assert events[-1]["type"].endswith((".completed", ".done"))
    assert events[-1]["usage"]["total_tokens"]
    if name == "transcription":
        assert HEARD in events[-1]["text"]


def test_speech_is_the_same_bytes(both: Both) -> None:
    async def case(client: Client) -> Any:
        manager = client.audio.speech.with_streaming_response.create(
            model=MODEL, voice="alloy", input="hello", response_format="wav"
        )
        async with entered(manager) as response:
            return response.headers["content-type"], await now(response.read())

    kind, sound = both.same(case)
    assert (kind, len(sound)) == ("audio/wav", 4800)


def test_speech_as_events_is_the_same_sound(both: Both) -> None:
    async def case(client: Client) -> Any:
        found = await now(client.audio.speech.create(model=MODEL, voice="alloy", input="hello", stream_format="sse"))
        return found.content

    assert both.same(case).count(b"data: ") == 9


@cells("end", ["cut", "eof", "reset"])
@cells("name", ["generation", "edit"])
def test_a_stream_that_breaks_off_raises(both: Both, upstream: Simulator, name: str, end: str) -> None:
    upstream.behave(main={"end": end, "after": 1, "interval": 0.05})

    async def case(client: Client) -> Any:
        return await elements_and_error(await now(STREAMS[name]()(client)))

    found, error = both.at_app(case)
    assert len(found) == 1
    assert isinstance(error, openai.APIError)
    assert error.code == "upstream_cut"


@cells("end", ["cut", "reset"])
def test_a_sound_that_breaks_off_raises(both: Both, upstream: Simulator, end: str) -> None:
    upstream.behave(main={"end": end, "after": 3, "interval": 0.05})
    error = both.at_app(lambda client: error_of_sound(client))
    assert isinstance(error, openai.APIConnectionError), repr(error)


async def error_of_sound(client: Client) -> Any:
    """The exception of a sound that is read to its end."""
    try:
        found = await now(client.audio.speech.create(model=MODEL, voice="alloy", input="hello"))
    except Exception as error:  # of whichever library the client talks through
        return error
    raise AssertionError(f"nothing was raised; got {len(found.content)} bytes")


def test_an_error_within_a_stream_is_the_upstreams_own(both: Both, upstream: Simulator) -> None:
    upstream.behave(main={"in_stream_error": {"at": 1, "code": "moderation_blocked", "message": "Not this."}})

    async def case(client: Client) -> Any:
        return await elements_and_error(await now(generates(stream=True, partial_images=3)(client)))

    found, error = both.at_app(case)
    assert (len(found), error.code, error.message) == (1, "moderation_blocked", "Not this.")


def test_a_refusal_is_the_upstreams_own(both: Both, upstream: Simulator) -> None:
    upstream.behave(main={"status": 400, "error": "content_filter"})
    error = both.at_app(lambda client: error_of(lambda: edits()(client)))
    assert (type(error), error.code) == (openai.BadRequestError, "content_filter")


@pytest.mark.parametrize("name", ["generation", "edit"])
def test_leaving_stops_the_upstream(both: Both, upstream: Simulator, name: str) -> None:
    async def case(client: Client) -> None:
        stream = await now(STREAMS[name](prompt=sim(**ENDLESS))(client))
        async for _ in each(stream):
            break
        await now(stream.close())

    both.at_app(case)
    ended(upstream, "client_gone", seconds=5)


def test_a_picture_comes_in_one_piece_whatever_its_size(app: App, key: str, upstream: Simulator) -> None:
    upstream.behave(main={"event_bytes": 6_000_000, "repeat": True})
    client = make_client("openai", app.url, key)
    made = client.images.generate(model=MODEL, prompt="a cat")
    assert len(made.data[0].b64_json) == 6_000_000
    (last,) = list(client.images.generate(model=MODEL, prompt="a cat", stream=True))
    assert len(last.b64_json) == 6_000_000
    receipts = app.receipts(model=MODEL, count=2)[-2:]
    assert [one["tokens"]["output"] for one in receipts] == [272, 272]


def test_a_name_of_the_apps_own_reaches_its_deployment(mapped: App, key: str, upstream: Simulator) -> None:
    client = make_client("openai", mapped.url, key)
    assert HEARD in client.audio.transcriptions.create(model=MODEL, file=SOUND).text
    (record,) = upstream.requests()
    assert record["path"] == "/openai/deployments/gpt-4o-mini/audio/transcriptions"
    assert record["query"] == "api-version=2025-04-01-preview"


def test_the_api_version_of_an_azure_client_goes_up(app: App, key: str, upstream: Simulator) -> None:
    client = openai.AzureOpenAI(azure_endpoint=app.url, api_key=key, api_version="2024-10-21", max_retries=0)
    assert client.audio.speech.create(model="tts", voice="alloy", input="hi").content
    (record,) = upstream.requests()
    assert (record["path"], record["query"]) == ("/openai/deployments/tts/audio/speech", "api-version=2024-10-21")


def test_an_image_is_a_picture(app: App, key: str, upstream: Simulator) -> None:
    made = make_client("azure", app.url, key).images.generate(model=MODEL, prompt="a cat")
    assert base64.b64decode(made.data[0].b64_json).startswith(b"\x89PNG")


def test_the_responses_api_counts_and_compacts(both: Both) -> None:
    async def counts(client: Client) -> Any:
        return await now(client.responses.input_tokens.count(model=MODEL, input="hello there"))

    async def compacts(client: Client) -> Any:
        compacted = await now(client.responses.compact(model=MODEL, input=[{"role": "user", "content": "hello"}]))
        return [item.type for item in compacted.output], compacted.usage.total_tokens

    assert both.same(counts)["input_tokens"] == 6
    assert both.same(compacts) == [["message", "compaction"], 10]


def test_input_tokens_are_counted_from_a_stored_response_on(app: App, key: str, upstream: Simulator) -> None:
    client = make_client("openai", app.url, key)
    first = client.responses.create(model=MODEL, input="hello")
    counted = client.responses.input_tokens.count(model=MODEL, input="more", previous_response_id=first.id)
    assert counted.input_tokens
    with pytest.raises(openai.NotFoundError):
        client.responses.input_tokens.count(model=MODEL, input="more", previous_response_id=first.id[:-2])
