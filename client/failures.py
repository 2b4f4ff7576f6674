"""What can go wrong with an answer, and the exit status that a script gets for it."""

from typing import Any

FINISHED = 0
FAILED = 1
USAGE = 2
INCOMPLETE = 3
UNAUTHORISED = 4
UNREACHABLE = 5
INTERRUPTED = 130
READER_LEFT = 141

EXIT_STATUSES = f"""\
exit status:
  {FINISHED}    the model finished its answer
  {FAILED}    the service refused the request, or the answer failed before its first word
  {USAGE}    wrong use of this program
  {INCOMPLETE}    the answer is incomplete: cut off, or ended by the token limit or the content filter
  {UNAUTHORISED}    no key, or one that may not ask here
  {UNREACHABLE}    no connection to this address
  {INTERRUPTED}  stopped by Ctrl-C
  {READER_LEFT}  the program that read the answer has gone"""


class Failure(Exception):
    """The answer did not come to its end. `code` is for programs, the text for people."""

    exit_status = FAILED
    code = "failed"

    def event(self) -> dict[str, Any]:
        """As the service would have told it inside a stream."""
        return {"type": "failed", "error": {"message": str(self), "code": self.code}}


class Refused(Failure):
    """The service answered with an error status instead of a stream."""

    def __init__(self, status: int, error: dict[str, Any], *, retry_after: str = "") -> None:
        message = str(error.get("message") or f"The service answered with HTTP status {status}.")
        super().__init__(f"{message} (try again in {retry_after} s)" if retry_after else message)
        self.code = str(error.get("code") or status)
        self.exit_status = UNAUTHORISED if status in (401, 403) else FAILED


class Failed(Failure):
    """The stream had begun, and the service told why it could not go on."""

    def __init__(self, error: dict[str, Any], *, has_words: bool) -> None:
        super().__init__(str(error.get("message") or "The answer failed."))
        self.exit_status = INCOMPLETE if has_words else FAILED
        self.code = str(error.get("code") or "failed")


class Cut(Failure):
    """The connection ended before the answer did."""

    exit_status = INCOMPLETE
    code = "cut"


class Unreachable(Failure):
    """No connection at all."""

    exit_status = UNREACHABLE
    code = "unreachable"
