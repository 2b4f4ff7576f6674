"""The one tree of errors: each knows its HTTP status, its stable code and whether another backend could help (`is_retryable`).

Nothing here ever carries the text of an exception, a key, a token or an internal address: messages are written for the
caller. The wire form is OpenAI's error object, https://platform.openai.com/docs/guides/error-codes.
"""

import math
from collections.abc import Mapping

import msgspec

INVALID_REQUEST = "invalid_request_error"
AUTHENTICATION = "authentication_error"
RATE_LIMIT = "rate_limit_error"
SERVER = "server_error"
UPSTREAM = "upstream_error"

RETRY_HEADERS = ("retry-after", "retry-after-ms")


class ErrorObject(msgspec.Struct, frozen=True):
    """OpenAI's error object, as it stands on the wire."""

    message: str
    type: str
    code: str | None
    param: str | None = None


class _Envelope(msgspec.Struct, frozen=True):
    error: ErrorObject


class AnswerError(Exception):
    """A failure that the caller is told about; the base of every error that leaves the product."""

    status = 500
    code: str | None = "internal_error"
    type = SERVER

    def __init__(self, message: str, *, param: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.headers = dict(headers or {})

    def error_object(self) -> ErrorObject:
        """The error as the wire shows it."""
        return ErrorObject(self.message, self.type, self.code, self.param)

    def body(self) -> bytes:
        """The JSON body of an answer that is nothing but this error."""
        return msgspec.json.encode(_Envelope(self.error_object()))


class BadRequest(AnswerError):
    """The caller's request can't be understood; nothing was sent anywhere."""

    status = 400
    code = "invalid_request"
    type = INVALID_REQUEST


class InvalidJson(BadRequest):
    """The body is not JSON in UTF-8."""

    code = "invalid_json"


class RequestTimeout(BadRequest):
    """The body stopped arriving, or arrives too slowly."""

    status = 408
    code = "request_timeout"


class UnsupportedMediaType(BadRequest):
    """The Content-Type is not JSON."""

    status = 415
    code = "unsupported_media_type"


class RequestTooLarge(BadRequest):
    """The body is larger than MAX_REQUEST_BYTES."""

    status = 413
    code = "request_too_large"


class NotAcceptable(BadRequest):
    """No wire format that the caller accepts exists here."""

    status = 406
    code = "not_acceptable"


class NotFound(BadRequest):
    """No such address."""

    status = 404
    code = "not_found"


class ModelNotFound(BadRequest):
    """No backend serves the model that the caller names."""

    status = 404
    code = "model_not_found"


class DeploymentNotFound(ModelNotFound):
    """The same on Azure's paths, whose clients know it by this code."""

    code = "DeploymentNotFound"


class MethodNotAllowed(BadRequest):
    """The address exists, the method does not."""

    status = 405
    code = "method_not_allowed"


class Unauthorized(AnswerError):
    """The caller brought no key, or a wrong one."""

    status = 401
    code = "invalid_api_key"
    type = AUTHENTICATION


class Misconfigured(AnswerError):
    """A setting is invalid, and every request is answered with that. Two sentences, since a secret may stand in it.

    `message` is for callers, who may be anybody: the setting's name and what is allowed, nothing of what was found.

    `operator_message` is for the log and Application Insights. It adds what was found, as `shared.config.redaction` shows it:

    - a number of at most seven characters, true and false: as they are;
    - a misspelling of an allowed word: as it is;
    - a text that is an address as a whole, without credentials: its scheme and host;
    - a document that is not JSON: the line and column where it stops being JSON;
    - everything else, which may be a key or a password: its kind and its length. Of an unknown field its position.

    Valid settings are not covered. The names of models, backends and callers are published on purpose: in the list of
    models, in `x-backend`, in the receipts.
    """

    status = 503
    code = "misconfigured"

    def __init__(self, message: str, *, operator_message: str | None = None) -> None:
        super().__init__(message)
        self.operator_message = operator_message or message


class TooManyStreams(AnswerError):
    """MAX_OPEN_STREAMS streams are open."""

    status = 503
    code = "too_many_streams"


class ServerStopping(AnswerError):
    """This instance is shutting down."""

    status = 503
    code = "server_stopping"


class FunctionTimeout(AnswerError):
    """The answer is as old as the Functions host lets an invocation become, `functionTimeout` in host.json."""

    status = 504
    code = "function_timeout"


class InvocationLost(AnswerError):
    """The Functions host passed the request on to the worker, but no invocation that would answer it."""

    status = 503
    code = "invocation_lost"


class InternalError(AnswerError):
    """Our own bug. The cause is in the log under the id that the message carries."""

    @classmethod
    def with_id(cls, request_id: str) -> "InternalError":
        """The fixed sentence with the id under which the log tells more."""
        return cls(f"Something went wrong in this service. The log has the cause under the id {request_id}.")


RETRYABLE_STATUSES = frozenset({401, 403, 408, 409, 429})
"""Error statuses below 500 that another backend may not share."""


class UpstreamFailure(AnswerError):
    """Azure OpenAI failed; before the first content another backend may still answer."""

    status = 502
    code: str | None = "upstream_failed"
    type = UPSTREAM
    pause_seconds: float | None = None
    """How long the backend should be left alone; None where nothing says so."""
    rank = 2
    """How little the failure explains, among those of several backends: the lowest one is reported to the caller."""

    @property
    def is_retryable(self) -> bool:
        """Whether another backend may not share the failure."""
        return self.status in RETRYABLE_STATUSES or self.status >= 500


class UpstreamUnreachable(UpstreamFailure):
    """The connection was refused, failed, or broke before the answer began."""

    code = "upstream_unreachable"
    rank = 3


class UpstreamTimeout(UpstreamFailure):
    """No connection, no headers or no content in time."""

    status = 504
    code = "upstream_timeout"


class UpstreamSilent(UpstreamFailure):
    """The answer had begun, then nothing came for UPSTREAM_SILENCE_SECONDS."""

    status = 504
    code = "upstream_silent"


class UpstreamCut(UpstreamFailure):
    """The answer ended without the ending that its format requires."""

    code = "upstream_cut"


class UpstreamMalformed(UpstreamFailure):
    """An event was not JSON."""

    code = "upstream_malformed"


class UpstreamFrameTooLarge(UpstreamFailure):
    """An event was larger than MAX_EVENT_BYTES, or a non-streaming answer larger than can be buffered."""

    code = "upstream_frame_too_large"


class UpstreamIdentityRefused(UpstreamFailure):
    """Azure OpenAI refused this app's identity (401 or 403): never the caller's fault."""

    code = "upstream_identity_refused"
    pause_seconds = 180.0  # a missing role takes minutes to work after it has been assigned
    rank = 4


class IdentityUnavailable(UpstreamFailure):
    """No token could be obtained for this app's identity."""

    code = "identity_unavailable"
    rank = 4


class UpstreamErrorResponse(UpstreamFailure):
    """An HTTP error status or an error event from upstream, which the caller gets as it came.

    `raw_body` and `headers` are the upstream's own, for an API that relays.
    """

    def __init__(
        self,
        *,
        status: int,
        error: ErrorObject,
        raw_body: bytes | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        pause_seconds: float | None = None,
    ) -> None:
        super().__init__(error.message, param=error.param, headers=headers)
        self.status = status
        self.code = error.code
        self.type = error.type
        self.raw_body = raw_body
        self.content_type = content_type
        self.pause_seconds = pause_seconds
        self.rank = _RANKS.get(status, 1)

    @property
    def is_about_identity(self) -> bool:
        """Whether it refuses this app's identity: the caller brought no upstream key, so it is never the caller's fault."""
        return self.status in (401, 403)

    def with_pause(self, seconds: float) -> "UpstreamErrorResponse":
        """Return the same error with another Retry-After."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in RETRY_HEADERS}
        waits = {"retry-after": str(math.ceil(seconds)), "retry-after-ms": str(int(seconds * 1000))}
        return UpstreamErrorResponse(
            status=self.status,
            error=self.error_object(),
            raw_body=self.raw_body,
            content_type=self.content_type,
            headers={**headers, **waits},
            pause_seconds=seconds,
        )


_RANKS = {
    429: 0,
    # "I do not have it" is true of all backends only where all have said it.
    400: 5,
    404: 5,
}
