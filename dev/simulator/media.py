"""Images and audio, in the formats of https://platform.openai.com/docs/api-reference/images and …/audio.

An image is a square of one colour, a sound is noise, and what is heard in a file is its name, its size and its digest.
"""

import base64
import hashlib
import struct
import time
import zlib
from collections.abc import Iterator

import msgspec

from dev.simulator.behaviour import InStreamError, Oddity
from dev.simulator.call import Call, Json
from dev.simulator.script import Frame, sse
from dev.simulator.words import pieces

encode = msgspec.json.encode
SOUND_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
SOUND_PIECES = 8
SOUND_PIECE_BYTES = 600
TEXT_FORMATS = ("text", "srt", "vtt")
WHISPER = "whisper"
"""Models whose name begins with it ignore that a stream was asked for."""


class MediaStream:
    """What the streams of events have in common; see `script.Dialect`."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def opening(self) -> Iterator[Frame]:
        return iter(())

    def content(self) -> Iterator[Frame]:
        raise NotImplementedError

    def closing(self) -> Iterator[Frame]:
        raise NotImplementedError

    def empty(self) -> Frame:
        return self._event("keepalive", {})

    def says(self, literal: bytes) -> Frame:
        return Frame(sse(b'{"type":"simulated.piece","text":%b}' % literal, "simulated.piece"), tokens=1)

    def odd(self, kind: Oddity) -> Frame | None:
        return self._event("simulated.unknown", {"sparkle": True}) if kind == "unknown_event" else None

    def keepalive(self) -> Frame | None:
        return self.empty()

    def error(self, error: InStreamError) -> Iterator[Frame]:
        inside: Json = {"message": error.message, "type": error.type, "param": None, "code": error.code}
        yield self._event("error", {"error": inside} if error.shape == "nested" else inside | {"type": "error"})

    def size(self) -> int:
        return sum(frame.tokens for frame in self.content())

    def whole(self) -> dict[str, object]:
        raise NotImplementedError

    def _event(self, kind: str, fields: Json, *, tokens: int = 0, closing: bool = False) -> Frame:
        return Frame(sse(encode({"type": kind, **fields}), kind), tokens, closing)


class Images(MediaStream):
    """Generations, and edits."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._kind = "image_generation" if call.operation == "generations" else "image_edit"
        self._count = call.body.get("n") or 1
        tokens = call.behaviour.tokens
        self._partial = tokens if isinstance(tokens, int) else call.body.get("partial_images") or 0
        options = ("background", "output_format", "quality", "size")
        usual = dict(zip(options, ("opaque", "png", "low", "1024x1024"), strict=True))
        self._options = {name: call.body.get(name) or usual[name] for name in options}

    def content(self) -> Iterator[Frame]:
        for index in range(self._partial):
            fields = {"partial_image_index": index, **self._image(f"partial {index}")}
            yield self._event(f"{self._kind}.partial_image", fields, tokens=1)

    def closing(self) -> Iterator[Frame]:
        for index in range(self._count):
            fields = {**self._image(str(index)), **self._usage(1)}
            yield self._event(f"{self._kind}.completed", fields, closing=True)

    def whole(self) -> dict[str, object]:
        data = [{"b64_json": self._image(str(index))["b64_json"]} for index in range(self._count)]
        return {"created": int(time.time()), "data": data, **self._options, **self._usage(self._count)}

    def _image(self, seed: str) -> Json:
        text = base64.b64encode(png(self._call.prompt + seed)).decode()
        return {"b64_json": text.ljust(self._call.behaviour.event_bytes or 0, "A"), "created_at": 1, **self._options}

    def _usage(self, images: int) -> Json:
        if self._call.behaviour.usage is False:
            return {}
        details = {"image_tokens": 0, "text_tokens": 7}
        usage = {"input_tokens": 7, "input_tokens_details": details, "output_tokens": 272 * images}
        return {"usage": usage | {"total_tokens": 7 + 272 * images}}


class Transcript(MediaStream):
    """Transcriptions, and translations."""

    @property
    def text(self) -> str:
        if self._call.behaviour.text is not None:
            return self._call.behaviour.text
        file = self._call.body["file"]
        return f"I heard {file['filename']} of {file['bytes']} bytes {file['sha256']}."

    def content(self) -> Iterator[Frame]:
        for piece in pieces(self.text):
            yield self._event("transcript.text.delta", {"delta": piece}, tokens=1)

    def closing(self) -> Iterator[Frame]:
        yield self._event("transcript.text.done", {"text": self.text, **self._usage()}, closing=True)

    def whole(self) -> dict[str, object]:
        if self._call.operation == "translations":
            return {"text": self.text}
        if self._call.body.get("response_format") == "verbose_json":
            seconds: Json = {"usage": {"type": "duration", "seconds": 3}}
            return {"task": "transcribe", "language": "english", "duration": 3.0, "text": self.text, **seconds}
        return {"text": self.text, **self._usage()}

    def _usage(self) -> Json:
        if self._call.behaviour.usage is False:
            return {}
        if self._call.deployment.startswith(WHISPER):
            return {"usage": {"type": "duration", "seconds": 3}}
        usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}
        return {"usage": usage | {"input_token_details": {"audio_tokens": 14, "text_tokens": 0}}}


class Speech(MediaStream):
    """A sound as events."""

    def content(self) -> Iterator[Frame]:
        for piece in sound(self._call):
            yield self._event("speech.audio.delta", {"audio": base64.b64encode(piece).decode()}, tokens=1)

    def closing(self) -> Iterator[Frame]:
        usage = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
        told = {} if self._call.behaviour.usage is False else {"usage": usage}
        yield self._event("speech.audio.done", told, closing=True)


class Sound(MediaStream):
    """A sound as its bytes."""

    def content(self) -> Iterator[Frame]:
        for piece in sound(self._call):
            yield Frame(piece, tokens=1)

    def closing(self) -> Iterator[Frame]:
        return iter(())

    def error(self, error: InStreamError) -> Iterator[Frame]:  # noqa: ARG002 - the interface has it
        return iter(())


def media_stream(call: Call) -> MediaStream:
    match call.operation:
        case "generations" | "edits":
            return Images(call)
        case "speech":
            return Speech(call) if call.body.get("stream_format") == "sse" else Sound(call)
        case _:
            return Transcript(call)


def streams(call: Call) -> bool:
    if call.operation == "speech":
        return True
    ignores = call.operation == "transcriptions" and call.deployment.startswith(WHISPER)
    return call.body.get("stream") is True and not ignores


def sound(call: Call) -> list[bytes]:
    count = call.behaviour.tokens if isinstance(call.behaviour.tokens, int) else SOUND_PIECES
    return [hashlib.shake_256(f"{call.prompt}{index}".encode()).digest(SOUND_PIECE_BYTES) for index in range(count)]


def png(seed: str) -> bytes:
    """Return a square of 8 by 8 pixels, https://www.w3.org/TR/png-3/."""
    colour = hashlib.sha256(seed.encode()).digest()[:3]
    rows = b"".join(b"\0" + colour * 8 for _ in range(8))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
