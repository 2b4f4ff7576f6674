"""Rows of a table that hold every pair of values of every two columns: where faults come from two things meeting, enough."""

from collections.abc import Iterable
from itertools import combinations, product
from typing import Any


def pairwise(*columns: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Return the rows, in the product's order: the same for the same columns."""
    rows = list(product(*map(tuple, columns)))
    places = list(combinations(range(len(columns)), 2))

    def pairs(row: tuple[Any, ...]) -> set[tuple[int, Any, int, Any]]:
        return {(one, row[one], other, row[other]) for one, other in places}

    missing = set[tuple[int, Any, int, Any]]().union(*map(pairs, rows))
    chosen: set[tuple[Any, ...]] = set()
    while missing:
        best = max(rows, key=lambda row: len(pairs(row) & missing))
        missing -= pairs(best)
        chosen.add(best)
    return [row for row in rows if row in chosen]
