"""One test for all the cells of a table. Collecting, running and reporting a test costs more than most cells take."""

import functools
import inspect
import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

type Test = Callable[..., None]
_AXES = "cells_axes"
_FAILURES = (Exception, pytest.fail.Exception, pytest.skip.Exception)
"""What ends one cell and not the others. No cell is skipped: nobody would see that it was."""


def cells(
    names: str | Sequence[str], values: Iterable[Any], ids: Iterable[object] | Callable[[Any], Any] | None = None
) -> Callable[[Test], Test]:
    """Return a decorator that runs the test with each of these values, and fails it with the names of those that failed.

    It reads like `pytest.mark.parametrize`, several make a product too, and a cell has the same name. All cells run, whichever
    fail; `CELL=text` in the environment runs those alone whose name has the text. A fixture of the test is made once for all of
    its cells, so a test that changes one takes `pytest.mark.parametrize`.
    """
    arguments = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    rows = list(values)
    axis = dict(zip(_names(arguments, rows, ids), (_row(arguments, row) for row in rows), strict=True))
    if not axis or len(axis) != len(rows):
        raise ValueError(f"{names}: {len(rows)} rows have {len(axis)} names")

    def decorate(test: Test) -> Test:
        return _wrapped(getattr(test, "__wrapped__", test), [*getattr(test, _AXES, []), axis], like=test)

    return decorate


def _wrapped(test: Test, axes: list[Mapping[str, Mapping[str, Any]]], *, like: Test) -> Test:
    """Return the test with all of its cells; the arguments that are left are fixtures."""

    @functools.wraps(test, updated=())
    def run_all(**fixtures: Any) -> None:
        chosen = os.environ.get("CELL", "")
        ran, failed = 0, dict[str, BaseException]()
        for cell in itertools.product(*(axis.items() for axis in axes)):
            name = "-".join(part for part, _ in cell)
            if chosen not in name:
                continue
            ran += 1
            try:
                test(**fixtures, **{key: value for _, row in cell for key, value in row.items()})
            except _FAILURES as error:
                error.add_note(f"Cell: {name}")
                failed[name] = error
        if failed:
            listed = "".join(f"\n  [{name}]" for name in failed)
            raise BaseExceptionGroup(f"{len(failed)} of {ran} cells failed:{listed}\n", list(failed.values()))
        assert ran, f"no cell is named {chosen}"

    given = {key for axis in axes for row in axis.values() for key in row}
    signature = inspect.signature(test)
    left = [parameter for name, parameter in signature.parameters.items() if name not in given]
    assert len(left) == len(signature.parameters) - len(given), f"{test.__name__} does not take all of {given}"
    vars(run_all).update({_AXES: axes, "__signature__": signature.replace(parameters=left)})
    if marks := getattr(like, "pytestmark", None):
        vars(run_all)["pytestmark"] = list(marks)
    return run_all


def _row(arguments: Sequence[str], row: Any) -> dict[str, Any]:
    """Return the arguments of a row."""
    if hasattr(row, "marks"):  # pytest.param
        assert not row.marks, "the cells of a test have no marks of their own"
        return dict(zip(arguments, row.values, strict=True))
    return {arguments[0]: row} if len(arguments) == 1 else dict(zip(arguments, row, strict=True))


def _names(
    arguments: Sequence[str], rows: Sequence[Any], ids: Iterable[object] | Callable[[Any], Any] | None
) -> list[str]:
    """Return what each row is called, as pytest calls it; of two with the same name each has its number."""
    given = None if ids is None or callable(ids) else list(ids)
    named = []
    for index, row in enumerate(rows):
        if given is not None:
            named.append(str(given[index]))
        elif (own := getattr(row, "id", None)) and hasattr(row, "marks"):
            named.append(str(own))
        else:
            values = _row(arguments, row)
            called = {key: ids(value) if callable(ids) else None for key, value in values.items()}
            named.append("-".join(called[key] or _name(key, value, index) for key, value in values.items()))
    return [f"{name}{index}" if named.count(name) > 1 else name for index, name in enumerate(named)]


def _name(argument: str, value: Any, index: int) -> str:
    """Return what a value without an id is called."""
    if isinstance(value, str):
        return value if value.isprintable() else ascii(value)[1:-1]
    if isinstance(value, bytes):
        return ascii(value)[2:-1]
    if value is None or isinstance(value, (bool, int, float, complex)):
        return str(value)
    return str(getattr(value, "__name__", f"{argument}{index}"))
