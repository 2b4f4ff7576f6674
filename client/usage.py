"""`usage`: what the caller has used, as a table, CSV or JSON."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from rich.text import Text

from client.failures import FINISHED, Failure
from client.options import UsageOptions
from client.screens import strip_control_characters
from client.stream import usage

_WIDE = 200
"""Columns of a table that is not printed on a terminal, which would wrap it."""
_NUMBERS: Mapping[str, str] = {
    "answers": "answers",
    "input_tokens": "input",
    "cached_tokens": "cached",
    "output_tokens": "output",
    "reasoning_tokens": "reasoning",
    "estimated_tokens": "estimated",
}
"""The columns, by their names in a row: tokens except for the first."""


async def show_usage(options: UsageOptions, report: Callable[[str], None]) -> int:
    """Print it, and return the exit status. `report`: where a failure is told."""
    query = options.query | ({"format": "csv"} if options.format == "csv" else {})
    try:
        async with httpx.AsyncClient() as http:
            response = await usage(http, options.url, query, key=options.key)
        match options.format:
            case "csv":
                sys.stdout.write(_checked_csv(response))
            case "json":
                sys.stdout.write(json.dumps(_checked(response), indent=2) + "\n")
            case _:
                _print(_checked(response))
        sys.stdout.flush()
    except Failure as failure:
        report(f"{failure} [{failure.code}]")
        return failure.exit_status
    return FINISHED


def _checked(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object. Raise `Failure` for anything else."""
    try:
        told: dict[str, Any] = response.json()
        if told["object"] == "usage":
            return told
    except (ValueError, KeyError, TypeError):
        pass
    raise Failure(f"Expected the usage of a caller from {response.url}. Check the URL.")


def _checked_csv(response: httpx.Response) -> str:
    """Return the rows, with the line ends of this machine. Raise `Failure` for anything else."""
    if not response.headers.get("content-type", "").startswith("text/csv"):
        raise Failure(f"Expected text/csv from {response.url}. Check the URL.")
    return response.text.replace("\r\n", "\n")


def _print(told: Mapping[str, Any]) -> None:
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE)
    rows: Sequence[Mapping[str, Any]] = told["rows"]
    whose = "all callers" if told["callers"] == "all" else told["caller"]
    title = f"Tokens used by {whose}, {told['from']} to {told['to']}"
    console.print(_text(title if rows else title.replace("Tokens", "Nothing", 1)))
    if rows:
        console.print(_table(rows, has_callers=told["callers"] == "all"))
    for limit in told["limits"]:
        console.print(_text(_limit(limit)))


def _table(rows: Sequence[Mapping[str, Any]], *, has_callers: bool) -> Table:
    names = [*(["caller"] if has_callers else []), "day", "model"]
    has_costs = "cost" in rows[0]
    table = Table(box=None, show_footer=True, pad_edge=False, header_style="bold", footer_style="bold")
    for number, name in enumerate(names):
        table.add_column(name, footer="" if number else "total", overflow="fold")
    for name, title in _NUMBERS.items():
        table.add_column(title, footer=f"{sum(row[name] for row in rows):,}", justify="right")
    if has_costs:
        table.add_column("cost", footer=_cost(sum(row["cost"] or 0 for row in rows)), justify="right")
    for row in rows:
        cells = [_text(str(row[name])) for name in names] + [Text(f"{row[name]:,}") for name in _NUMBERS]
        table.add_row(*cells, *([Text(_cost(row["cost"]))] if has_costs else []))
    return table


def _limit(limit: Mapping[str, Any]) -> str:
    unit, span = limit["unit"], limit["span"]
    what = f"{unit} at a time" if span == "now" else f"{unit} a {span}"
    left = "unknown how many are left" if limit["left"] is None else f"{limit['left']:,} left"
    until = f", until {limit['resets_at']}" if limit["resets_at"] else ""
    return f"Limit: {limit['maximum']:,} {what}, {left}{until}"


def _cost(cost: float | None) -> str:
    return "" if cost is None else f"{cost:,.4f}"


def _text(said: str) -> Text:
    """Return a text without markup: names are the service's."""
    return Text(strip_control_characters(said))
