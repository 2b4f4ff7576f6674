"""Whose fault an error inside a 200 is: the one table of its codes and types, for both APIs. Pure.

Such an event has no status of its own. Codes: `openai.types.responses.ResponseError`, which a test compares with the table, and
what was seen at the service. What is not listed is the upstream's own failure.
"""

import re
from dataclasses import dataclass
from enum import Enum

from shared.errors import ErrorObject


class Fault(Enum):
    """Who has to change something before the request can be answered. `moves`: another backend may answer at once."""

    CALLER = "the caller"
    TOOL = "a server that the caller's request names"
    LIMIT = "a limit of the account"
    UPSTREAM = "the upstream"

    @property
    def moves(self) -> bool:
        """Whether another backend is asked, and this one left alone for a while."""
        return self in (Fault.LIMIT, Fault.UPSTREAM)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whose fault an error is, and the HTTP status that says so."""

    fault: Fault
    status: int


CALLER = Verdict(Fault.CALLER, 400)
TOOL = Verdict(Fault.TOOL, 424)
LIMIT = Verdict(Fault.LIMIT, 429)
OVERLOADED = Verdict(Fault.UPSTREAM, 503)
UPSTREAM = Verdict(Fault.UPSTREAM, 502)

VERDICTS: dict[str, Verdict] = {
    # types that decide whatever the code says: a code beside them may be the HTTP status of somebody else's server
    "external_connector_error": TOOL,
    # the request, what it contains, and what it points at
    "bio_policy": CALLER,
    "content_filter": CALLER,
    "content_policy_violation": CALLER,
    "context_length_exceeded": CALLER,
    "cyber_policy": CALLER,
    "empty_image_file": CALLER,
    "failed_to_download_image": CALLER,
    "image_content_policy_violation": CALLER,
    "image_file_not_found": CALLER,
    "image_file_too_large": CALLER,
    "image_generation_user_error": CALLER,
    "image_parse_error": CALLER,
    "image_too_large": CALLER,
    "image_too_small": CALLER,
    "invalid_base64_image": CALLER,
    "invalid_image": CALLER,
    "invalid_image_format": CALLER,
    "invalid_image_mode": CALLER,
    "invalid_image_url": CALLER,
    "invalid_prompt": CALLER,
    "invalid_request_error": CALLER,
    "misalignment_policy_violation": CALLER,
    "moderation_blocked": CALLER,
    "responsibleaipolicyviolation": CALLER,
    "unsupported_image_media_type": CALLER,
    # limits
    "insufficient_quota": LIMIT,
    "rate_limit_error": LIMIT,
    "rate_limit_exceeded": LIMIT,
    "requests": LIMIT,
    "tokens": LIMIT,
    "too_many_requests": LIMIT,
    # the upstream itself, or what belongs to one account of it
    "data_residency_mismatch": UPSTREAM,
    "server_error": UPSTREAM,
    "server_is_overloaded": OVERLOADED,
    "slow_down": OVERLOADED,
    "vector_store_timeout": UPSTREAM,
}
"""By an error's code or type, in lower case."""

_TYPES_FIRST = frozenset({"external_connector_error"})
_STATUS = re.compile(r"[45][0-9][0-9]")
_IDENTITY_STATUSES = frozenset({401, 403, 407})
"""The app's sign-in was accepted with the head: in an event these say nothing of it, and nothing of the caller's key."""


def verdict_of(error: ErrorObject) -> Verdict:
    """Return whose fault an error event is: by its code, else by its type, else by a code that is an HTTP status."""
    code, kind = (error.code or "").lower(), (error.type or "").lower()
    words = (kind, code) if kind in _TYPES_FIRST else (code, kind)
    found = next((VERDICTS[word] for word in words if word in VERDICTS), None)
    if found is not None:
        return found
    return _by_status(int(code)) if _STATUS.fullmatch(code) else UPSTREAM


def _by_status(status: int) -> Verdict:
    if status in _IDENTITY_STATUSES:
        return UPSTREAM
    if status == 429:
        return Verdict(Fault.LIMIT, status)
    if status in (408, 409) or status >= 500:
        return Verdict(Fault.UPSTREAM, status)
    return Verdict(Fault.CALLER, status)
