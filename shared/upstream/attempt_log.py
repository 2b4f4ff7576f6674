"""Whom the app asks, logged at start, and a line for each failed attempt: which backend, at which address, and why."""

import logging

from shared.config.backends import Backend
from shared.config.redaction import base_address
from shared.config.settings import Settings
from shared.errors import UpstreamCut, UpstreamErrorResponse, UpstreamFailure, UpstreamMalformed
from shared.upstream.call import UpstreamCall, UpstreamResponse
from shared.upstream.errors import is_json, media_type
from shared.upstream.sign_in import Rejection, SignIn

_log = logging.getLogger(__name__)

_STREAM = "text/event-stream"
_BASE_PATHS = ("/", "/v1/", "/openai/v1/")
"""What may be the path of a base address without being a secret."""


def log_backends(settings: Settings) -> None:
    """Log whom the app asks, and how it signs in there."""
    asked = ", ".join(
        f"{base_address(backend.base_url, _BASE_PATHS)} (sign-in: {SignIn.of(settings, backend).value})"
        for backend in settings.backends
    )
    _log.info("Asking %s; default model: %s", asked, settings.deployment or "none")


def log_failure(
    backend: Backend, call: UpstreamCall, failure: UpstreamFailure, response: UpstreamResponse | None
) -> None:
    """Log why an attempt failed. `response`: what had come by then.

    Nothing in the line is the upstream's own text but its error code, which `read_error` bounds. It names neither the
    query nor a stored response, whose id is all that it takes to read one.
    """
    path = f"{call.path.partition('/')[0]}/…" if call.target is None else call.path
    _log.warning(
        "Backend %s failed before content: %r (%s) at %s%s%s",
        backend.name,
        failure.code or failure.status,
        _cause(call, failure, response),
        base_address(backend.base_url, _BASE_PATHS),
        path,
        _hint(backend, failure),
    )


def log_rejection(backend: Backend, status: int, rejection: Rejection) -> None:
    """Log that a backend rejected how this app signs in."""
    _log.error("Backend %s answered %d: %s", backend.name, status, rejection.operator_message)


def _cause(call: UpstreamCall, failure: UpstreamFailure, response: UpstreamResponse | None) -> str:
    if response is None:
        return failure.cause or "no response"
    came = f"{response.status} {media_type(response.headers)}"
    if call.streams and isinstance(failure, UpstreamCut | UpstreamMalformed) and not came.endswith(_STREAM):
        return f"{came} is no stream"
    return failure.cause or came


def _hint(backend: Backend, failure: UpstreamFailure) -> str:
    """Return the first guess where a server that is not Azure's knows no such path, which it then says in no JSON."""
    is_guess = isinstance(failure, UpstreamErrorResponse) and failure.status == 404 and not is_explained(failure)
    if backend.is_azure or not is_guess or backend.base_url.endswith("/v1/"):
        return ""
    return ": does OPENAI_BASE_URL end in /v1?"


def is_explained(failure: UpstreamErrorResponse) -> bool:
    """Return whether the upstream said in JSON, or in an event, what is wrong."""
    return failure.raw_body is None or is_json(failure.headers.get("content-type", ""))
