"""The simulated images and audio as OpenAI's own client sees them, and where Azure has them."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AzureOpenAI, OpenAI

from dev.simulator.control import Simulator
from dev.simulator.media import png

KEY = "a-key"
SOUND = ("speech.wav", bytes(range(256)) * 40)
HEARD = f"I heard speech.wav of 10240 bytes {hashlib.sha256(SOUND[1]).hexdigest()}."


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator.start(key=KEY) as simulator:
        yield simulator


@pytest.fixture(params=["azure", "plain"])
def client(request: pytest.FixtureRequest, simulator: Simulator) -> Iterator[OpenAI]:
    endpoint = simulator.backends["main"]
    made: OpenAI
    if request.param == "azure":
        made = AzureOpenAI(azure_endpoint=endpoint, api_key=KEY, api_version="2025-04-01-preview", max_retries=0)
    else:
        made = OpenAI(base_url=f"{endpoint}/v1", api_key=KEY, max_retries=0)
    with made:
        yield made


def test_an_image_is_a_picture_with_its_usage(client: OpenAI) -> None:
    made = client.images.generate(model="gpt-image-1", prompt="a cat", n=2)
    assert made.data is not None
    assert made.usage is not None
    first, second = (base64.b64decode(one.b64_json or "") for one in made.data)
    assert first == png("a cat0") != second
    assert made.usage.total_tokens == 7 + 2 * 272


def test_a_stream_of_images_has_partial_ones_and_ends_with_the_complete_one(client: OpenAI) -> None:
    stream = client.images.generate(model="gpt-image-1", prompt="a cat", stream=True, partial_images=2)
    assert [event.type for event in stream] == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    edits = client.images.edit(model="gpt-image-1", image=("a.png", png("a")), prompt="a dog", stream=True)
    assert [event.type for event in edits] == ["image_edit.completed"]


def test_a_file_is_heard_byte_for_byte(client: OpenAI) -> None:
    assert client.audio.transcriptions.create(model="gpt-4o-transcribe", file=SOUND).text == HEARD
    assert client.audio.transcriptions.create(model="whisper", file=SOUND, response_format="text") == HEARD + "\n"
    verbose = client.audio.transcriptions.create(model="whisper", file=SOUND, response_format="verbose_json")
    assert (verbose.text, verbose.usage.seconds if verbose.usage else 0) == (HEARD, 3)


def test_a_transcript_is_streamed_but_for_the_model_that_ignores_it(client: OpenAI) -> None:
    events: list[Any] = list(client.audio.transcriptions.create(model="gpt-4o-transcribe", file=SOUND, stream=True))
    assert "".join(event.delta for event in events[:-1]) == events[-1].text == HEARD
    raw = client.audio.transcriptions.with_raw_response.create(model="whisper", file=SOUND, stream=True)
    assert raw.headers["content-type"] == "application/json"


def test_speech_is_bytes_or_events(client: OpenAI) -> None:
    sound = client.audio.speech.create(model="tts", voice="alloy", input="hi", response_format="wav")
    assert (len(sound.content), sound.response.headers["content-type"]) == (4800, "audio/wav")
    events = client.audio.speech.create(model="tts", voice="alloy", input="hi", stream_format="sse").content
    assert events.count(b"event: speech.audio.delta") == 8
    assert events.rpartition(b"event: ")[2].startswith(b"speech.audio.done")


def test_transcriptions_have_no_deployments_below_the_v1_address_of_azure(simulator: Simulator) -> None:
    with OpenAI(base_url=simulator.base_url(), api_key=KEY, max_retries=0) as client:
        with pytest.raises(openai.NotFoundError) as caught:
            client.audio.transcriptions.create(model="whisper", file=SOUND)
        assert caught.value.code == "DeploymentNotFound"
        assert client.images.generate(model="gpt-image-1", prompt="a cat").data


def test_an_unknown_parameter_of_a_form_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(model="m", image=("a.png", b"x"), prompt="p", extra_body={"sparkle": "3"})
    assert caught.value.param == "sparkle"


def test_the_responses_api_counts_and_compacts(simulator: Simulator) -> None:
    with OpenAI(base_url=simulator.base_url(), api_key=KEY, max_retries=0) as client:
        assert client.responses.input_tokens.count(model="gpt", input="hello").input_tokens == 5
        compacted = client.responses.compact(model="gpt", input=[{"role": "user", "content": "hello"}])
        assert [item.type for item in compacted.output] == ["message", "compaction"]
