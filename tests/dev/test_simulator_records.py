"""What the simulated service saw: clients that leave in every phase, readers that don't read, and how to wait for it."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dev.simulator.control import NothingHappenedError, Simulator
from dev.simulator.probe import Probe, ask

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def process() -> Iterator[Simulator]:
    with Simulator.start(open=True, backends=("main", "second")) as simulator:
        yield simulator


@pytest.fixture
def simulator(process: Simulator) -> Simulator:
    process.reset()
    return process


def body(text: str = "Hello", *, stream: bool = True) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], "stream": stream}


def url(simulator: Simulator, backend: str = "main") -> str:
    return f"{simulator.base_url(backend)}chat/completions"


def test_a_record_tells_the_whole_request_and_how_it_went(simulator: Simulator) -> None:
    simulator.behave({"tokens": 4})
    before = time.time()
    ask(f"{url(simulator)}?api-version=preview", body("Tell me"), headers={"X-Mine": "yes"})
    record = simulator.wait_for(contains="Tell me", ended="complete")
    assert (record["index"], record["backend"], record["method"]) == (0, "main", "POST")
    assert (record["path"], record["query"]) == ("/openai/v1/chat/completions", "api-version=preview")
    assert record["headers"]["x-mine"] == "yes"
    assert '"Tell me"' in record["body"]
    assert before <= record["received_at"] <= record["first_byte_sent_at"] <= record["ended_at"] <= time.time()
    assert (record["status"], record["tokens_sent"], record["behaviour"]) == (200, 4, "control")
    assert record["bytes_sent"] > 500
    assert record["gone_after"] is None


@pytest.mark.parametrize(
    ("behaviour", "wait", "phase"),
    [
        ({"never_answer": True}, None, "before_headers"),
        ({"header_delay": 30}, None, "before_headers"),
        ({"start_delay": 30}, b"assistant", "before_content"),
        ({"empty_before": 3, "interval": 30}, b"assistant", "before_content"),
        ({"tokens": ["first", "second"], "interval": 0.0, "end": "stall", "after": 1}, b"first", "streaming"),
        ({"tokens": 10_000, "interval": 0.02}, b'"delta":{"content":"', "streaming"),
    ],
)
def test_a_client_that_leaves_is_noticed_at_once_in_every_phase(
    simulator: Simulator, behaviour: dict[str, Any], wait: bytes | None, phase: str
) -> None:
    simulator.behave(behaviour)
    with Probe(url(simulator), body()) as probe:
        if wait is not None:
            probe.read_until(wait)
        simulator.wait_for(ended="open")
        time.sleep(0.1)
        left = time.time()
    record = simulator.wait_for(ended="client_gone", timeout=5)
    assert record["phase"] == phase
    assert abs(record["ended_at"] - left) < 5
    assert record["gone_after"] == pytest.approx(record["ended_at"] - record["received_at"])


def test_a_client_that_leaves_a_whole_answer_is_noticed(simulator: Simulator) -> None:
    simulator.behave({"tokens": 100, "interval": 1})
    with Probe(url(simulator), body(stream=False)):
        simulator.wait_for(ended="open")
    assert simulator.wait_for(ended="client_gone")["phase"] == "before_headers"


def held_back(simulator: Simulator) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record twice, 0.3 s apart, once nothing is sent any more: the buffers on the way are full."""
    then = simulator.wait_for(ended="open")
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        time.sleep(0.3)
        (now,) = simulator.requests()
        if now["bytes_sent"] == then["bytes_sent"] > 0:
            return then, now
        then = now
    pytest.fail("it goes on sending")


def test_a_slow_reader_stops_the_production(simulator: Simulator) -> None:
    simulator.behave({"tokens": 200_000, "interval": 0, "sndbuf": 8192})
    with Probe(url(simulator), body(), receive_buffer=8192):
        then, now = held_back(simulator)
    assert now["bytes_sent"] < MEGABYTE
    assert now["tokens_sent"] == then["tokens_sent"] < 5_000
    assert now["blocked_seconds"] >= then["blocked_seconds"] + 0.2
    record = simulator.wait_for(ended="client_gone")
    assert record["blocked_seconds"] >= now["blocked_seconds"]
    assert record["tokens_sent"] == now["tokens_sent"]
    assert 0 < record["tokens_received"] <= record["tokens_sent"]


def test_a_huge_frame_is_held_back_in_the_middle(simulator: Simulator) -> None:
    simulator.behave({"tokens": 2, "end": "huge_frame", "huge_bytes": 16 * MEGABYTE, "sndbuf": 8192})
    with Probe(url(simulator), body(), receive_buffer=8192):
        held_back(simulator)
    assert simulator.wait_for(ended="client_gone", timeout=15)["bytes_sent"] < MEGABYTE


def test_a_reader_that_wakes_up_gets_everything(simulator: Simulator) -> None:
    simulator.behave({"tokens": 5_000, "interval": 0, "sndbuf": 8192})
    with Probe(url(simulator), body(), receive_buffer=8192) as probe:
        held_back(simulator)
        seen = probe.read_all()
    assert seen.data[-1] == "[DONE]"
    record = simulator.wait_for(ended="complete")
    assert record["tokens_sent"] == record["tokens_received"] == 5_000
    assert record["blocked_seconds"] > 0


def test_records_are_found_by_body_backend_and_ending(simulator: Simulator) -> None:
    ask(url(simulator), body("apples"))
    ask(url(simulator, "second"), body("pears"))
    assert [record["backend"] for record in simulator.requests()] == ["main", "second"]
    assert [record["backend"] for record in simulator.requests(contains="pears")] == ["second"]
    assert len(simulator.requests(backend="main", ended="complete")) == 1
    assert simulator.requests(contains="plums") == []


def test_waiting_ends_when_the_record_comes_and_when_time_is_up(simulator: Simulator) -> None:
    with pytest.raises(NothingHappenedError):
        simulator.wait_for(contains="later", timeout=0.1)
    late = threading.Timer(0.2, ask, (url(simulator), body("later")))
    late.start()
    assert simulator.wait_for(contains="later", timeout=5)["backend"] == "main"
    late.join()
    with pytest.raises(NothingHappenedError):
        simulator.wait_for(contains="later", count=2, timeout=0.1)


def test_requests_on_one_connection_share_its_number(simulator: Simulator) -> None:
    line = b"GET /openai/v1/models HTTP/1.1\r\nhost: x\r\n\r\n"
    with Probe(f"{simulator.base_url()}models", headers={"connection": "keep-alive"}) as probe:
        probe.read_until(b"owned_by")
        probe.send(line + line)  # two at once: answered one after the other
        simulator.wait_for(count=3, ended="complete")
    assert len({record["connection"] for record in simulator.requests()}) == 1


def test_reset_forgets_the_records(simulator: Simulator) -> None:
    ask(url(simulator), body())
    simulator.reset()
    assert simulator.requests() == []
    ask(url(simulator), body())
    assert simulator.requests()[0]["index"] == 0
