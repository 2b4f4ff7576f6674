"""A new batch: who may make one, and what of its request goes up.

Its requests are the lines of a file, which goes up and comes down unread: no limit, model name or id in them is looked at.
https://learn.microsoft.com/azure/foundry/openai/how-to/batch
"""

import logging

import msgspec

from shared.config.caller_limits import NO_LIMITS, limits_of
from shared.config.settings import Settings
from shared.errors import (
    AnswerError,
    BadRequest,
    BatchNotAllowed,
    IdentityUnavailable,
    UpstreamErrorResponse,
    UpstreamFailure,
    UpstreamIdentityRefused,
)
from shared.http.json_body import decode_value, parse_fields
from shared.openai_api.object_ids import ObjectIds
from shared.state.stored_ids import FILE

_log = logging.getLogger(__name__)

NOT_AGAIN = {"x-should-retry": "false"}
"""Keeps OpenAI's clients from repeating a request by themselves."""
_REFUSED = (UpstreamErrorResponse, IdentityUnavailable, UpstreamIdentityRefused)
_INPUT = "input_file_id"
_BLOBS = frozenset({"input_blob", "output_folder"})
"""Azure's own fields that name blobs, https://learn.microsoft.com/azure/foundry/openai/how-to/batch-blob-storage.

The account reads and writes them with its own identity, which knows no callers.
"""


def check_may_make_batches(settings: Settings, caller: str) -> None:
    """Raise `BatchNotAllowed` for a caller with limits; where those are only tried out, log that it would be."""
    if limits_of(settings.caller_limits, caller) == NO_LIMITS:
        return
    if settings.limits_mode == "shadow":
        _log.info("Would have been refused: caller %s, a batch", caller)
        return
    raise BatchNotAllowed(
        "Batches are not available to callers with limits: the requests of a batch would count against none of them."
    )


def open_new_batch(ids: ObjectIds, body: bytes) -> bytes:
    """Return the body with the account's id of its input file; everything else stays as the caller wrote it.

    Raise `BadRequest` without a file, or with a blob in place of one, and what `ObjectIds.open` raises. Of two fields of one
    name the last counts, and goes up alone.
    """
    fields = parse_fields(body)
    for name in fields:
        meant = name.lower()  # whether the service distinguishes is not documented
        if meant in _BLOBS and decode_value(fields[name]) is not None:
            raise BadRequest(f"'{meant}' is not supported: the input is a file, and so is the output.", param=meant)
        if meant == _INPUT != name:
            raise BadRequest(f"'{_INPUT}' must be written in lower case.", param=_INPUT)
    named = decode_value(fields[_INPUT]) if _INPUT in fields else None
    if not isinstance(named, str):
        raise BadRequest(f"'{_INPUT}' must be the id of a file.", param=_INPUT)
    fields[_INPUT] = msgspec.Raw(msgspec.json.encode(ids.open(FILE, named, param=_INPUT)))
    return msgspec.json.encode(fields)


def may_be_made(error: AnswerError) -> bool:
    """Return whether the account may have made the batch that it said nothing of."""
    return isinstance(error, UpstreamFailure) and not isinstance(error, _REFUSED)
