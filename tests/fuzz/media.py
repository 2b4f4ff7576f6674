"""Hostile requests for images, sounds and files, in JSON and as forms, and upstreams that answer them with accidents."""

from random import Random
from typing import Any

from tests.fuzz.case import Asked, Case, Headers, Pause, Step, text
from tests.fuzz.odd import TEXTS, cut, damaged, mutated, written
from tests.fuzz.setups import CALLER_KEY, PROMPT, SETUPS
from tests.fuzz.upstreams import make_reply, media_reply

IMAGE = {"model": "m", "prompt": PROMPT}
JSON_BODIES: dict[str, tuple[dict[str, Any], ...]] = {
    "images/generations": (IMAGE, {**IMAGE, "stream": True}, {**IMAGE, "n": 2, "stream": True, "partial_images": 1}),
    "images/edits": ({**IMAGE, "images": [{"file_id": "file-1"}]},),
    "audio/speech": (
        {"model": "m", "input": PROMPT, "voice": "alloy"},
        {"model": "gpt", "input": PROMPT, "voice": "alloy", "stream_format": "sse"},
    ),
    "vector_stores": ({"name": PROMPT}, {"file_ids": ["file-1"], "metadata": {"id": "file-1"}}),
    "vector_stores/vs_1/files": ({"file_id": "file-1", "attributes": {"a": 1}},),
    "vector_stores/vs_1/search": ({"query": PROMPT},),
    "conversations": ({}, {"items": [{"role": "user", "content": PROMPT}]}),
    "conversations/conv_1/items": ({"items": []},),
    "batches": (
        {"input_file_id": "file-1", "endpoint": "/v1/responses"},
        {"input_blob": "https://b/x", "metadata": {}},
    ),
    "batches/batch_1/cancel": ({},),
}
FORMS: dict[str, tuple[dict[str, str], ...]] = {
    "images/edits": ({"model": "m", "prompt": PROMPT}, {"model": "m", "prompt": PROMPT, "stream": "true", "n": "1"}),
    "audio/transcriptions": ({"model": "m"}, {"model": "m", "stream": "true"}, {"response_format": "text"}),
    "audio/translations": ({"model": "m"},),
    "files": ({"purpose": "user_data"},),
}
READ = (
    "files",
    "files/file-1",
    "files/file-1/content",
    "vector_stores",
    "vector_stores/vs_1",
    "conversations/conv_1/items",
    "batches",
    "batches/batch_1",
)
PREFIXES = ("/v1/", "/v1/", "/openai/v1/", "/openai/")
BOUNDARIES = ("x-y", "----WebKitFormBoundary7MA4YWxkTrZu0gW", "a" * 70, '"x y"')
ODD_TYPES = (
    "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "b" * 71,
    "multipart/form-data; boundary=x-y; boundary=z", "multipart/mixed; boundary=x-y", "application/x-www-form-urlencoded",
    "MULTIPART/FORM-DATA; BOUNDARY=x-y", "multipart/form-data; boundary=x\xe9",
)  # fmt: skip
ODD_PARTS = (
    b'Content-Disposition: form-data; name="model"', b'content-disposition: form-data; name="model"; filename="m"',
    b'Content-Disposition: form-data; name="mo\\"del"', b"Content-Disposition: form-data; name=model; name=other",
    b"Content-Disposition: form-data", b"", b"X: 1", b'Content-Disposition: form-data; name="stream"\r\nX: ' + b"y" * 9000,
    b'Content-Disposition: form-data; name="n"\r\nContent-Transfer-Encoding: base64', b"Content-Disposition: attachment",
    b'Content-Disposition: form-data; name="model"\nX: y', b'Content-Disposition: form-data; name="\xff"',
    b'Content-Disposition: form-data; name="file"; filename*=UTF-8\'\'a%20b', b'Content-Disposition : form-data; name="model"',
)  # fmt: skip


def make_media(dice: Random) -> Case:
    """Return a case of the surface `media`."""
    setup = dice.choice(list(SETUPS))
    asked = _form(dice) if dice.random() < 0.5 else _json(dice)
    is_good = dice.random() < 0.3
    replies = [
        media_reply(asked.path, dice) if is_good else make_reply(asked.path, setup, dice)
        for _ in range(dice.choice((1, 1, 2)))
    ]
    endless = any(reply.end.how == "endless" for reply in replies)
    leaves = 300.0 if endless else dice.choice((0.0, 0.01, 0.5, 30.0)) if dice.random() < 0.1 else None
    asked = Asked(
        method=asked.method,
        path=asked.path,
        headers=asked.headers,
        body=asked.body,
        is_chunked=dice.random() < 0.3,
        leaves_after_seconds=leaves,
        leaves_after_bytes=dice.choice((1, 5000, 300_000)) if endless else None,
        seconds_per_block=dice.choice((0.0, 0.0, 0.0, 0.2)),
    )
    env = {"OPENAI_STATEFUL": "on"} if dice.random() < 0.5 else {}
    if dice.random() < 0.1:
        env["MAX_UPLOAD_BYTES"] = "2000"
    return Case(surface="media", setup=setup, env=env, asked=asked, replies=replies)


def _json(dice: Random) -> Asked:
    if dice.random() < 0.15:
        path = dice.choice(PREFIXES) + dice.choice(READ)
        return Asked(method=dice.choice(("GET", "DELETE", "HEAD")), path=path, headers=[("api-key", CALLER_KEY)])
    path = dice.choice(list(JSON_BODIES))
    body: Any = dice.choice(JSON_BODIES[path])
    for _ in range(dice.randrange(3)):
        body = mutated(body, dice, names=("model", "n", "stream", "file_ids", "file_id", "files", "input_file_id"))
    data = written(body, dice)
    if dice.random() < 0.15:
        data = damaged(data, dice)
    headers: Headers = [("content-type", "application/json"), ("api-key", CALLER_KEY)]
    return Asked(path=dice.choice(PREFIXES) + path, headers=headers, body=_pieces(data, dice))


def _form(dice: Random) -> Asked:
    path = dice.choice(list(FORMS))
    boundary = dice.choice(BOUNDARIES)
    delimiter = b"--" + boundary.strip('"').encode()
    parts = [
        b'Content-Disposition: form-data; name="%b"\r\n\r\n%b' % (name.encode(), value.encode())
        for name, value in dice.choice(FORMS[path]).items()
    ]
    content = dice.choice((b"", b"RIFF\0\0", delimiter[:-1] * 3, b"\r\n" + delimiter[:3], bytes(range(256)) * 40))
    head = b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    parts.insert(dice.randrange(len(parts) + 1), head + content)
    for _ in range(dice.choice((0, 0, 1, 2))):
        _spoil(parts, dice)
    data = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--\r\n"
    if dice.random() < 0.2:
        data = damaged(data, dice)
    kind = dice.choice(ODD_TYPES) if dice.random() < 0.1 else f"multipart/form-data; boundary={boundary}"
    headers: Headers = [("content-type", kind), ("api-key", CALLER_KEY)]
    return Asked(path=dice.choice(PREFIXES) + path, headers=headers, body=_pieces(data, dice))


def _spoil(parts: list[bytes], dice: Random) -> None:
    at = dice.randrange(len(parts))
    roll = dice.random()
    if roll < 0.3:
        parts.insert(at, dice.choice(ODD_PARTS) + b"\r\n\r\nm")
    elif roll < 0.5:
        parts.insert(at, parts[at])
    elif roll < 0.7:
        value = dice.choice(TEXTS).encode("utf-8", "surrogatepass")
        parts[at] = parts[at].partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + value
    elif roll < 0.8:
        parts[at:at] = [parts[at]] * dice.choice((100, 1100))
    else:
        parts[at] = parts[at].replace(b"\r\n", b"\n", 1)


def _pieces(data: bytes, dice: Random) -> list[Step]:
    pieces: list[Step] = []
    for piece in cut(data, dice) if dice.random() < 0.5 else [data]:
        pieces.append(text(piece))
        if dice.random() < 0.1:
            pieces.append(Pause(dice.choice((0.0, 0.01, 1.0))))
    return pieces
