"""Traces and metrics from the real worker, behind the development host, to a collector of this test's own."""

import json
import time
from collections.abc import Iterator

import openai
import pytest

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.telemetry.receiver import Receiver, attributes
from tests.worker.sim import sim

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
PLANTED = "planted-secret-prompt"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.stop()


def test_the_trace_of_a_caller_goes_through_host_and_app_up_to_the_models_service(
    simulator: Simulator, receiver: Receiver
) -> None:
    with App.start(simulator, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.address) as app:
        client = openai.OpenAI(base_url=app.url + "/v1", api_key="none", max_retries=0)
        prompt = sim(PLANTED, tokens=3, interval=0)
        with client.chat.completions.create(
            model="gpt",
            messages=[{"role": "user", "content": prompt}],
            stream=True,
            extra_headers={"traceparent": TRACEPARENT},
        ) as stream:
            assert sum(len(chunk.choices) for chunk in stream) > 1
        client.close()
        answer, call = receiver.wait_for_spans(2)
        (asked,) = [one for one in simulator.requests() if TRACE in one["headers"].get("traceparent", "")]
        (receipt,) = app.receipts()
        app.drain()
        app.wait(10)
    assert (answer.name, call.name) == ("answer", "chat gpt")
    assert {span.trace_id.hex() for span in (answer, call)} == {TRACE} == {receipt["trace_id"]}
    assert answer.parent_span_id.hex() not in ("", CALLER)  # the host's own activity
    assert call.parent_span_id == answer.span_id
    assert asked["headers"]["traceparent"] == f"00-{TRACE}-{call.span_id.hex()}-01"
    assert attributes(answer.attributes)["streaming_endpoint.id"] == receipt["id"]
    names = {metric.name for metric in receiver.metrics()}
    assert {"streaming_endpoint.answers", "gen_ai.client.token.usage", "streaming_endpoint.backend.ready"} <= names
    assert not any(PLANTED.encode() in body for _, _, body in receiver.requests)


@pytest.mark.parametrize("way", ["dead", "hanging", "refusing", "garbage"])
def test_a_collector_that_does_not_work_costs_no_answer_anything(
    simulator: Simulator, receiver: Receiver, way: str
) -> None:
    address = "http://127.0.0.1:9" if way == "dead" else receiver.address
    if way == "hanging":
        receiver.may_answer.clear()
    receiver.status = 503 if way == "refusing" else 200
    receiver.speaks_http = way != "garbage"
    with App.start(simulator, OTEL_EXPORTER_OTLP_ENDPOINT=address) as app:
        deadline = time.monotonic() + 12
        while time.monotonic() < deadline and not (receiver.requests or "does not take" in app.log):
            seen = app.chat(sim("hi", tokens=3, interval=0))
            assert seen.events[-1]["type"] == "finished"
            time.sleep(0.2)
        assert app.chat(sim("hi", tokens=3, interval=0)).events[-1]["type"] == "finished"
        if way != "hanging":
            assert app.has_logged("The OpenTelemetry collector does not take traces and metrics", seconds=10)
        assert app.log.count("does not take traces and metrics") == (way != "hanging")
        assert "Traceback" not in app.log
        assert json.dumps(address) not in app.log
