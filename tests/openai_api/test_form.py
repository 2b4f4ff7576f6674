"""Forms as they arrive: a few fields of them, and a 400 for whatever two parsers could read differently."""

from email.parser import BytesParser
from email.policy import HTTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadRequest
from shared.openai_api.form import MAX_FIELD_BYTES, MAX_PARTS, Field, FormReader, boundary_of, text_part
from tests.harness.cells import cells

BOUNDARY = b"x-y"
FILE = (
    b'--x-y\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b"\x00\r\n--x-\xff\r\n"
)
MODEL = text_part(BOUNDARY, "model", "whisper")
END = b"--x-y--\r\n"


def read(body: bytes, *, size: int = 1 << 20) -> dict[str, Field]:
    reader = FormReader(BOUNDARY, {"model", "stream"})
    for start in range(0, len(body), size):
        reader.feed(body[start : start + size])
    reader.end()
    return reader.fields


@cells("size", [1, 2, 3, 7, 1 << 20])
@cells("parts", [(MODEL, FILE), (FILE, MODEL), (FILE, MODEL, FILE)])
def test_the_model_is_found_before_and_after_the_file_however_the_network_cut_it(
    parts: tuple[bytes, ...], size: int
) -> None:
    body = b"".join(parts) + END
    field = read(body, size=size)["model"]
    assert (field.value, body[field.start : field.end]) == ("whisper", b"whisper")


def test_what_follows_the_closing_boundary_means_nothing() -> None:
    assert read(MODEL + END + MODEL).keys() == {"model"}
    assert read(MODEL + b"--x-y--").keys() == {"model"}


def test_a_field_that_is_not_asked_for_only_passes() -> None:
    prompt = text_part(BOUNDARY, "prompt", "p" * 100_000)
    before = len(prompt + text_part(BOUNDARY, "stream", "")) - len(b"\r\n")
    assert read(prompt + text_part(BOUNDARY, "stream", "") + END) == {"stream": Field("", before, before)}


@cells(
    "head",
    [
        b'content-disposition: FORM-DATA;name=model\r\nContent-Type: text/plain; charset="utf-8"',
        b'Content-Transfer-Encoding: 8bit\r\nContent-Disposition: form-data; name="model"',
        b'Content-Disposition:form-data ; name="model"',
    ],
)
def test_the_usual_ways_to_write_a_field_are_read(head: bytes) -> None:
    assert read(b"--x-y\r\n" + head + b"\r\n\r\ngpt\r\n" + END)["model"].value == "gpt"


def disposition(rest: bytes, value: bytes = b"gpt") -> bytes:
    return b"--x-y\r\nContent-Disposition: form-data" + rest + b"\r\n\r\n" + value + b"\r\n" + END


@cells(
    "body",
    [
        b"",
        b"{}",
        b"\r\n" + MODEL + END,
        MODEL,
        MODEL + FILE,
        MODEL + b"--x-y \r\n",
        MODEL + b"--x-y\n",
        b"--x-y\n" + MODEL[7:] + END,
        MODEL[:-2] + b"\n" + END,
        FILE[:-2] + b"\n" + MODEL + END,
        b"--x-y\r\n\r\nno headers\r\n" + END,
        b"--x-y\r\nContent-Type: text/plain\r\n\r\nno name\r\n" + END,
        b"--x-y\r\nX: " + b"x" * 9000,
        disposition(b""),
        disposition(b"; name"),
        disposition(b'; name="model"; name="other"'),
        disposition(b"; name*=utf-8''model"),
        disposition(b'; name="mod\\el"'),
        disposition(b'; name="model" junk'),
        disposition(b'; name="model"\r\nContent-Disposition: form-data; name="other"'),
        disposition(b';\r\n name="model"'),
        disposition(b'; name="model"\nX: y'),
        disposition(b'; name="other"\rX: y'),
        b'--x-y\r\nContent-Disposition: attachment; name="model"\r\n\r\ngpt\r\n' + END,
        # Of the field itself.
        MODEL + MODEL + END,
        disposition(b'; name="model"; filename="m.txt"'),
        disposition(b'; name="model"\r\nContent-Transfer-Encoding: base64'),
        disposition(b'; name="model"', b"\xff"),
        disposition(b'; name="model"', b"m" * (MAX_FIELD_BYTES + 1)),
        text_part(BOUNDARY, "other", "") * (MAX_PARTS + 1) + END,
    ],
)
@cells("size", [1, 1 << 20])
def test_what_two_parsers_could_read_differently_is_a_400(body: bytes, size: int) -> None:
    with pytest.raises(BadRequest):
        read(body, size=size)


def test_a_file_may_have_the_name_that_browsers_add() -> None:
    rest = b'; name="file"; filename="_.wav"; filename*=UTF-8\'\'%C3%A9.wav'
    assert read(disposition(rest)) == {}


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40)
FILES = st.binary(max_size=400).filter(lambda data: b"--x-y" not in data)


@given(model=TEXTS, files=st.lists(FILES, max_size=3), position=st.integers(0, 3), size=st.integers(1, 64))
def test_the_fields_are_those_that_pythons_own_parser_finds(
    model: str, files: list[bytes], position: int, size: int
) -> None:
    head = b'--x-y\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    parts = [head + data + b"\r\n" for data in files]
    parts.insert(min(position, len(parts)), text_part(BOUNDARY, "model", model))
    body = b"".join(parts) + END
    message = BytesParser(policy=HTTP).parsebytes(b"content-type: multipart/form-data; boundary=x-y\r\n\r\n" + body)
    (found,) = [
        part.get_payload(decode=True)
        for part in message.iter_parts()
        if part.get_param("name", header="content-disposition") == "model"
    ]
    assert read(body, size=size)["model"].value.encode() == found


@cells(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=x-y", b"x-y"),
        ('Multipart/Form-Data; charset=utf-8; Boundary="x-y"', b"x-y"),
        ("application/json", None),
        ("", None),
        ("multipart/mixed; boundary=x", None),
    ],
)
def test_the_boundary_is_that_of_the_content_type(content_type: str, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary


@cells("rest", ["", "; boundary=", "; boundary=a; boundary=b", "; boundary=" + "x" * 71, '; boundary="a b'])
def test_a_form_without_a_valid_boundary_is_a_400(rest: str) -> None:
    with pytest.raises(BadRequest):
        boundary_of("multipart/form-data" + rest)
