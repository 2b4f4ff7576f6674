"""`python -m dev.cost`: what so many answers a day cost, and how many instances they take."""

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

from bench.document import with_blocks
from dev.cost import report
from dev.cost.platforms import CORES_OF_MB, ROOT, Platform, alternatives, default_platform
from dev.cost.prices import TABLE, Prices, read_prices
from dev.cost.workload import SHAPES, Workload

PAGE = ROOT / "docs" / "cost.md"


def main() -> int:
    """Return the exit status."""
    arguments = _parser().parse_args()
    try:
        prices = read_prices(arguments.prices, dict(arguments.price))
        workload = Workload(**{one.name: getattr(arguments, one.name) for one in fields(Workload)})
        platform = _platform(arguments)
        if arguments.page:
            _write(arguments.page, workload, prices)
        else:
            _print(workload, platform, prices)
    except ValueError as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


def _print(workload: Workload, platform: Platform, prices: Prices) -> None:
    text, cost = report.month(workload, platform, prices)
    print(f"{workload.answers:,} answers a day, {workload.mean_seconds:.1f} s each on average, on {platform.title}\n")
    print(report.comparison(workload, [platform, *alternatives()], prices))
    print(f"\n{text}\n")
    print(f"{cost.total / (workload.answers * 30) * 1e6:,.2f} {prices.currency} per million answers. ?: not known.")


def _write(page: Path, workload: Workload, prices: Prices) -> None:
    platform = default_platform()
    text, _ = report.month(workload, platform, prices)
    blocks = {
        "month": text,
        "comparison": report.comparison(workload, [platform, *alternatives()], prices),
        "rates": f"{report.rates(prices)}\n\n{report.windows()}",
        "prices": report.price_table(prices),
    }
    page.write_text(with_blocks(page.read_text(encoding="utf-8"), blocks), encoding="utf-8")
    page.with_name("cost-concurrency.svg").write_text(report.plot(workload, prices), encoding="utf-8")


def _platform(arguments: argparse.Namespace) -> Platform:
    platform = default_platform()
    given = {name: getattr(arguments, name) for name in ("concurrency", "always_ready", "cold_seconds", "maximum")}
    rules = replace(platform.rules, **{name: value for name, value in given.items() if value is not None})
    memory = arguments.memory or platform.memory_mb
    is_default = rules == platform.rules and memory == platform.memory_mb
    title = platform.title if is_default else f"this app, {memory} MB"
    return replace(platform, title=title, rules=rules, memory_mb=memory)


def _price(text: str) -> tuple[str, float]:
    name, _, amount = text.partition("=")
    return name, float(amount)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.cost", description=__doc__)
    add, day = parser.add_argument, Workload()
    add("--answers", type=int, default=day.answers, help="answers a day")
    add("--input-tokens", type=float, default=day.input_tokens, help="of one answer, on average")
    add("--output-tokens", type=float, default=day.output_tokens, help="of one answer, on average, thoughts included")
    add("--first-seconds", type=float, default=day.first_seconds, help="until the model's first token")
    add("--tokens-a-second", type=float, default=day.tokens_a_second, help="of one stream, from there on")
    add("--shape", choices=SHAPES, default=day.shape, help="of the day")
    add("--bursts", type=int, default=day.bursts, help="minutes of the day with three times as many answers")
    add("--concurrency", type=int, help="streams per instance; default: the template's")
    add("--memory", type=int, choices=CORES_OF_MB, help="of an instance, in MB; default: the template's")
    add("--always-ready", type=int, help="instances; default: the template's")
    add("--maximum", type=int, help="number of instances; default: the template's")
    add(
        "--cold-seconds",
        type=float,
        help="until a new instance takes requests; default: 5, which nobody has measured in Azure",
    )
    add("--prices", type=Path, default=TABLE, help="a table of your own, like dev/cost/prices.json")
    add("--price", type=_price, action="append", default=[], metavar="NAME=AMOUNT", help="one price of your own")
    add("--page", type=Path, nargs="?", const=PAGE, help="write the tables of docs/cost.md instead")
    return parser


if __name__ == "__main__":
    sys.exit(main())
