"""What a request for usage asks: which days, and in which format. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from shared.errors import BadRequest
from shared.limits.usage import Period

MAX_DAYS = 400
JSON, CSV = "json", "csv"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Question:
    """`format`: JSON or CSV."""

    period: Period
    format: str


def read_question(query: Mapping[str, str], accept: str, *, today: date) -> Question:
    """Return what is asked: of the current month where nothing else is said. Raise `BadRequest`."""
    last = _day("to", query) or today
    first = _day("from", query) or last.replace(day=1)
    if first > last:
        raise BadRequest("'from' is after 'to', which is today where it is left out.", param="from")
    if last - first >= timedelta(days=MAX_DAYS):
        raise BadRequest(f"'from' and 'to' are more than {MAX_DAYS} days apart.", param="from")
    return Question(Period(first.isoformat(), last.isoformat()), _format(query.get("format"), accept))


def _day(name: str, query: Mapping[str, str]) -> date | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise BadRequest(f"'{name}' is not a day; expected a date such as 2026-11-01.", param=name)


def _format(asked: str | None, accept: str) -> str:
    if asked is None:
        types = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
        return CSV if "text/csv" in types and "application/json" not in types else JSON
    if asked not in (JSON, CSV):
        raise BadRequest("'format' is not valid; expected json or csv.", param="format")
    return asked
