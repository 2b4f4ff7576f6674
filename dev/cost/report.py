"""The tables of `make cost` and of docs/cost.md."""

from collections.abc import Sequence
from dataclasses import replace

from bench.plots import bars
from bench.text import table
from dev.cost.bill import DAYS, Bill, bill
from dev.cost.platforms import CORES_OF_MB, QUOTA_CORES, Platform, default_platform
from dev.cost.prices import Prices
from dev.cost.simulation import NOON, WHOLE_DAY_ANSWERS, Day, simulate, steady
from dev.cost.workload import DAY_SECONDS, HOUR_SECONDS, Workload

CONCURRENCIES = (1, 5, 10, 20, 50, 100, 150)
SECOND_RATES = (1, 100, 10_000)
WINDOW_SECONDS = 600.0
UNKNOWN = "?"


def day_of(workload: Workload, platform: Platform) -> Day:
    """Return the day, simulated where it is short enough."""
    of = simulate if workload.answers <= WHOLE_DAY_ANSWERS else steady
    return of(workload, platform.rules)


def comparison(workload: Workload, platforms: Sequence[Platform], prices: Prices) -> str:
    """Return a row for each platform: instances, waits, the month's bill."""
    rows = []
    for platform in platforms:
        day = day_of(workload, platform)
        cost = bill(workload, platform, day, prices)
        million = cost.platform / (workload.answers * DAYS) * 1e6
        rows.append(
            (
                platform.title,
                f"{platform.rules.concurrency}",
                f"{day.noon}",
                f"{day.peak}",
                f"{day.cold_share:.2%}" if day.waits else UNKNOWN,
                f"{workload.first_seconds + day.wait(0.99):.1f} s" if day.waits else UNKNOWN,
                money(cost.compute + cost.executions),
                money(million),
            )
        )
    header = (
        "",
        "streams per instance",
        "instances at noon",
        "at most",
        "cold answers",
        "first token, p99",
        "compute a month",
        "per million answers, without the model",
    )
    return table(header, rows)


def month(workload: Workload, platform: Platform, prices: Prices) -> tuple[str, Bill]:
    """Return the parts of the month's bill, as a table, and the bill."""
    cost = bill(workload, platform, day_of(workload, platform), prices)
    rows = [
        ("model", money(cost.model)),
        ("compute", money(cost.compute)),
        ("executions", money(cost.executions)),
        ("always-ready instances", money(cost.ready)),
        ("logs: the receipts", money(cost.telemetry)),
        ("storage account", money(cost.storage)),
        ("**together, of what has a price**", f"**{money(cost.total)}**"),
    ]
    return table(("part", f"{DAYS} days, {prices.currency}"), rows), cost


def rates(prices: Prices) -> str:
    """Return what 1, 100 and 10,000 answers a second at noon take, by means, and which limit each meets."""
    rows = []
    platform = default_platform()
    for rate in SECOND_RATES:
        workload = at_noon(rate)
        needed = steady(workload, platform.rules)
        cores = needed.peak * CORES_OF_MB[platform.memory_mb]
        tokens = rate * 60 * (workload.input_tokens + workload.output_tokens) / 1e3
        cost = bill(workload, platform, needed, prices)
        limits = []
        if needed.peak > platform.rules.maximum:
            limits.append(f"maximumInstanceCount ({platform.rules.maximum})")
        if cores > QUOTA_CORES:
            limits.append(f"{QUOTA_CORES} cores of a region")
        rows.append(
            (
                f"{rate:,} a second at noon, {workload.answers / 1e6:.3g} million a day",
                f"{rate * workload.mean_seconds:,.0f}",
                f"{needed.peak:,}",
                f"{tokens:,.0f}",
                money(cost.platform),
                money(cost.model),
                ", ".join(limits) or "none of Functions'",
            )
        )
    header = (
        "answers",
        "streams open",
        "instances at noon",
        "thousand tokens a minute",
        "a month without the model",
        "the model",
        "limits met",
    )
    return table(header, rows)


def at_noon(rate: float) -> Workload:
    """Return the default workload with this many answers a second at noon."""
    one = Workload()
    return replace(one, answers=round(one.answers * rate / one.rate(NOON)))


def windows() -> str:
    """Return what a simulation of ten minutes at noon says of two rates: how chance and a burst change the means."""
    return f"Instances in ten simulated minutes at noon: {_window(1)}; {_window(100)}."


def _window(rate: float) -> str:
    workload, platform = at_noon(rate), default_platform()
    begin = NOON * HOUR_SECONDS
    expected = steady(workload, platform.rules).noon
    rules = replace(platform.rules, always_ready=expected, maximum=1000)
    day = simulate(workload, rules, begin=begin, end=min(DAY_SECONDS, begin + WINDOW_SECONDS))
    return f"at {rate:g} a second {expected} by means are {day.peak} by chance, with {day.cold_share:.2%} cold answers"


def plot(workload: Workload, prices: Prices) -> str:
    """Draw the compute of a million answers by streams per instance."""
    values = {}
    platform = default_platform()
    for concurrency in CONCURRENCIES:
        other = replace(platform, rules=replace(platform.rules, concurrency=concurrency, maximum=1000))
        cost = bill(workload, other, day_of(workload, other), prices)
        million = (cost.compute + cost.executions) / (workload.answers * DAYS) * 1e6
        values[f"{concurrency} streams"] = (million, concurrency == platform.rules.concurrency)
    title = (
        f"Compute per million answers ({prices.currency}) by streams per instance; {workload.answers:,} answers a day"
    )
    return bars(title, prices.currency, values)


def price_table(prices: Prices) -> str:
    """Return the prices with their dates and sources."""
    rows = [
        (
            f"`{name}`: {price.unit}",
            UNKNOWN if price.amount is None else f"{price.amount:g}",
            price.date or "-",
            price.source,
        )
        for name, price in prices.table.items()
    ]
    return table(("price", prices.currency, "of", "source"), rows)


def money(amount: float | None) -> str:
    """Write an amount; a question mark where a price is not known."""
    return UNKNOWN if amount is None else f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"
