"""What tokens cost, as PRICES says it: by the model's name, in any currency. None is shipped, because prices change."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from shared.config.declarations import Kind
from shared.config.redaction import json_error, json_value
from shared.config.values import invalid_setting, is_name

MAX_PRICE = 10**6
TOKENS = 10**6
"""A price is that of so many tokens."""
PRICES_FORM = (
    'a JSON object such as {"gpt-5": {"input": 1.25, "cached_input": 0.125, "output": 10}}, prices per million tokens; '
    "cached_input may be left out"
)
_NAMES = frozenset({"input", "cached_input", "output"})
_NEEDED = frozenset({"input", "output"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a million tokens of a model cost."""

    input: Decimal
    cached_input: Decimal
    output: Decimal

    def of(self, *, input_tokens: int, cached_tokens: int, output_tokens: int) -> Decimal:
        """Return what these tokens cost. Cached tokens are part of the input."""
        uncached = max(0, input_tokens - cached_tokens)
        return (uncached * self.input + cached_tokens * self.cached_input + output_tokens * self.output) / TOKENS


def prices() -> Kind[Mapping[str, Price]]:
    """Return the kind of PRICES. Raise `Misconfigured` as `_parse` does."""
    return Kind("", PRICES_FORM, _parse)


def _parse(name: str, text: str) -> Mapping[str, Price]:
    """Return the prices by model. Raise `Misconfigured`."""
    if not text:
        return MappingProxyType({})
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid_setting(name, json_error(text, error), PRICES_FORM) from None
    if not isinstance(listed, dict) or not all(is_name(model) for model in listed):
        raise invalid_setting(name, json_value(listed), PRICES_FORM)
    return {model: _price(f"{name}, model {number},", given) for number, (model, given) in enumerate(listed.items(), 1)}


def _price(where: str, given: Any) -> Price:
    if not isinstance(given, dict) or not _NEEDED <= given.keys() <= _NAMES:
        raise invalid_setting(where, json_value(given), "an object with input, output and perhaps cached_input")
    for value in given.values():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= MAX_PRICE:  # NaN is not
            raise invalid_setting(where, json_value(value), f"numbers from 0 to {MAX_PRICE}")
    found = {key: Decimal(str(value)) for key, value in given.items()}
    return Price(input=found["input"], cached_input=found.get("cached_input", found["input"]), output=found["output"])
