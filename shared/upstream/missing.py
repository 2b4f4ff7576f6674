"""What says no more than "this account does not have it": the one table of such codes and messages. Pure.

Encrypted reasoning, stored items, files and the like belong to one account, and a new deployment exists on one. Codes and
messages as seen at the service. A deployment's 404 means so only of a backend that does not list its `deployments`.
"""

import re
from dataclasses import dataclass
from enum import Enum

from shared.config.backends import Backend
from shared.errors import INVALID_REQUEST, AnswerError, ErrorObject, UpstreamErrorResponse, UpstreamFailure

ITEM_SECONDS = 0.3
"""After how long an item is asked for again: the account that stored it may not find it for some hundred milliseconds."""
_READ_CHARACTERS = 1024
"""Of a message."""


class Missing(Enum):
    """What an account does not have."""

    ENCRYPTED_CONTENT = "encrypted content"
    ITEM = "item"
    RESPONSE = "response"
    OBJECT = "object"
    DEPLOYMENT = "deployment"


@dataclass(frozen=True, slots=True)
class _Sign:
    """One way to say so: by the error's code, or by a message under one of these codes."""

    missing: Missing
    code: str | None = None
    message: re.Pattern[str] | None = None


_UNCODED = frozenset({None, UpstreamFailure.code, "400", "404", "not_found", "not_found_error", INVALID_REQUEST})
"""The codes under which a message is read; any other one says something else."""
_STATUSES = frozenset({400, 404})


def _is_event(failure: UpstreamErrorResponse) -> bool:
    """Return whether this was an error event without a known code: a response with that status has a body."""
    return failure.status == UpstreamFailure.status and failure.raw_body is None


def _message(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_SIGNS = (
    _Sign(Missing.ENCRYPTED_CONTENT, code="invalid_encrypted_content"),
    _Sign(
        Missing.ENCRYPTED_CONTENT, message=_message(r"encrypted content\b.* could not be (verified|decrypted|parsed)")
    ),
    _Sign(Missing.RESPONSE, code="previous_response_not_found"),
    _Sign(Missing.RESPONSE, message=_message(r"(previous )?response with id \S+ not found")),
    _Sign(Missing.ITEM, message=_message(r"item with id \S+ not found")),
    _Sign(
        Missing.OBJECT,
        message=_message(
            r"(file|vector store|container|conversation|prompt)s?( (with )?(id|ids))?:? \S+( on container \S+)? "
            r"(was |were |could )?not( be)? found"
        ),
    ),
    _Sign(Missing.OBJECT, message=_message(r"no such file object|no file found with id")),
    _Sign(Missing.DEPLOYMENT, code="DeploymentNotFound"),
)


class MissingHere(UpstreamErrorResponse):
    """One account does not have what the request names; another may."""

    def __init__(self, missing: Missing, said: UpstreamErrorResponse) -> None:
        """Keep what the account said, as an error about the request: an error event has no status of its own."""
        error = said.error_object()
        code = None if error.code == UpstreamFailure.code else error.code
        super().__init__(
            status=400 if _is_event(said) else said.status,
            error=ErrorObject(error.message, error.type, code, error.param),
            raw_body=said.raw_body,
            headers=said.headers,
            cause=said.cause,
        )
        self.missing = missing


def missing_here(failure: AnswerError, backend: Backend) -> MissingHere | None:
    """Return what the backend says that it does not have, or None where the failure says anything else."""
    if not isinstance(failure, UpstreamErrorResponse):
        return None
    if failure.status not in _STATUSES and not _is_event(failure):
        return None
    missing = next((sign.missing for sign in _SIGNS if _says(failure, sign)), None)
    if missing is None or (missing is Missing.DEPLOYMENT and backend.deployments):
        return None
    return MissingHere(missing, failure)


def _says(failure: UpstreamErrorResponse, sign: _Sign) -> bool:
    if sign.message is None:
        return failure.code == sign.code
    return failure.code in _UNCODED and sign.message.search(failure.message[:_READ_CHARACTERS]) is not None
