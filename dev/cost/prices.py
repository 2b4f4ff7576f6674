"""The table of prices: dated, each with its source, and replaceable by a file of the user's."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("prices.json")


@dataclass(frozen=True, slots=True)
class Price:
    """One price; `amount` is None where no public source was found, so that only the user can say it."""

    amount: float | None
    unit: str
    date: str
    source: str


class Prices:
    """The prices by name."""

    def __init__(self, currency: str, prices: Mapping[str, Price]) -> None:
        self.currency = currency
        self.table = dict(prices)

    def of(self, name: str) -> float | None:
        """Return a price, or None where nobody has said it."""
        return self.table[name].amount

    def known(self, name: str) -> float:
        """Return a price. Raise `ValueError` where nobody has said it."""
        amount = self.of(name)
        if amount is None:
            raise ValueError(
                f"the price {name} is not known ({self.table[name].unit}): give it with --price {name}=..."
            )
        return amount


def read_prices(path: Path = TABLE, given: Mapping[str, float] | None = None) -> Prices:
    """Read a table, and replace what is given. Raise `ValueError` for a name that the table lacks."""
    read = json.loads(path.read_text(encoding="utf-8"))
    prices = {name: Price(**row) for name, row in read["prices"].items()}
    for name, amount in (given or {}).items():
        if name not in prices:
            raise ValueError(f"no price is named {name}; there are {', '.join(prices)}")
        prices[name] = Price(amount, prices[name].unit, "given", "given")
    return Prices(read["currency"], prices)
