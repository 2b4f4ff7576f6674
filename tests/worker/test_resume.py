"""An answer outlives the process that streams it: kill -9 in mid-answer, and another process goes on to the byte."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from openai import OpenAI

from dev.simulator.control import Simulator
from dev.simulator.probe import Seen, ask
from tests.app_process import JSON, App
from tests.worker.sim import ended, sim

ON: dict[str, Any] = {"RESUME": "on", "AZURE_OPENAI_API": "responses", "RESUME_GRACE_SECONDS": "1"}
ASKED: dict[str, Any] = {"SYSTEM_PROMPT": "Be brief.", "MAX_OUTPUT_TOKENS": "999"}
WORDS = [f"wörd{number} " for number in range(60)]
FORMATS = ("sse", "ndjson", "jsonl", "text", "chat-protocol", "ui-message")


@pytest.fixture(scope="module")
def apps(simulator_process: Simulator) -> Iterator[tuple[App, App]]:
    """Two processes that share nothing but the key of their ids, which development keeps in a file."""
    with App.start(simulator_process, **ON, **ASKED) as one, App.start(simulator_process, **ON, **ASKED) as other:
        yield one, other


def request(name: str, prompt: str) -> tuple[str, dict[str, Any]]:
    message = {"role": "user", "content": prompt}
    if name == "ui-message":
        message = {"id": "1", "role": "user", "parts": [{"type": "text", "text": prompt}]}  # type: ignore[dict-item]
    streams = {"stream": True, "context": {}} if name == "chat-protocol" else {}
    return f"/chat?format={name}", {"messages": [message], "resume": True, **streams}


def complete(name: str, received: bytes) -> tuple[int, bytes]:
    """Return the position of a reader, and what it has of the answer: a half event is none."""
    if name == "text":
        return len(received), received
    end = b"\n\n" if name in ("sse", "ui-message") else b"\n"
    whole = received[: received.rindex(end) + len(end)]
    if name == "chat-protocol":
        return whole.count(b"\n"), whole
    if name == "ui-message":
        return 0, whole
    last = whole.rstrip(b"\n").rpartition(end)[2]
    return int(last.split(b"\n")[0].removeprefix(b"id: ") if name == "sse" else json.loads(last)["seq"]), whole


def taken_up(app: App, answer_id: str, name: str, after: int) -> Seen:
    if name == "ui-message":
        return ask(f"{app.url}/chat/{answer_id}/stream")
    return ask(f"{app.url}/chat/answers/{answer_id}?format={name}&after={after}")


@dataclass(frozen=True, slots=True)
class Killed:
    """What a process that was killed in mid-answer has left behind."""

    left: dict[str, Seen]
    """What the readers of a stream with `resume` have, by its format."""
    events: list[Any]
    """Of a background response, through the OpenAI client."""
    plain: Seen
    """What the reader of a stream without `resume` has."""
    upstream_of_plain: dict[str, Any]


@pytest.fixture(scope="module")
def killed(apps: tuple[App, App], simulator_process: Simulator) -> Killed:
    simulator_process.reset()
    one, _ = apps
    prompt = sim("kill", tokens=WORDS, interval=0.08)
    probes = {name: one.probe(body, path) for name, (path, body) in ((name, request(name, prompt)) for name in FORMATS)}
    plain = one.probe(sim("without", tokens=WORDS, interval=0.08))
    client = OpenAI(base_url=f"{one.url}/v1", api_key="unused", max_retries=0)
    stream = client.responses.create(model="gpt", input=prompt, background=True, stream=True)
    events: list[Any] = []
    for event in stream:
        events.append(event)
        if event.type == "response.output_text.delta" and "wörd5 " in event.delta:
            break
    for probe in (*probes.values(), plain):
        probe.read_until("wörd5 ".encode())
    one.kill_worker()
    with pytest.raises(openai.APIConnectionError):
        events.extend(stream)
    left = {name: probe.read_all() for name, probe in probes.items()}
    gone = ended(simulator_process, "client_gone", seconds=3, contains="without")
    return Killed(left, events, plain.read_all(), gone)


def test_after_kill_9_another_process_goes_on_to_the_byte_in_six_formats_and_through_openai(
    apps: tuple[App, App], killed: Killed
) -> None:
    _, other = apps
    text = "".join(WORDS)
    for name, left in killed.left.items():
        assert left.ending != "complete"
        answer_id = left.headers["x-answer-id"]
        after, had = complete(name, left.body)
        assert "wörd59 ".encode() not in had
        rest = taken_up(other, answer_id, name, after)
        assert rest.ending == "complete"
        whole = taken_up(other, answer_id, name, 0).body
        if name == "ui-message":
            assert rest.body.startswith(had)
            assert rest.body == whole
        elif name == "chat-protocol":  # the fields that the request had are not kept
            assert (had + rest.body).split(b"\n")[1:] == whole.split(b"\n")[1:]
        else:
            assert had + rest.body == whole
        assert "".join(words_of(name, whole)) == text
    events = killed.events
    number = events[-1].sequence_number
    elsewhere = OpenAI(base_url=f"{other.url}/v1", api_key="unused", max_retries=0)
    events += list(elsewhere.responses.retrieve(events[0].response.id, stream=True, starting_after=number))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == text
    assert events[-1].response.output_text == text


def test_a_killed_worker_is_a_cut_and_the_next_request_is_served(apps: tuple[App, App], killed: Killed) -> None:
    one, _ = apps
    assert killed.plain.ending != "complete"
    assert killed.upstream_of_plain["tokens_sent"] < len(WORDS)
    deadline = time.monotonic() + 15
    while ask(one.url + "/health").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert one.chat(sim(tokens=1, interval=0)).events[-1]["type"] == "finished"


def words_of(name: str, body: bytes) -> list[str]:
    if name == "text":
        return [body.decode()]
    lines = [line.removeprefix(b"data: ") for line in body.split(b"\n")]
    found = [json.loads(line) for line in lines if line.startswith(b"{")]
    if name == "chat-protocol":
        return [one["delta"].get("content", "") for one in found]
    kind, field = ("text-delta", "delta") if name == "ui-message" else ("delta", "text")
    return [one[field] for one in found if one["type"] == kind]


@pytest.mark.parametrize("fault", [{"end": "reset"}, {"end": "cut"}, {"end": "eof"}, {"end": "stall"}])
def test_an_upstream_that_breaks_is_taken_up_on_the_wire(
    apps: tuple[App, App], simulator: Simulator, fault: dict[str, Any]
) -> None:
    _, other = apps
    prompt = sim(tokens=WORDS[:9], interval=0.01, after=4, **fault)
    path, body = request("sse", prompt)
    relay = {"model": "gpt", "input": prompt, "background": True, "stream": True}
    with other.probe(body, path) as ours, other.probe(relay, "/v1/responses") as relaying:
        seen, relayed = ours.read_all(), relaying.read_all()
    assert (seen.ending, "".join(words_of("sse", seen.body))) == ("complete", "".join(WORDS[:9]))
    assert [event["sequence_number"] for event in relayed.events] == list(range(len(relayed.events)))
    assert relayed.events[-1]["type"] == "response.completed"


def test_the_responses_api_streams_too(apps: tuple[App, App], simulator: Simulator) -> None:
    _, other = apps
    simulator.behave({"tokens": ["Grüße", ", ", "Welt 😀"], "interval": 0})
    seen = other.chat({"input": "hi", "max_output_tokens": 5000})
    assert "".join(event["text"] for event in seen.events if event["type"] == "delta") == "Grüße, Welt 😀"
    assert seen.events[-1] == {"type": "finished", "finish_reason": "stop"}
    (request,) = simulator.requests()
    assert request["path"] == "/openai/v1/responses"
    assert "Be brief." in request["body"]
    assert 999 in json.loads(request["body"]).values()


def test_an_answer_is_cancelled_by_a_stop_at_once_and_after_its_grace_where_nobody_comes_back(
    apps: tuple[App, App], simulator: Simulator
) -> None:
    _, other = apps
    for word, stops in (("stop", True), ("grace", False)):
        path, body = request("ndjson", sim(word, tokens=400, interval=0.1))
        with other.probe(body, path) as probe:
            received = probe.read_until(b'"delta"')
        answer_id = json.loads(received[received.index(b'{"type":"started"') :].split(b"\n")[0])["resume"]
        if stops:
            stopped = ask(f"{other.url}/chat/answers/{answer_id}/stop", {}, headers=JSON)
            assert stopped.json == {"status": "cancelled"}
        found = simulator.wait_for(path="/cancel", ended="complete", count=1 if stops else 2, timeout=8)
        assert found["status"] == 200
        again = taken_up(other, answer_id, "ndjson", 0)
        assert again.events == [] or b'"failed"' in again.body


def test_an_answer_without_resume_ends_at_the_model_within_a_second(
    apps: tuple[App, App], simulator: Simulator
) -> None:
    _, other = apps
    with other.probe(sim("leaves", tokens=400, interval=0.1)) as probe:
        probe.read_until(b"delta")
    assert ended(simulator, "client_gone", contains="leaves")


def test_a_process_that_is_stopped_sends_its_reader_to_another(apps: tuple[App, App], simulator: Simulator) -> None:
    one, other = apps
    path, body = request("sse", sim("drain", tokens=WORDS, interval=0.1))
    with one.probe(body, path) as probe:
        probe.read_until("wörd3 ".encode())
        one.drain()
        left = probe.read_all()
    assert left.ending == "complete"
    assert left.body.endswith(b'event: moved\ndata: {"type":"moved"}\n\n')
    told = left.body[: left.body.index(b"event: moved")]
    after, had = complete("sse", told)
    rest = taken_up(other, left.headers["x-answer-id"], "sse", after)
    assert "".join(words_of("sse", had + rest.body)) == "".join(WORDS)
