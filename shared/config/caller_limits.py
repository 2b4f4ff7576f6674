"""The limits of callers, as CALLER_LIMITS says them: by the caller's name, and `*` for those that are not named."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from shared.config.declarations import Kind
from shared.config.redaction import json_error, json_value
from shared.config.values import invalid_setting, is_name

EVERYBODY = "*"
MAX_LIMIT = 10**15
LIMITS_FORM = (
    'a JSON object such as {"*": {"tokens_per_minute": 60000, "streams": 20}, "alice": {"tokens_per_day": 2000000}}, '
    "with tokens_per_minute, tokens_per_day, tokens_per_month, requests_per_minute and streams"
)
MODES = ("enforce", "shadow")
WHEN_STORE_FAILS = ("open", "closed")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerLimits:
    """What one caller may use; None where that is not limited."""

    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    requests_per_minute: int | None = None
    streams: int | None = None


NO_LIMITS = CallerLimits()
_NAMES = tuple(field.name for field in fields(CallerLimits))


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsPolicy:
    """How limits are held. `instances`: how many share a limit while the store cannot be asked."""

    callers: Mapping[str, CallerLimits] = MappingProxyType({})
    is_shadow: bool = False
    when_store_fails: str = "open"
    instances: int = 4

    def of(self, caller: str) -> CallerLimits:
        """Return the limits of a caller."""
        return limits_of(self.callers, caller)


def limits_of(callers: Mapping[str, CallerLimits], caller: str) -> CallerLimits:
    """Return the limits of one caller among those of all."""
    return callers.get(caller) or callers.get(EVERYBODY, NO_LIMITS)


def caller_limits() -> Kind[Mapping[str, CallerLimits]]:
    """Return the kind of CALLER_LIMITS. Raise `Misconfigured` as `_parse` does."""
    return Kind("", LIMITS_FORM, _parse)


def _parse(name: str, text: str) -> Mapping[str, CallerLimits]:
    """Return the limits by caller. Raise `Misconfigured`."""
    if not text:
        return MappingProxyType({})
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid_setting(name, json_error(text, error), LIMITS_FORM) from None
    if not isinstance(listed, dict) or not listed or not all(is_name(caller) for caller in listed):
        raise invalid_setting(name, json_value(listed), LIMITS_FORM)
    return {
        caller: _limits(f"{name}, caller {number},", given) for number, (caller, given) in enumerate(listed.items(), 1)
    }


def _limits(where: str, given: Any) -> CallerLimits:
    if not isinstance(given, dict) or not given.keys() <= set(_NAMES):
        raise invalid_setting(where, json_value(given), "an object with " + ", ".join(_NAMES))
    for value in given.values():
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_LIMIT:
            raise invalid_setting(where, json_value(value), f"whole numbers from 0 to {MAX_LIMIT}")
    return CallerLimits(**given)
