"""What an upstream error response means: its body, its Retry-After, and the status of an error event. Pure.

Everything that is kept of an error object is bounded here: its code and type go into logs, its message into responses.
"""

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from shared.errors import RATE_LIMIT, UPSTREAM, ErrorObject, UpstreamErrorResponse, UpstreamFailure
from shared.surrogates import replace_surrogates
from shared.upstream.faults import verdict_of

MAX_LABEL_CHARACTERS = 64
"""Of an error's code and type."""
MAX_PARAM_CHARACTERS = 256
MAX_MESSAGE_CHARACTERS = 4096
_MAX_RETRY_AFTER_SECONDS = 3600.0
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]+")
_JSON = re.compile(r"application/([a-z0-9.+-]+\+)?json", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,80}")


def read_error(value: Any, *, fallback: str) -> ErrorObject:
    """Return an upstream's error object, bounded, from any of the shapes seen: nested, flat, or a single text."""
    error = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(error, str) and error:
        return ErrorObject(error[:MAX_MESSAGE_CHARACTERS], UPSTREAM, None)
    if not isinstance(error, dict):
        return ErrorObject(fallback, UPSTREAM, None)
    message = _text(error.get("message"))
    kind, code = _label(error.get("type")), _label(error.get("code"))
    if kind == "error":  # the flat shape carries the event's own type there
        kind = None
    if code is None and kind == "too_many_requests":
        kind, code = RATE_LIMIT, "rate_limit_exceeded"
    param = _text(error.get("param"))[:MAX_PARAM_CHARACTERS] or None
    return ErrorObject(message[:MAX_MESSAGE_CHARACTERS] or fallback, kind or UPSTREAM, code, param)


def _text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return str(value)
    return value if isinstance(value, str) else ""


def _label(value: Any) -> str | None:
    """Return a word that may go into a log: what is printable ASCII of it, up to a length; None where nothing is."""
    return _NOT_PRINTABLE.sub("", _text(value)[:MAX_MESSAGE_CHARACTERS])[:MAX_LABEL_CHARACTERS] or None


def error_from_status(status: int, headers: Mapping[str, str], body: bytes | None) -> UpstreamErrorResponse:
    """Return the failure that a response other than 2xx means. `body`: None where it could not be read."""
    # A redirect, or a status that does not exist, is none of the caller's business: not even its page.
    is_error = 400 <= status <= 599
    value = _decoded(body) if is_error else None
    error = read_error(value, fallback=f"The model's service refused the request with HTTP status {status}.")
    if status == 429 and (error.code or "429") == "429":  # Azure repeats the status as the code
        error = ErrorObject(error.message, RATE_LIMIT, "rate_limit_exceeded", error.param)
    return UpstreamErrorResponse(
        status=status if is_error else 502,
        error=error if status < 500 and is_error else _with_code(error),
        raw_body=body if is_error else None,
        headers=headers,
        pause_seconds=retry_after_seconds(headers),
        cause=f"{status} {media_type(headers)}",
    )


def _decoded(body: bytes | None) -> Any:
    try:
        return msgspec.json.decode(body or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return replace_surrogates(json.loads(body or b""))
    except (ValueError, RecursionError):
        return None


def is_json(content_type: str) -> bool:
    """Return whether a content type is that of JSON, and of nothing else: two that were joined by a comma are not."""
    return "," not in content_type and _JSON.fullmatch(content_type.partition(";")[0].strip()) is not None


def media_type(headers: Mapping[str, str]) -> str:
    """Return the media type in words for the log."""
    found = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not found:
        return "without a content type"
    return found if _MEDIA_TYPE.fullmatch(found) else "with an invalid content type"


def error_from_event(error: ErrorObject) -> UpstreamErrorResponse:
    """Return the failure that an error event inside a 200 means. It carries no status: `faults` says which."""
    verdict = verdict_of(error)
    return UpstreamErrorResponse(
        status=verdict.status,
        error=_with_code(error) if verdict.status >= 500 else error,
        cause="an error event in the stream",
    )


def _with_code(error: ErrorObject) -> ErrorObject:
    return error if error.code else ErrorObject(error.message, error.type, UpstreamFailure.code, error.param)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return `retry-after-ms`, else `retry-after` (seconds or a date), in seconds of at least 0; None for neither."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1000, _MAX_RETRY_AFTER_SECONDS)
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is None and text:
        seconds = _seconds_until(text)
    return None if seconds is None else min(seconds, _MAX_RETRY_AFTER_SECONDS)


def _seconds_until(date: str) -> float | None:
    """Return how far away a date is. An impossible one raises half a dozen exceptions in the standard library."""
    try:
        return max(parsedate_to_datetime(date).timestamp() - time.time(), 0.0)
    except (ValueError, ArithmeticError, OSError, TypeError, LookupError):
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value >= 0 else None
