"""What callers have used, as JSON and as CSV (RFC 4180), with what it cost where PRICES says it. Pure."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.config.prices import Price
from shared.limits.limiter import Standing
from shared.limits.usage import Period, Spot, Sums

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula to a spreadsheet, and callers choose names of models:
https://owasp.org/www-community/attacks/CSV_Injection"""
_COST_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An answer. `is_about_all`: the caller is an operator; `limits`: what is left of the caller's own."""

    caller: str
    is_about_all: bool
    period: Period
    used: Mapping[Spot, Sums]
    limits: Sequence[Standing]
    prices: Mapping[str, Price]

    def json(self) -> bytes:
        """Return the body of `application/json`."""
        return msgspec.json.encode(
            {
                "object": "usage",
                "caller": self.caller,
                "callers": "all" if self.is_about_all else "own",
                "from": self.period.first,
                "to": self.period.last,
                "rows": list(self._rows()),
                "limits": [_limit(standing) for standing in self.limits],
            }
        )

    def csv(self) -> bytes:
        """Return the body of `text/csv`: the rows alone."""
        text = io.StringIO()
        columns = [
            "caller",
            "day",
            "model",
            *(field.name for field in fields(Sums)),
            *(["cost"] if self.prices else []),
        ]
        writer = csv.writer(text)
        writer.writerow(columns)
        writer.writerows([_cell(row[column]) for column in columns] for row in self._rows())
        return text.getvalue().encode()

    def _rows(self) -> Iterable[dict[str, Any]]:
        for spot, sums in sorted(self.used.items()):
            row = {"caller": spot.caller, "day": spot.day, "model": spot.model, **asdict(sums)}
            yield row | {"cost": self._cost(spot.model, sums)} if self.prices else row

    def _cost(self, model: str, sums: Sums) -> float | None:
        """Return what it cost; None for a model without a price."""
        price = self.prices.get(model)
        if price is None:
            return None
        cost = price.of(
            input_tokens=sums.input_tokens, cached_tokens=sums.cached_tokens, output_tokens=sums.output_tokens
        )
        return round(float(cost), _COST_DIGITS)


def _limit(standing: Standing) -> dict[str, Any]:
    meter, ends_at = standing.window.meter, standing.window.ends_at
    return {
        "unit": meter.unit.value,
        "span": meter.span.value,
        "maximum": meter.maximum,
        "left": standing.left,
        "resets_at": None if ends_at is None else f"{datetime.fromtimestamp(ends_at, UTC):%Y-%m-%dT%H:%M:%SZ}",
    }


def _cell(value: object) -> object:
    if value is None:
        return ""
    return "'" + value if isinstance(value, str) and value.startswith(_FORMULA) else value
