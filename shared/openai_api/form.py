"""Reads multipart/form-data as it arrives: a few text fields and where they are, and nothing of the files. Pure.

https://www.rfc-editor.org/rfc/rfc7578, https://www.rfc-editor.org/rfc/rfc2046#section-5.1. It is stricter than these: where
two parsers could read a form differently, which would let a caller name one model here and another upstream, it is a 400.
So a library that reads forms leniently is no help, and none reports where a field's bytes are.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from shared.errors import BadRequest

MAX_PARTS = 512
MAX_PART_HEADER_BYTES = 8 * 1024
MAX_FIELD_BYTES = 1024
"""Of the value of a field that is read."""

_LINE_BREAK = re.compile("[\0\r\n]")
_BOUNDARY = re.compile(r"""[0-9A-Za-z'()+_,./:=?-]{1,70}""")
_PARAMETER = re.compile(rb'\s*;\s*(name|filename)=(?:"([^"\\\r\n]*(?:\\.[^"\\\r\n]*)*)"|([^\s";,]+))', re.IGNORECASE)
_DISPOSITION = re.compile(rb"content-disposition\s*:\s*form-data(?=[\s;])", re.IGNORECASE)
_ENCODING = re.compile(rb"content-transfer-encoding\s*:\s*(?:7bit|8bit|binary)\s*", re.IGNORECASE)
_HEADER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\s*:[^\r\n\0]*")
_LINE_END, _END_OF_HEADERS = b"\r\n", b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Field:
    """The value of a text field, and where its bytes begin and end in the body."""

    value: str
    start: int
    end: int


class _State(Enum):
    DELIMITER = "delimiter"
    HEADERS = "headers"
    DATA = "data"
    EPILOGUE = "epilogue"


class FormReader:
    """One form. `feed` it every piece of the body, then call `end`.

    `names`: the fields to read. Each may occur once, and not as a file.
    """

    def __init__(self, boundary: bytes, names: Collection[str]) -> None:
        """Begin with nothing read."""
        self.fields: dict[str, Field] = {}
        self.boundary = boundary
        self._delimiter = b"--" + boundary
        self._names = {name.encode(): name for name in names}
        self._state = _State.DELIMITER
        self._held = bytearray()
        self._offset = 0
        """Where the first byte of `_held` is in the body."""
        self._parts = 0
        self._name: str | None = None
        """The field whose value is being read; None for one that only passes."""
        self._start = 0
        self._value = bytearray()

    def feed(self, piece: bytes) -> None:
        """Read the next piece. Raise `BadRequest`."""
        if self._state is _State.EPILOGUE:
            return
        self._held += piece
        while self._step():
            pass

    def end(self) -> None:
        """Note that the body is complete. Raise `BadRequest` where the form is not."""
        if self._state is not _State.EPILOGUE:
            raise _malformed("it has no closing boundary")

    def _step(self) -> bool:
        """Read one element; return whether there may be another in what is held."""
        match self._state:
            case _State.DELIMITER:
                return self._read_delimiter()
            case _State.HEADERS:
                return self._read_headers()
            case _State.DATA:
                return self._read_data()
            case _State.EPILOGUE:
                return False

    def _read_delimiter(self) -> bool:
        size = len(self._delimiter)
        if len(self._held) < size + 2:
            return False
        if not self._held.startswith(self._delimiter):
            raise _malformed("it does not begin with its boundary")
        following = self._held[size : size + 2]
        if following == b"--":
            self._state = _State.EPILOGUE
            self._held.clear()
            return False
        if following != _LINE_END:
            raise _malformed("a boundary is not followed by a line end")
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise BadRequest(f"The form has too many parts; expected at most {MAX_PARTS}.")
        self._drop(size + 2)
        self._state = _State.HEADERS
        return True

    def _read_headers(self) -> bool:
        end = self._held.find(_END_OF_HEADERS, 0, MAX_PART_HEADER_BYTES)
        if end < 0:
            if len(self._held) >= MAX_PART_HEADER_BYTES:
                raise _malformed("the headers of a part are too long")
            return False
        self._name = self._read_name(bytes(self._held[:end]))
        self._drop(end + len(_END_OF_HEADERS))
        self._start = self._offset
        self._value.clear()
        self._state = _State.DATA
        return True

    def _read_data(self) -> bool:
        found = self._held.find(self._delimiter)
        # Whatever may be the beginning of a delimiter, with its line end, waits for what follows.
        end = found - len(_LINE_END) if found >= 0 else len(self._held) - len(self._delimiter) - 1
        if found >= 0 and (end < 0 or self._held[end:found] != _LINE_END):
            raise _malformed("its boundary occurs within a part")
        if end > 0:
            self._take(end)
        if found < 0:
            return False
        self._finish()
        self._drop(len(_LINE_END))
        self._state = _State.DELIMITER
        return True

    def _take(self, size: int) -> None:
        """Read and drop so much of the part's data."""
        if self._name is not None:
            self._value += self._held[:size]
            if len(self._value) > MAX_FIELD_BYTES:
                raise BadRequest(
                    f"{self._name!r} is not valid; expected at most {MAX_FIELD_BYTES} bytes.", param=self._name
                )
        self._drop(size)

    def _finish(self) -> None:
        name = self._name
        if name is None:
            return
        if name in self.fields:
            raise BadRequest(f"{name!r} is not valid; expected one field of this name.", param=name)
        try:
            value = self._value.decode()
        except UnicodeDecodeError:
            raise BadRequest(f"{name!r} is not valid; expected text in UTF-8.", param=name) from None
        if _LINE_BREAK.search(value):  # such as a boundary that another parser may see
            raise BadRequest(f"{name!r} is not valid; expected one line of text.", param=name)
        self.fields[name] = Field(value, self._start, self._offset)

    def _read_name(self, headers: bytes) -> str | None:
        """Return the field that these headers introduce, if it is one to be read. Raise `BadRequest`."""
        lines = headers.split(_LINE_END)
        dispositions = [line for line in lines if line.lower().startswith(b"content-disposition")]
        if len(dispositions) != 1 or not all(map(_HEADER.fullmatch, lines)):
            raise _malformed("the headers of a part are not those of a form's field")
        parameters = _parameters(dispositions[0])
        name = self._names.get(parameters.get(b"name", b""))
        if name is None:
            return None
        encodings = [line for line in lines if line.lower().startswith(b"content-transfer-encoding")]
        if b"filename" in parameters or not all(map(_ENCODING.fullmatch, encodings)):
            raise BadRequest(f"{name!r} is not valid; expected a plain text field.", param=name)
        return name

    def _drop(self, size: int) -> None:
        del self._held[:size]
        self._offset += size


def boundary_of(content_type: str) -> bytes | None:
    """Return the boundary of a form's content type, None for any other type. Raise `BadRequest` where a form has none."""
    media_type, *parameters = content_type.split(";")
    if media_type.strip().lower() != "multipart/form-data":
        return None
    named = (parameter.partition("=") for parameter in parameters)
    found = [value.strip() for name, _, value in named if name.strip().lower() == "boundary"]
    boundary = found[0] if len(found) == 1 else ""
    if len(boundary) > 1 and boundary[0] == boundary[-1] == '"':
        boundary = boundary[1:-1]
    if not _BOUNDARY.fullmatch(boundary):
        raise _malformed("its Content-Type has no valid boundary")
    return boundary.encode()


def text_part(boundary: bytes, name: str, value: str) -> bytes:
    """Return a part that sets a text field, to be placed before a form's first boundary."""
    head = f'Content-Disposition: form-data; name="{name}"'.encode()
    return b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, head, value.encode())


def _parameters(disposition: bytes) -> dict[bytes, bytes]:
    """Return the name and the filename. Raise `BadRequest` where another parser could find others."""
    start = _DISPOSITION.match(disposition)
    if start is None:
        raise _malformed("a part is not a form's field")
    found: dict[bytes, bytes] = {}
    position = start.end()
    while match := _PARAMETER.match(disposition, position):
        key = match[1].lower()
        if key in found:
            raise _malformed("a part has two names")
        found[key] = match[2] if match[2] is not None else match[3]
        position = match.end()
    rest = disposition[position:].strip()
    # Browsers and curl may add `filename*`, RFC 5987; a `name*` would be a second name, and an escape another reading of one.
    if b"name" not in found or b"\\" in found[b"name"] or (rest and not _is_extended_filename(rest)):
        raise _malformed("a part's name cannot be read")
    return found


def _is_extended_filename(rest: bytes) -> bool:
    return re.fullmatch(rb";\s*filename\*=[\w!#$%&+^`|~.'-]+", rest, re.IGNORECASE) is not None


def _malformed(why: str) -> BadRequest:
    return BadRequest(f"The body is not a valid multipart/form-data: {why}.")
