"""What an upstream error response means: its body, its Retry-After, and the status of an error event. Pure."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from shared.errors import RATE_LIMIT, UPSTREAM, ErrorObject, UpstreamErrorResponse, UpstreamFailure

_MAX_RETRY_AFTER_SECONDS = 3600.0
_STATUS = re.compile(r"[45][0-9][0-9]")

_STATUS_BY_CODE = {
    "rate_limit_exceeded": 429,
    "too_many_requests": 429,
    "insufficient_quota": 429,
    "tokens": 429,
    "requests": 429,
    "content_filter": 400,
    "context_length_exceeded": 400,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "responsibleaipolicyviolation": 400,
}


def read_error(value: Any, *, fallback: str) -> ErrorObject:
    """An upstream's error object, in any of the shapes seen: nested, flat, or a lone text."""
    error = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(error, str) and error:
        return ErrorObject(error, UPSTREAM, None)
    if not isinstance(error, dict):
        return ErrorObject(fallback, UPSTREAM, None)
    message, kind, code, param = (_text(error.get(name)) for name in ("message", "type", "code", "param"))
    if kind == "error":  # the flat shape carries the event's own type there
        kind = None
    if code is None and kind == "too_many_requests":
        kind, code = RATE_LIMIT, "rate_limit_exceeded"
    return ErrorObject(message or fallback, kind or UPSTREAM, code, param)


def _text(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def error_from_status(status: int, headers: Mapping[str, str], body: bytes | None) -> UpstreamErrorResponse:
    """An answer that is no 2xx. `body`: None where it could not be read."""
    try:
        value = msgspec.json.decode(body or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    error = read_error(value, fallback=f"The model's service refused the request with HTTP status {status}.")
    if status == 429 and (error.code or "429") == "429":  # Azure's own code is the status over again
        error = ErrorObject(error.message, RATE_LIMIT, "rate_limit_exceeded", error.param)
    is_answer = status >= 400  # a redirect, or the like, is none of the caller's business: not even its page
    return UpstreamErrorResponse(
        status=status if is_answer else 502,
        error=error if status < 500 and is_answer else _with_code(error),
        raw_body=body if is_answer else None,
        headers=headers,
        pause_seconds=retry_after_seconds(headers),
    )


def error_from_event(error: ErrorObject) -> UpstreamErrorResponse:
    """An error event inside a 200. It carries no status: the code tells it."""
    words = [word.lower() for word in (error.code, error.type) if word]
    status = next((_STATUS_BY_CODE[word] for word in words if word in _STATUS_BY_CODE), None)
    if status is None and words and _STATUS.fullmatch(words[0]):
        status = int(words[0])
    return UpstreamErrorResponse(status=status or 502, error=error if status else _with_code(error))


def _with_code(error: ErrorObject) -> ErrorObject:
    return error if error.code else ErrorObject(error.message, error.type, UpstreamFailure.code, error.param)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """`retry-after-ms`, else `retry-after` (seconds or a date); None where neither can be read. Never below 0."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1000, _MAX_RETRY_AFTER_SECONDS)
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is None and text:
        try:
            seconds = max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
        except ValueError:
            return None
    return None if seconds is None else min(seconds, _MAX_RETRY_AFTER_SECONDS)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value >= 0 else None
