"""What may never come out of a case, as a list of rules over what was seen. Each rule yields what breaks it, in a few words."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from shared import errors
from tests.fuzz.case import Case, joined
from tests.fuzz.endings import ending_of
from tests.fuzz.seen import MOST_LOG_CHARACTERS, Seen
from tests.fuzz.setups import NOT_DOWN, NOT_IN_LOG, SETUPS

REAL = ("wire", "identity", "worker")
"""Surfaces whose upstream's bytes are not known one by one."""
UNHEALTHY = b'{"status":"unavailable"}'
MOST_BLOCKED_SECONDS = 1.0
MOST_SECONDS_AFTER_LEAVING = 1.0
MOST_HEADER_BYTES = 64 * 1024
"""Of all headers of a response together."""
LARGEST_CHECKED_BYTES = 1024 * 1024
CAP = 500
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AnswerError)]
OWN = {kind.code: kind.status for kind in _KINDS if kind not in (errors.UpstreamErrorResponse, errors.InternalError)}
"""The codes of this app's own errors, with their statuses."""
del OWN["internal_error"]

type Rule = Callable[[Case, Seen], Iterator[str]]


def problems_of(case: Case, seen: Seen) -> list[str]:
    """Return everything that is wrong with it."""
    return [*seen.problems, *(found for rule in RULES for found in rule(case, seen))]


def _life(_case: Case, seen: Seen) -> Iterator[str]:
    if seen.longest_block > MOST_BLOCKED_SECONDS:
        yield f"the loop was blocked for {seen.longest_block:.1f} s"
    if seen.seconds_after_leaving > MOST_SECONDS_AFTER_LEAVING:
        yield f"it went on for {seen.seconds_after_leaving:.1f} s after its client had left"
    if not seen.status and not seen.has_left:
        yield "nothing was sent"
    if any(not opened.is_closed for opened in seen.opened):
        yield "an upstream's body stays open"


def _log(case: Case, seen: Seen) -> Iterator[str]:
    for record in seen.records:
        told = record.getMessage()
        if record.exc_info:
            yield f"a traceback in the log: {record.exc_info[1]!r}"[:200]
        if _CONTROL.search(told):
            yield f"a control character in the log: {told!r}"[:200]
        if len(told) > MOST_LOG_CHARACTERS:
            yield f"a log record of {len(told)} characters"
        shown = told + str(record.exc_info and record.exc_info[1])
        yield from (f"{secret} in the log" for secret in NOT_IN_LOG if secret in shown)
    if len(receipts := seen.receipts) != seen.is_answer and case.surface != "worker":  # it logs in another process
        yield f"{len(receipts)} receipts"
    if any(receipt["ended"] in ("internal_error", "unknown") for receipt in receipts):
        yield f"the receipt says {receipts[0]['ended']}"


def _head(case: Case, seen: Seen) -> Iterator[str]:
    if not seen.status:
        return
    if not 200 <= seen.status <= 599:
        yield f"the status is {seen.status}"
    for name, value in seen.headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            yield f"a header that no server sends: {name[:50]!r}: {value[:50]!r}"
    names = [name for name, _ in seen.headers]
    if len(set(names)) < len(names):
        yield f"a header twice: {sorted(names)}"
    if sum(len(name) + len(value) for name, value in seen.headers) > MOST_HEADER_BYTES:
        yield "more headers than a proxy takes"
    if "x-request-id" not in names and case.surface != "worker":  # the host answers some by itself
        yield "no x-request-id"
    length = seen.header("content-length")
    if _has_no_body(case):
        if seen.body:
            yield "a body for HEAD"
    elif length is not None and not length.isdecimal():
        yield f"content-length: {length[:30]}"
    elif length is not None and not seen.has_left and (seen.is_complete != (int(length) == len(seen.body))):
        yield f"content-length: {length}, and {len(seen.body)} bytes, {'' if seen.is_complete else 'not '}complete"


def _secrets(_case: Case, seen: Seen) -> Iterator[str]:
    shown = bytes(seen.body).decode("latin-1") + repr(seen.headers)
    yield from (f"{secret} in the response" for secret in NOT_DOWN if secret in shown)


def _error(case: Case, seen: Seen) -> Iterator[str]:
    if seen.status < 400 or seen.has_left or _has_no_body(case):
        return
    if not seen.is_complete:
        yield "an error page that is cut"
    said = {(reply.status, opened.raw[: 1024 * 1024]) for reply, opened in _answered(case, seen)}
    if (seen.status, bytes(seen.body)) in said or bytes(seen.body) == UNHEALTHY:
        return  # relayed as it came
    upstream = {reply.status for reply in case.replies} | {502}
    if case.surface in REAL and (seen.status in upstream or _is_hosts(case, seen)):
        return
    try:
        error = json.loads(seen.body)["error"]
        is_one = set(error) == {"message", "type", "code", "param"} and isinstance(error["message"], str)
    except (ValueError, LookupError, TypeError):
        is_one = False
    if not is_one:
        yield f"a status {seen.status} that is no error object: {bytes(seen.body[:80])!r}"
        return
    code = error["code"]
    if code == "internal_error":
        yield "internal_error"
    elif code in OWN and OWN[code] != seen.status and seen.status not in upstream:
        yield f"{code} with status {seen.status}"
    elif code not in OWN and seen.status >= 500 and seen.status not in upstream and str(seen.status) != code:
        yield f"status {seen.status} with code {code!r}"


def _has_no_body(case: Case) -> bool:
    """Return whether a server has taken the body away."""
    return case.asked.method == "HEAD" and case.surface == "worker"


def _is_hosts(case: Case, seen: Seen) -> bool:
    """Return whether the host has answered by itself: what it does not route, and headers that it does not pass on."""
    if case.surface != "worker" or seen.header("x-request-id"):
        return False
    is_passed_on = all(value.isascii() and value.isprintable() for _, value in case.asked.headers)
    return seen.status in (400, 401, 404, 405, 411, 413, 414, 431) or (seen.status == 500 and not is_passed_on)


def _answered(case: Case, seen: Seen) -> Iterator[tuple[Any, Any]]:
    for number, opened in enumerate(seen.opened):
        yield case.replies[min(number, len(case.replies) - 1)], opened


def _ending(case: Case, seen: Seen) -> Iterator[str]:
    if 200 <= seen.status < 300 and seen.is_answer:
        yield from ending_of(case, seen)


def _sent_up(case: Case, seen: Seen) -> Iterator[str]:
    for opened in seen.opened:
        if opened.was_late:
            yield "an attempt after the client had left"
        if opened.sent and _is_form(case):
            if opened.sent != joined(case.asked.body):  # at a deployment's own address nothing of it changes
                yield "a form goes up that is not the one that came"
        elif opened.sent and len(opened.sent) <= LARGEST_CHECKED_BYTES and case.asked.method == "POST":
            yield from _body_up(case, opened.sent, is_stored="/responses/resp_" in case.asked.path)


def _is_form(case: Case) -> bool:
    return any(name == "content-type" and value.lower().startswith("multipart/") for name, value in case.asked.headers)


def _body_up(case: Case, sent: bytes, *, is_stored: bool) -> Iterator[str]:
    pairs: list[tuple[str, Any]] = []
    try:
        top = json.loads(sent, object_pairs_hook=lambda found: found, parse_constant=_no_json, parse_int=float)
        pairs = top if isinstance(top, list) and all(isinstance(one, tuple) for one in top) else []
    except RecursionError:
        return
    except ValueError as error:
        if not is_stored:  # what goes up to a stored response is the caller's own
            yield f"what goes up is no JSON: {error}"[:200]
    if case.setup == "capped" and not is_stored:
        if any(name == "model" and value != "gpt" for name, value in pairs):
            yield "a model goes up that is not listed"
        limits = ("max_tokens", "max_completion_tokens", "max_output_tokens")
        if any(name in limits and isinstance(value, float) and value > CAP for name, value in pairs):
            yield "a limit goes up beyond MAX_OUTPUT_TOKENS"


def _no_json(constant: str) -> Any:
    raise ValueError(constant)


def _cross_origin(case: Case, seen: Seen) -> Iterator[str]:
    allowed = seen.header("access-control-allow-origin")
    origins = [value.strip(" \t").lower() for name, value in case.asked.headers if name == "origin"]
    permitted = (SETUPS[case.setup] | case.env).get("ALLOWED_ORIGINS", "").lower()
    if allowed is not None and (allowed.lower() not in origins or allowed.lower() not in permitted):
        yield f"access-control-allow-origin: {allowed}"
    if seen.header("access-control-allow-credentials") or seen.header("set-cookie"):
        yield "credentials across origins, or a cookie"


def _admitted(case: Case, seen: Seen) -> Iterator[str]:
    if case.setup == "keys" and seen.opened and not any("PLANTED" in value for _, value in case.asked.headers):
        yield "a model was asked without a key"


def _failover(_case: Case, seen: Seen) -> Iterator[str]:
    for first, _ in pairwise(seen.opened):
        if not first.is_closed:
            yield "an abandoned attempt stays open"


RULES: tuple[Rule, ...] = (
    _life, _log, _head, _secrets, _error, _ending, _sent_up, _cross_origin, _admitted, _failover,
)  # fmt: skip
