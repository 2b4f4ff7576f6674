"""The one tree of errors: each knows its HTTP status, its stable code and whether another backend could help (`is_retryable`).

Nothing here ever carries the text of an exception, a key, a token or an internal address: messages are written for the
caller. The wire form is OpenAI's error object, https://platform.openai.com/docs/guides/error-codes.
The first sentence of a class's docstring is its row in docs/reference.md (`make reference`).
"""

import math
from collections.abc import Iterable, Mapping
from typing import Self

import msgspec

INVALID_REQUEST = "invalid_request_error"
AUTHENTICATION = "authentication_error"
RATE_LIMIT = "rate_limit_error"
SERVER = "server_error"
UPSTREAM = "upstream_error"

RETRY_HEADERS = ("retry-after", "retry-after-ms")


class ErrorObject(msgspec.Struct, frozen=True):
    """OpenAI's error object, as it is on the wire."""

    message: str
    type: str
    code: str | None
    param: str | None = None


class _Envelope(msgspec.Struct, frozen=True):
    error: ErrorObject


class AnswerError(Exception):
    """A failure that is reported to the caller; the base of every error that leaves the product."""

    status = 500
    code: str | None = "internal_error"
    type = SERVER
    is_about_backend = False
    """Whether it says something of the backend that was asked, and so counts for its cooldown."""

    def __init__(self, message: str, *, param: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        """Keep a message for the caller, the request's field that it is about, and headers for the response."""
        super().__init__(message)
        self.message = message
        self.param = param
        self.headers = dict(headers or {})

    def error_object(self) -> ErrorObject:
        """Return the error as it is on the wire."""
        return ErrorObject(self.message, self.type, self.code, self.param)

    def without_frames(self) -> Self:
        """Return the error without the frames that it passed through, which would keep a request until it is collected."""
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)

    def body(self) -> bytes:
        """Return the JSON body of a response that is nothing but this error."""
        return msgspec.json.encode(_Envelope(self.error_object()))


class BadRequest(AnswerError):
    """The request is not valid; `param` names the field. Nothing was sent upstream."""

    status = 400
    code = "invalid_request"
    type = INVALID_REQUEST


class HeaderNotAllowed(BadRequest):
    """The request has a header that chooses something which is the operator's to choose; `PASS_HEADERS` allows such headers."""

    code = "header_not_allowed"


class InvalidJson(BadRequest):
    """The request's body is not a JSON object in UTF-8."""

    code = "invalid_json"


class RequestTimeout(BadRequest):
    """The request's body stopped arriving, or arrived too slowly."""

    status = 408
    code = "request_timeout"


class UnsupportedMediaType(BadRequest):
    """The request's Content-Type is not the one that its path takes, or its body is compressed."""

    status = 415
    code = "unsupported_media_type"


class RequestTooLarge(BadRequest):
    """The request's body is larger than `MAX_REQUEST_BYTES`, or a form larger than `MAX_UPLOAD_BYTES`."""

    status = 413
    code = "request_too_large"


class NotAcceptable(BadRequest):
    """None of the formats in the request's `Accept` is available."""

    status = 406
    code = "not_acceptable"


class NotFound(BadRequest):
    """No route matches the request's path."""

    status = 404
    code = "not_found"

    @classmethod
    def route(cls, method: str, path: str) -> "NotFound":
        """Return the error about an address that means nothing, with those that do."""
        return cls(f"No route matches {method} {path}. The chat API is at /chat, the OpenAI API under /v1.")

    @classmethod
    def unlisted(cls, method: str, path: str) -> "NotFound":
        """Return the error about a list of all callers' objects."""
        return cls(
            f"{method} {path} is not served: the list would be of all callers' objects, and does not say whose they are."
        )

    @classmethod
    def unserved(cls, method: str, path: str) -> "NotFound":
        """Return the error about an address that OpenAI has, and this service does not."""
        return cls(f"{method} {path} is a part of OpenAI's API that this service does not serve.")


class ModelNotFound(BadRequest):
    """No backend serves the model that the request names."""

    status = 404
    code = "model_not_found"


class DeploymentNotFound(ModelNotFound):
    """No backend serves the deployment that the request names, on Azure's paths, whose clients know it by this code."""

    code = "DeploymentNotFound"


class ResponseNotFound(BadRequest):
    """The stored response does not exist, has been deleted, or is another caller's.

    All of these are one error, in the same words, so that nobody learns which ids exist.
    """

    status = 404
    code = "response_not_found"

    @classmethod
    def named_by(cls, param: str) -> "ResponseNotFound":
        """Return the error about the id that this field or part of the path names."""
        return cls(
            "There is no such response: it never existed, has been deleted, or is another caller's.", param=param
        )


class ObjectNotFound(BadRequest):
    """The file, vector store, conversation or batch does not exist, has been deleted, or is another caller's."""

    status = 404
    code = "object_not_found"

    @classmethod
    def named_by(cls, param: str, kind: str) -> "ObjectNotFound":
        """Return the error about the id that this field or part of the path names. `kind`: what it would name."""
        return cls(f"There is no such {kind}: it never existed, has been deleted, or is another caller's.", param=param)


class BatchNotAllowed(BadRequest):
    """The caller has limits in `CALLER_LIMITS`, against which nothing of a batch could be counted."""

    status = 403
    code = "batch_not_allowed"


class ResumeWindowClosed(BadRequest):
    """The answer can no longer be taken up at a position of this format, only read as a whole."""

    status = 410
    code = "resume_window_closed"


class MethodNotAllowed(BadRequest):
    """The path exists, but not with the request's method."""

    status = 405
    code = "method_not_allowed"

    @classmethod
    def at(cls, method: str, path: str, methods: Iterable[str], *, hint: str = "") -> "MethodNotAllowed":
        """Return the error with the methods that the path has, in the header `allow` too. `hint`: a sentence on what to do."""
        allowed = ", ".join(sorted(methods))
        message = f"Method {method} is not allowed for {path}. Allowed: {allowed}. {hint}"
        return cls(message.rstrip(), headers={"allow": allowed})


class UpgradeRequired(BadRequest):
    """The request opens a WebSocket; the same address is served over HTTP."""

    # RFC 9110 has the header `upgrade` beside the status; it is hop-by-hop, and the Functions host removes it.
    status = 426
    code = "websocket_not_supported"


class Unauthorized(AnswerError):
    """The request has no API key, or an invalid one."""

    status = 401
    code = "invalid_api_key"
    type = AUTHENTICATION


class Misconfigured(AnswerError):
    """A setting is invalid; the message names it and what is allowed, the log says what was found.

    There are two messages, since the value may hold a secret.

    `message` is for callers, who may be anyone: the setting's name and what is allowed, nothing of what was found.

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
        """Keep both messages; without `operator_message` the log gets `message`."""
        super().__init__(message)
        self.operator_message = operator_message or message


class TooManyStreams(AnswerError):
    """`MAX_OPEN_STREAMS` answers are being streamed; `retry-after` says when to try again."""

    status = 503
    code = "too_many_streams"


class CallerLimitExceeded(AnswerError):
    """The caller has used up what `CALLER_LIMITS` allows it now; `retry-after` says when to try again."""

    status = 429
    code: str | None = "caller_limit_exceeded"
    type = RATE_LIMIT


class CallerQuotaExceeded(CallerLimitExceeded):
    """The caller has used up what `CALLER_LIMITS` allows it in a day or a month; trying again soon does not help."""

    code = "insufficient_quota"
    type = "insufficient_quota"


class LimitsUnavailable(AnswerError):
    """The table that holds the callers' limits cannot be asked, and `LIMITS_WHEN_STORE_FAILS` is `closed`."""

    status = 503
    code = "limits_unavailable"


class UsageNotRecorded(NotFound):
    """What callers use is recorded only where `CALLER_LIMITS` or `OPERATORS` is set."""

    code = "usage_not_recorded"


class UsageUnavailable(AnswerError):
    """The table that holds what callers have used cannot be read."""

    status = 503
    code = "usage_unavailable"


class OutOfResources(AnswerError):
    """This process has no file descriptor or memory left for a connection; no backend is to blame."""

    status = 503
    code = "out_of_resources"


class ServerStopping(AnswerError):
    """The process that got the request is stopping."""

    status = 503
    code = "server_stopping"


class FunctionTimeout(AnswerError):
    """The answer took as long as the Functions host lets one take: `functionTimeout` in host.json, less 5 seconds."""

    status = 504
    code = "function_timeout"


class InvocationLost(AnswerError):
    """The Functions host passed the request on to the worker, but no invocation that would answer it."""

    status = 503
    code = "invocation_lost"


class StateUnavailable(AnswerError):
    """The storage of what outlives a process cannot be reached: stored responses cannot be served."""

    status = 503
    code = "state_unavailable"


class SearchUnavailable(AnswerError):
    """The search before the answer failed, and `SEARCH_REQUIRED` is set: no model was asked."""

    status = 502
    code = "search_unavailable"
    type = UPSTREAM


class InternalError(AnswerError):
    """A bug in this app; the log has the cause under the id in the message."""

    @classmethod
    def with_id(cls, request_id: str) -> "InternalError":
        """Return the error with the id under which the log has the cause."""
        return cls(f"Internal error. Quote this id when reporting it: {request_id}.")


RETRYABLE_STATUSES = frozenset({401, 403, 408, 409, 429})
"""Error statuses below 500 that another backend may not share."""
_MIN_SERVER_ERROR_STATUS = 500


class UpstreamFailure(AnswerError):
    """Azure OpenAI reported an error without a code; the status may also be its own 5xx.

    The base of every failure upstream: before the first content another backend may still answer.
    """

    status = 502
    code: str | None = "upstream_failed"
    type = UPSTREAM
    is_about_backend = True
    pause_seconds: float | None = None
    """How many seconds the backend should not be called; None where nothing says so."""
    rank = 2
    """How little the failure explains, among those of several backends: the lowest is reported to the caller."""

    def __init__(
        self, message: str, *, param: str | None = None, headers: Mapping[str, str] | None = None, cause: str = ""
    ) -> None:
        """Keep what the caller gets, and the cause, which is for the log alone."""
        super().__init__(message, param=param, headers=headers)
        self.cause = cause
        """What the log says of it, in words of ours, such as "connection refused"; never for callers."""

    @property
    def is_retryable(self) -> bool:
        """Whether another backend may answer where this one failed."""
        return self.status in RETRYABLE_STATUSES or self.status >= _MIN_SERVER_ERROR_STATUS


class UpstreamUnreachable(UpstreamFailure):
    """The connection to Azure OpenAI failed, or broke before the answer began."""

    code = "upstream_unreachable"
    rank = 3


class UpstreamTimeout(UpstreamFailure):
    """Azure OpenAI did not begin to answer in time."""

    status = 504
    code = "upstream_timeout"


class UpstreamSilent(UpstreamFailure):
    """The answer had begun, then nothing arrived for `UPSTREAM_SILENCE_SECONDS`."""

    status = 504
    code = "upstream_silent"


class UpstreamCut(UpstreamFailure):
    """The answer ended before it was complete."""

    code = "upstream_cut"


class UpstreamMalformed(UpstreamFailure):
    """An event of the answer was not JSON, or not of a known form."""

    code = "upstream_malformed"


class UpstreamFrameTooLarge(UpstreamFailure):
    """An event was larger than `MAX_EVENT_BYTES`, or a non-streaming answer larger than can be buffered."""

    code = "upstream_frame_too_large"


class UpstreamIdentityRefused(UpstreamFailure):
    """Azure OpenAI rejected this app's identity, which lacks a role: the operator's to fix, never the caller's."""

    code = "upstream_identity_refused"
    pause_seconds = 180.0  # a missing role takes minutes to work after it has been assigned
    rank = 4


class IdentityUnavailable(UpstreamFailure):
    """This app could not get a token for its identity: the identity endpoint's fault, no backend's."""

    code = "identity_unavailable"
    is_about_backend = False
    rank = 4


class UpstreamErrorResponse(UpstreamFailure):
    """An HTTP error status or an error event from upstream, which the caller gets as it came.

    `raw_body` and `headers` are the upstream's own, for an API that relays.
    """

    def __init__(  # noqa: PLR0913 - the parts of a response, all named
        self,
        *,
        status: int,
        error: ErrorObject,
        raw_body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        pause_seconds: float | None = None,
        cause: str = "",
    ) -> None:
        """Keep what the upstream sent; `pause_seconds` is its Retry-After."""
        super().__init__(error.message, param=error.param, headers=headers, cause=cause)
        self.status = status
        self.code = error.code
        self.type = error.type
        self.raw_body = raw_body
        self.pause_seconds = pause_seconds
        self.rank = _RANKS.get(status, 1)

    @property
    def is_about_identity(self) -> bool:
        """Whether it rejects this app's identity: the caller sent no upstream key, so it is never the caller's fault."""
        return self.status in (401, 403)

    def with_pause(self, seconds: float) -> "UpstreamErrorResponse":
        """Return the same error with another Retry-After."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in RETRY_HEADERS}
        waits = {"retry-after": str(math.ceil(seconds)), "retry-after-ms": str(int(seconds * 1000))}
        return UpstreamErrorResponse(
            status=self.status,
            error=self.error_object(),
            raw_body=self.raw_body,
            headers={**headers, **waits},
            pause_seconds=seconds,
            cause=self.cause,
        )


_RANKS = {
    429: 0,
    # "I do not have it" is true of all backends only where all have said it.
    400: 5,
    404: 5,
}
