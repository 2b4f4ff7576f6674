"""Header values that every hop accepts, of requests and of responses. Pure.

Measured on the Functions host: a response with a control byte, DEL or a character outside ASCII in a header value becomes
a 500 with an empty body, and a head over 64 KB never arrives. uvicorn refuses such bytes after it has marked the response
as started. So a paid answer would be lost for a header that nobody reads.
"""

import re
from collections.abc import Mapping

MAX_VALUE_CHARACTERS = 2048
MAX_HEADERS = 64
MAX_HEAD_CHARACTERS = 32 * 1024

_NOT_ALLOWED = re.compile(r"[^\t\x20-\x7e]+")
# https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_LENGTH = re.compile(r"[0-9]{1,18}")


def clean_value(value: str) -> str:
    """Return the value without control bytes, DEL and characters outside ASCII, and without blanks around it."""
    if not (value.isascii() and value.isprintable()):
        value = _NOT_ALLOWED.sub("", value)
    return value.strip(" \t")


def clean_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that may leave, in their order, with clean values.

    Left out: a value longer than `MAX_VALUE_CHARACTERS` or with nothing left of it, a `content-length` that is no number,
    and what comes after `MAX_HEADERS` headers or `MAX_HEAD_CHARACTERS`.
    """
    kept: dict[str, str] = {}
    left = MAX_HEAD_CHARACTERS
    for name, value in headers.items():
        cleaned = clean_value(value)
        if not _may_leave(name, cleaned) or (value and not cleaned):
            continue
        left -= len(name) + len(cleaned) + len(": \r\n")
        if left < 0 or len(kept) == MAX_HEADERS:
            break
        kept[name] = cleaned
    return kept


def _may_leave(name: str, value: str) -> bool:
    if name.lower() == "content-length" and not _LENGTH.fullmatch(value):
        return False
    return len(value) <= MAX_VALUE_CHARACTERS and _NAME.fullmatch(name) is not None
