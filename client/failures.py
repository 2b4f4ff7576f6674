"""The ways an answer can fail, and the exit status of each."""

from typing import Any

FINISHED = 0
FAILED = 1
USAGE = 2
INCOMPLETE = 3
UNAUTHORISED = 4
UNREACHABLE = 5
INTERRUPTED = 130
BROKEN_PIPE = 141

UNAUTHORISED_STATUS = 401
KEY_HINT = "Give a key with --key or STREAM_KEY: the app's function key, or one of its CALLER_KEYS."
"""The Functions host's own 401 has no body."""

EXIT_STATUSES = f"""\
exit status:
  {FINISHED}    the answer is complete
  {FAILED}    the service returned an error, or the answer failed before any text arrived
  {USAGE}    invalid usage: a bad option, or no question
  {INCOMPLETE}    the answer is incomplete: cut off, or ended by the token limit or the content filter
  {UNAUTHORISED}    the key is missing or not accepted (HTTP 401 or 403)
  {UNREACHABLE}    the service could not be reached
  {INTERRUPTED}  interrupted by Ctrl-C
  {BROKEN_PIPE}  broken pipe: the program reading the output has exited"""


class Failure(Exception):
    """The answer is not complete. `code` is for programs, `str()` of the exception for people."""

    exit_status = FAILED
    code = "failed"

    def event(self) -> dict[str, Any]:
        """Return the failure in the form of the service's own `failed` event."""
        return {"type": "failed", "error": {"message": str(self), "code": self.code}}


class ErrorResponse(Failure):
    """The service returned an error status instead of a stream."""

    def __init__(self, status: int, error: dict[str, Any], *, retry_after: str = "") -> None:
        """Take the HTTP status, OpenAI's error object (may be empty) and the `retry-after` header, in seconds."""
        message = str(error.get("message") or f"The service returned HTTP status {status}.")
        if status == UNAUTHORISED_STATUS:
            message += f" {KEY_HINT}"
        super().__init__(f"{message} (retry in {retry_after} s)" if retry_after else message)
        self.status = status
        self.code = str(error.get("code") or status)
        self.exit_status = UNAUTHORISED if status in (401, 403) else FAILED


class FailedEvent(Failure):
    """The service ended the stream with a `failed` event."""

    def __init__(self, error: dict[str, Any], *, has_text: bool) -> None:
        """Take the event's `error` object, and whether any text of the answer came before it."""
        super().__init__(str(error.get("message") or "The answer failed."))
        self.exit_status = INCOMPLETE if has_text else FAILED
        self.code = str(error.get("code") or "failed")


class Cut(Failure):
    """The connection ended before the answer was complete."""

    exit_status = INCOMPLETE
    code = "cut"


class Unreachable(Failure):
    """No connection could be made."""

    exit_status = UNREACHABLE
    code = "unreachable"
