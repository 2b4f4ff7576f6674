"""`make storm`: thousands of streams against faulty backends, clients leaving at random; then a look at what is left.

Everything random comes from one printed seed, so that a failing storm replays: `make storm SEED=…`. `make soak` is the same for
minutes, in rounds. After each round there must be: no dishonest end, no error that the client saw where a healthy backend was
reachable before content, no open upstream, no task and no memory left behind, and in the ledger (`GET /usage`) what the
simulated models have counted: exactly for finished answers, nearly for the tokens of long streams (`--words 100`) that were
left, as far as they had reached the app (`Record.tokens_received`). What it has of those that broke is printed.

With `--telemetry` (`make storm TELEMETRY=1`) the app sends traces, metrics and its log to a collector in this process, and for
each receipt there must be one trace, one log record and one more of the answers that are counted.
"""

import argparse
import asyncio
import hashlib
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from dev.simulator.answer import CHARACTERS_PER_TOKEN
from dev.simulator.call import all_text
from dev.simulator.control import Simulator
from dev.simulator.probe import ask
from dev.simulator.records import MOST_RECORDS
from shared.hosting.invocations import OTHER_HALF_SECONDS
from tests.app_process import App
from tests.remains import Sample, settled_tasks, wait_until_nothing_is_open
from tests.telemetry.receiver import Receiver, attributes

STREAMS_OF_A_ROUND = 2000
MOST_STREAMS_OF_A_ROUND = 4000
LEAST_ROUNDS = 2
MOST_GROWTH = {False: (4096, 2.0), True: (400, 0.5)}
"""Bytes and blocks a stream, by whether there were more rounds than two: with few, the allocators' steps count for much."""
LEAST_STREAMS = 500
"""With fewer, what the allocators take once weighs more than what streams leave."""
SETTLE_SECONDS = OTHER_HALF_SECONDS + 5
"""A client that leaves before the host has passed its request on leaves an invocation, which waits for so long."""
OPERATOR = "operator"
MEDIA_CALLER = "media"
KEYS = {name: f"the-key-of-{name}-0123456789" for name in ("finished", "left", "broken", MEDIA_CALLER, OPERATOR)}
"""The callers: one for each `Plan.kind`."""
MEDIA = {
    "image": ("images/generations", b"event: image_generation.completed"),
    "edit": ("images/edits", b"event: image_edit.completed"),
    "whole image": ("images/generations", b'"b64_json"'),
    "sound": ("audio/speech", b""),
    "speech": ("audio/speech", b"event: speech.audio.done"),
    "transcript": ("audio/transcriptions", b"event: transcript.text.done"),
}
"""Ways to ask for an image or a sound: the path, and what is in an answer that is complete."""
WHOLE = frozenset({"whole image", "sound"})
"""Those without an error event: only the cut tells."""
BOUNDARY = "storm-5f3a"
BOOKED_SECONDS = 10.0
EXPORTED_SECONDS = 40.0
"""Two exports of metrics, the later of which has every answer."""
BLOCKS_OF_IDLE_CONNECTIONS = 20_000
"""They come and go: as many blocks may be there at one look and not at another."""
MOST_TASKS_LEFT = 3
"""Idle connections that are being closed at the moment of asking."""
LARGEST_ERROR, FEW_TOKENS = 0.01, 50
"""Of the output of streams that were left: a part of it, or so many tokens of all. What had arrived is not seen where not even
the answer's head had been read: the busier the machine, the more."""
LONG_TOKENS = 20
"""So many on average have to have arrived of them."""
WORDS = ["Hello", " you", " and", " all", " the", " others"]

BEFORE_CONTENT: list[dict[str, Any]] = [
    {"status": 429, "headers": {"retry-after-ms": "20"}},
    {"status": 500},
    {"status": 503},
    {"status": 401},
    {"end": "reset", "after": -1},
    {"end": "reset", "after": 0},
    {"end": "eof", "after": 0},
    {"end": "malformed", "after": 0},
]
AFTER_CONTENT: list[dict[str, Any]] = [
    {"end": "reset", "after": 3, "end_delay": 0},
    {"end": "cut", "after": 3, "end_delay": 0},
    {"end": "eof", "after": 3},
    {"end": "malformed", "after": 3},
]


@dataclass(slots=True)
class Tally:
    """What the clients saw."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """One stream: how it is asked for, what happens to it, and when its client leaves (None: it stays)."""

    number: int
    api: str
    behaviour: dict[str, Any]
    text: str
    leaves_after: float | None
    last_is_healthy: bool
    breaks_after_content: bool

    @property
    def kind(self) -> str:
        """What becomes of it, which is also its caller's name, so that the ledger has it. Images and sounds are none of its."""
        if self.api in MEDIA:
            return MEDIA_CALLER
        return "left" if self.leaves_after is not None else "finished" if self.last_is_healthy else "broken"


def make_plan(number: int, dice: random.Random, *, faulty: float, leaving: float, words: int) -> Plan:
    """Two backends may fail before content, the third is always healthy; a break after content is nobody's to mend."""
    intervals = [0, 0, 0.005, 0.02] if words <= len(WORDS) else [0.005, 0.02]
    said = [WORDS[index % len(WORDS)] for index in range(words)]
    speed = {"tokens": said, "interval": dice.choice(intervals)}
    api = dice.choice(["sse", "ndjson", "text", "json", "openai", "responses", *MEDIA])
    if api in MEDIA:
        speed = {"interval": speed["interval"], "text": "".join(said)} if api == "transcript" else speed | {"tokens": 6}
    # Bytes without a mark of their end are complete where HTTP says so, and JSON has begun with its first byte.
    before = [fault for fault in BEFORE_CONTENT if api not in WHOLE or "status" in fault or fault["after"] == -1]
    by_backend: dict[str, Any] = {}
    for name in ("main", "second"):
        by_backend[name] = {**speed, **(dice.choice(before) if dice.random() < faulty else {})}
    by_backend["third"] = speed
    breaks = dice.random() < faulty / 4
    if breaks:
        fault = (
            dice.choice(AFTER_CONTENT)
            if api not in WHOLE
            else {"end": "cut", "after": 0 if api == "whole image" else 3}
        )
        by_backend = {name: {**speed, **fault} for name in by_backend}
    leaves = dice.random() * max(0.08, words * 0.01) if dice.random() < leaving else None
    return Plan(number, api, {"backends": by_backend}, "".join(said), leaves, not breaks, breaks)


def form(fields: dict[str, str]) -> bytes:
    """A form with a file of 20 kB behind these fields."""
    texts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'
        for name, value in fields.items()
    ]
    file = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{{}}"; filename="a.bin"\r\n\r\n'
    file = file.format("image" if "n" in fields else "file")
    return "\r\n".join([*texts, file + "x" * 20_000, f"--{BOUNDARY}--\r\n"]).encode()


def media_request(plan: Plan, model: str, prompt: str) -> tuple[str, bytes, dict[str, str]]:
    """The same of an image or a sound."""
    asked: dict[str, Any] = {"model": model, "prompt": prompt}
    extra: dict[str, dict[str, Any]] = {
        "image": {"stream": True, "partial_images": 3},
        "speech": {"stream_format": "sse"},
    }
    if plan.api in ("edit", "transcript"):
        fields = asked | {"stream": "true"} | ({"n": "1"} if plan.api == "edit" else {})
        body, kind = form(fields), f"multipart/form-data; boundary={BOUNDARY}"
    else:
        if plan.api in ("sound", "speech"):
            asked = {"model": model, "input": prompt, "voice": "alloy"}
        asked |= extra.get(plan.api, {})
        body, kind = json.dumps(asked).encode(), "application/json"
    return f"/v1/{MEDIA[plan.api][0]}", body, {"content-type": kind}


def request_of(plan: Plan) -> tuple[str, bytes, dict[str, str]]:
    """The address, the body and the headers."""
    path, body, headers = json_request_of(plan)
    if isinstance(body, bytes):
        return path, body, headers
    return path, json.dumps(body).encode(), {"content-type": "application/json", **headers}


def json_request_of(plan: Plan) -> tuple[str, dict[str, Any] | bytes, dict[str, str]]:
    """The same, as far as it is JSON before it is written."""
    prompt = f"storm {plan.number} [[sim {json.dumps(plan.behaviour)}]]"
    # Many models: a backend that fails for one keeps serving the others.
    model = f"model-{plan.number % 17}"
    if plan.api in MEDIA:
        return media_request(plan, model, prompt)
    if plan.api == "openai":
        return (
            "/v1/chat/completions",
            {"model": model, "stream": True, "messages": [{"role": "user", "content": prompt}]},
            {},
        )
    if plan.api == "responses":
        return "/v1/responses", {"model": model, "stream": True, "input": prompt}, {}
    accepts = {
        "sse": "text/event-stream",
        "ndjson": "application/x-ndjson",
        "text": "text/plain",
        "json": "application/json",
    }
    return "/chat", {"model": model, "input": prompt}, {"accept": accepts[plan.api]}


def verdict(plan: Plan, status: int, body: bytes, *, is_cut: bool) -> str:
    """ "finished", "failed", "cut", "refused", or "dishonest" for an end that looks finished and is not."""
    if status != 200:
        return "refused"
    marks: dict[str, Callable[[], tuple[bool, bool]]] = {
        "sse": lambda: (b"event: finished" in body, b"event: failed" in body),
        "ndjson": lambda: (b'"type":"finished"' in body, b'"type":"failed"' in body and is_cut),
        "text": lambda: (body.decode() == plan.text, is_cut),
        "json": lambda: (b'"finish_reason"' in body, False),
        "openai": lambda: (b"data: [DONE]" in body, b'data: {"error"' in body and is_cut),
        "responses": lambda: (b"response.completed" in body, b"event: error" in body),
    }
    if plan.api in MEDIA:
        ended = MEDIA[plan.api][1]
        if plan.api in WHOLE:
            finished, failed = ended in body and not is_cut and bool(body), False
        else:
            finished, failed = ended in body, b"event: error" in body and is_cut
    else:
        finished, failed = marks[plan.api]()
    if finished and not failed and not is_cut:
        return "finished"
    if failed and not finished:
        return "failed"
    return "cut" if is_cut else "dishonest"


async def run_one(session: aiohttp.ClientSession, url: str, plan: Plan, tally: Tally) -> None:
    """Asks, reads or leaves, and judges."""
    path, body, headers = request_of(plan)
    headers |= {"api-key": KEYS[plan.kind]}
    try:
        async with asyncio.timeout(plan.leaves_after), session.post(url + path, data=body, headers=headers) as response:
            received, is_cut = bytearray(), False
            try:
                async for data in response.content.iter_any():
                    received += data
            except aiohttp.ClientError:
                is_cut = True
            outcome = verdict(plan, response.status, bytes(received), is_cut=is_cut)
    except TimeoutError:
        tally.outcomes["left"] += 1
        return
    except aiohttp.ClientError as error:
        outcome = f"unreachable: {error!r}"
    tally.outcomes[outcome] += 1
    expected = (
        {"finished"}
        if plan.last_is_healthy
        else {"failed", "refused"} | ({"cut"} if plan.api in ("text", *WHOLE) else set())
    )
    if outcome not in expected:
        tally.wrong.append(
            f"stream {plan.number} ({plan.api}): {outcome}, expected {' or '.join(sorted(expected))}: {plan}"
        )


async def blow(url: str, plans: list[Plan], parallel: int) -> Tally:
    """All streams, so many at a time."""
    tally, waiting = Tally(), iter(plans)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(60)
    ) as session:

        async def worker() -> None:
            for plan in waiting:
                await run_one(session, url, plan, tally)

        await asyncio.gather(*(worker() for _ in range(parallel)))
    return tally


@dataclass(slots=True)
class Count:
    """What the answers of one kind used together."""

    answers: int = 0
    input: int = 0
    output: int = 0

    def add(self, answers: int, input: int, output: int) -> None:  # noqa: A002 - a count of tokens
        self.answers += answers
        self.input += input
        self.output += output


def in_the_ledger(app: App) -> dict[str, Count]:
    """What `GET /usage` says of each kind."""
    found: dict[str, Count] = defaultdict(Count)
    for row in ask(app.url + "/usage", headers={"api-key": KEYS[OPERATOR]}).json["rows"]:
        found[row["caller"]].add(row["answers"], row["input_tokens"], row["output_tokens"])
    return found


def of_the_models(simulator: Simulator, plans: list[Plan]) -> dict[str, Count]:
    """What the simulated models have counted of each kind since the last reset: of each answer, what its last backend did.

    A call that a model was refusing while its client left is none here, and is one to the app, which has not heard of it.
    """
    kinds = {plan.number: plan.kind for plan in plans}
    records = simulator.requests()
    assert len(records) < MOST_RECORDS, "the simulator has forgotten some"
    last = {
        int(record["body"].partition("storm ")[2].split(" ")[0]): record
        for record in records
        if not record["path"].partition("?")[0].endswith(tuple(path for path, _ in MEDIA.values()))
    }
    found: dict[str, Count] = defaultdict(Count)
    for number, record in last.items():
        if record["status"] in (200, None) and (record["tokens_sent"] > 0 or record["ended"] == "client_gone"):
            prompt = sum(len(text) // CHARACTERS_PER_TOKEN + 4 for text in all_text(json.loads(record["body"])))
            found[kinds[number]].add(1, prompt, record["tokens_received"])
    return found


class Books:
    """Compares the ledger with the models' own count."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.ledger = in_the_ledger(app)
        """What it had before the storm."""
        self.models: dict[str, Count] = defaultdict(Count)

    def close(self, simulator: Simulator, plans: list[Plan]) -> None:
        """Take over what the models have counted in this round."""
        for kind, count in of_the_models(simulator, plans).items():
            self.models[kind].add(count.answers, count.input, count.output)

    def differences(self) -> Iterator[str]:
        """Yield where the ledger is wrong."""
        deadline = time.monotonic() + BOOKED_SECONDS
        while (found := self._since())["finished"] != self.models["finished"] and time.monotonic() < deadline:
            time.sleep(0.2)
        for kind, counted in sorted(self.models.items()):
            booked = found[kind]
            error = (booked.output - counted.output) / max(counted.output, 1)
            print(f"storm: ledger of what was {kind}: {booked}; the models' own: {counted}; output {error:+.2%}")
            if kind == "finished" and booked != counted:
                yield f"the ledger has {booked} of what was finished, the models {counted}"
            is_long = counted.output > LONG_TOKENS * counted.answers
            allowed = max(LARGEST_ERROR * counted.output, FEW_TOKENS)
            if kind == "left" and is_long and abs(booked.output - counted.output) > allowed:
                yield f"the ledger has {booked.output} tokens of what was left, and {counted.output} had arrived"

    def _since(self) -> dict[str, Count]:
        found = in_the_ledger(self._app)
        for kind, before in self.ledger.items():
            found[kind].add(-before.answers, -before.input, -before.output)
        return found


def make_plans(streams: int, seed: int, words: int = len(WORDS)) -> list[Plan]:
    """The same for the same seed."""
    dice = random.Random(seed)
    return [make_plan(number, dice, faulty=0.2, leaving=0.15, words=words) for number in range(streams)]


def halves(streams: int, seed: int, words: int = len(WORDS)) -> Iterator[list[Plan]]:
    """All streams in two rounds, or in more where the simulator could not remember a round."""
    plans = make_plans(streams, seed, words)
    size = min(-(-streams // 2), MOST_STREAMS_OF_A_ROUND)
    for first in range(0, streams, size):
        yield plans[first : first + size]


def rounds_for(minutes: float, seed: int) -> Iterator[list[Plan]]:
    """Rounds for so long, and then one more."""
    deadline = time.monotonic() + minutes * 60
    number = 0
    while time.monotonic() < deadline or number < LEAST_ROUNDS:
        yield make_plans(STREAMS_OF_A_ROUND, seed + number)
        number += 1


def storm(app: App, simulator: Simulator, *, rounds: Iterator[list[Plan]], parallel: int, seed: int) -> list[str]:
    """Blows round after round, looks at what is left after each, and returns what is wrong."""
    asyncio.run(blow(app.url, make_plans(20, seed), parallel))  # what is made once is made now
    simulator.reset()
    books = Books(app)
    tasks = settled_tasks(app, MOST_TASKS_LEFT)
    began, wrong, samples = time.monotonic(), list[str](), list[Sample]()
    outcomes: Counter[str] = Counter()
    for plans in rounds:
        tally = asyncio.run(blow(app.url, plans, parallel))
        wrong += tally.wrong
        outcomes += tally.outcomes
        if left := wait_until_nothing_is_open(simulator):
            wrong.append(f"{left} upstream requests are still open")
        books.close(simulator, plans)
        simulator.reset()
        if (left := settled_tasks(app, tasks + MOST_TASKS_LEFT, SETTLE_SECONDS)) > tasks + MOST_TASKS_LEFT:
            wrong.append(f"{left} tasks in the worker, {tasks} before the storm")
        samples.append(Sample.of(app, outcomes.total()))
        print(f"storm: {(time.monotonic() - began) / 60:5.1f} min, {samples[-1]}", flush=True)
    print(f"storm: seed {seed}, {dict(outcomes)}")
    wrong += books.differences()
    return wrong + list(growth(samples, most_sockets=parallel))


def growth(samples: Sequence[Sample], *, most_sockets: int) -> Iterator[str]:
    """Yield what has grown since the first third of the samples, in which pools and caches take their size."""
    first, last = samples[(len(samples) - 1) // 3], samples[-1]
    streams = max(last.streams - first.streams, 1)
    most_bytes, most_blocks = MOST_GROWTH[len(samples) > LEAST_ROUNDS]
    grown = (last.private - first.private) / streams
    blocks = max(last.blocks - first.blocks - BLOCKS_OF_IDLE_CONNECTIONS, 0) / streams
    is_judged = streams >= LEAST_STREAMS
    unjudged = "" if is_judged else f", which are too few to judge growth by: {LEAST_STREAMS} are needed"
    print(f"storm: {grown:.0f} bytes and {blocks:.2f} blocks a stream, over the last {streams} streams{unjudged}")
    if is_judged and grown > most_bytes:
        yield f"the worker grew by {grown:.0f} bytes a stream"
    if is_judged and blocks > most_blocks:
        yield f"the worker keeps {blocks:.2f} blocks of memory of each stream"
    if last.sockets > first.sockets + most_sockets:
        yield f"{last.sockets} sockets in the worker, {first.sockets} before"


def main() -> int:
    """Starts what is needed, blows, and tells."""
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--streams", type=int, default=5000)
    parser.add_argument("--minutes", type=float, help="so long instead, in rounds")
    parser.add_argument("--parallel", type=int, default=60)
    parser.add_argument("--words", type=int, default=len(WORDS), help="the length of each answer")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--telemetry", action="store_true", help="with traces and metrics to a collector")
    arguments = parser.parse_args()
    seed, minutes = arguments.seed, arguments.minutes
    print(f"storm: replay with SEED={seed}", flush=True)
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator.start(backends=("main", "second", "third")))
        receiver, settings = None, {}
        if arguments.telemetry:
            receiver = Receiver()
            stack.callback(receiver.stop)
            settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.address}
        app = stack.enter_context(start_app(simulator, **settings))
        rounds = halves(arguments.streams, seed, arguments.words) if minutes is None else rounds_for(minutes, seed)
        wrong = storm(app, simulator, rounds=rounds, parallel=arguments.parallel, seed=seed)
        if receiver is not None:
            wrong += not_exported(app, receiver)
    for line in wrong[:20]:
        print(line)
    print("storm: nothing wrong" if not wrong else f"storm: {len(wrong)} things wrong")
    return 1 if wrong else 0


def not_exported(app: App, receiver: Receiver) -> Iterator[str]:
    """Yield what the collector lacks of the receipts, or has beyond them, once it has had the time for them."""
    receipts = Counter(receipt["id"] for receipt in app.receipts(count=sys.maxsize, seconds=0))
    deadline = time.monotonic() + EXPORTED_SECONDS
    while True:
        traces = Counter(
            attributes(span.attributes)["streaming_endpoint.id"] for span in receiver.spans() if span.name == "answer"
        )
        entries = [record.body.string_value for record in receiver.logs()]
        logged = Counter(json.loads(entry)["id"] for entry in entries if entry.startswith('{"event":"answer"'))
        counted = receiver.counted("streaming_endpoint.answers")
        if (traces == logged == receipts and counted == receipts.total()) or time.monotonic() > deadline:
            break
        time.sleep(1)
    print(
        f"storm: {receipts.total()} receipts, {traces.total()} traces, {logged.total()} log records, {counted} counted"
    )
    for what, found in (("traces", traces), ("log records", logged)):
        if found != receipts:
            yield f"{(receipts - found).total()} {what} are missing, {(found - receipts).total()} are too many"
    if counted != receipts.total():
        yield f"{counted} answers are counted, and there are {receipts.total()} receipts"


def start_app(simulator: Simulator, **settings: Any) -> App:
    """The app before three backends in order of priority; the last one is always healthy."""
    backends = [
        {"name": name, "endpoint": address, "priority": number}
        for number, (name, address) in enumerate(simulator.backends.items())
    ]
    known = ",".join(f"{name}=sha256:{hashlib.sha256(key.encode()).hexdigest()}" for name, key in KEYS.items())
    return App.start(
        simulator,
        AZURE_OPENAI_BACKENDS=json.dumps(backends),
        ATTEMPT_BUDGET_SECONDS="30",
        AUTH_MODE="keys",
        CALLER_KEYS=known,
        OPERATORS=OPERATOR,
        **settings,
    )


if __name__ == "__main__":
    sys.exit(main())
