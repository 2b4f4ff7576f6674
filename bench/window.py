"""`python -m bench.window`: what WRITE_WINDOW_SECONDS saves, and what it does to the gaps between tokens."""

import argparse
import asyncio
import sys
from dataclasses import dataclass

import uvloop

from bench.connection import Recorder
from bench.load import Meter
from bench.plan import ENDLESS, PACED_SECONDS, Plan
from bench.processes import alone, keep_off_the_measured_core
from bench.results import quantile
from bench.roster import CHAT, RELAY, make_subject
from bench.run import note
from bench.service import ROOT, ServiceProcess
from bench.subject import FunctionApp, Subject
from bench.text import table

WINDOWS = ("0", "0.03")
STREAMS = (20, 50, 100, 200)
HOST_MICROS = 65.0
"""CPU time of the Functions host for each write that it passes on: it was measured at 45 to 90 µs."""
SETTLE_SECONDS, RAMP_SECONDS = 0.6, 0.005
HEADER = (
    "",
    "streams",
    "window, s",
    "writes per chunk",
    "gap p50, ms",
    "gap p99, ms",
    "CPU per chunk, µs",
    "streams on a core",
    "with the host's work",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One measurement. Times are in seconds."""

    writes: float
    gap_p50: float
    gap_p99: float
    cpu: float


async def measured(subject: Subject, service: ServiceProcess, streams: int, seconds: float) -> Seen:
    """Measure so many streams with a chunk every 20 ms."""
    await service.play(Plan(PACED_SECONDS, ENDLESS))
    recorder, opened = Recorder(), []
    for _ in range(streams):
        opened.append(await subject.ask(recorder))
        await asyncio.sleep(RAMP_SECONDS)
    recorder.is_on = True  # the first gap of each is not one
    await asyncio.sleep(SETTLE_SECONDS)
    recorder.gaps.clear()
    recorder.delays.clear()
    recorder.writes = 0
    meter = Meter(subject, service)
    await asyncio.sleep(seconds)
    meter.stop()
    chunks, gaps = len(recorder.delays), [gap / 1e6 for gap in recorder.gaps]
    recorder.is_on = False
    for connection, _, _ in opened:
        connection.abort()
    await service.until_idle(seconds=20)
    # Each chunk of the transfer has two line ends, one after its size and one after its data.
    return Seen(recorder.writes / 2 / chunks, quantile(gaps, 0.5), quantile(gaps, 0.99), meter.seconds / chunks)


async def _measure(streams: list[int], rounds: int, seconds: float) -> str:
    keep_off_the_measured_core()
    service = ServiceProcess()
    subjects: dict[tuple[str, str], Subject] = {}
    seen: dict[tuple[str, int, str], list[Seen]] = {}
    try:
        for name in (RELAY, CHAT):
            for window in WINDOWS:
                subject = make_subject(name)
                assert isinstance(subject, FunctionApp)
                subject.deploy(ROOT, {"WRITE_WINDOW_SECONDS": window})
                await subject.start(service)
                subjects[name, window] = subject
        for number in range(rounds):
            note(f"window: round {number + 1} of {rounds}")
            for count in streams:
                for (name, window), subject in subjects.items():
                    one = await measured(subject, service, count, seconds)
                    seen.setdefault((name, count, window), []).append(one)
    finally:
        for subject in subjects.values():
            subject.stop()
        service.stop()
    titles = {name: subject.title for (name, _), subject in subjects.items()}
    return table(
        HEADER, [_row(titles[name], count, window, several) for (name, count, window), several in seen.items()]
    )


def _row(title: str, streams: int, window: str, several: list[Seen]) -> tuple[str, ...]:
    def median(values: list[float]) -> float:
        return quantile(values, 0.5)

    writes, cpu = median([one.writes for one in several]), median([one.cpu for one in several])
    with_host = cpu + writes * HOST_MICROS / 1e6
    return (
        title,
        str(streams),
        window,
        f"{writes:.2f}",
        f"{median([one.gap_p50 for one in several]) * 1e3:.1f}",
        f"{median([one.gap_p99 for one in several]) * 1e3:.1f}",
        f"{cpu * 1e6:.1f}",
        f"{PACED_SECONDS / cpu:.0f}",
        f"{PACED_SECONDS / with_host:.0f}",
    )


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.window", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured; the median is shown")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each measurement takes")
    parser.add_argument(
        "--streams", default=",".join(map(str, STREAMS)), help="how many at once, several between commas"
    )
    arguments = parser.parse_args()
    streams = [int(one) for one in arguments.streams.split(",")]
    with alone(note):
        print(uvloop.run(_measure(streams, arguments.rounds, arguments.seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
