"""Steering the simulated service: where behaviours come from, what a typo does, closed doors, the process itself."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dev.simulator.behaviour import BehaviourError, behaviour, from_header, from_prompt, without_mark
from dev.simulator.control import ROOT, ControlError, Simulator
from dev.simulator.probe import Probe, Seen, ask


@pytest.fixture(scope="module")
def process() -> Iterator[Simulator]:
    with Simulator.start(open=True, backends=("main", "second"), deployments=("only",)) as simulator:
        yield simulator


@pytest.fixture
def simulator(process: Simulator) -> Simulator:
    process.reset()
    return process


def say(simulator: Simulator, prompt: str = "Hello", *, backend: str = "main", **headers: str) -> Seen:
    body = {"model": "only", "messages": [{"role": "user", "content": prompt}]}
    return ask(f"{simulator.base_url(backend)}chat/completions", body, headers=headers)


def text(seen: Seen) -> Any:
    return seen.json["choices"][0]["message"]["content"]


# Where behaviours come from.


def test_control_comes_before_the_header_and_the_header_before_the_prompt(simulator: Simulator) -> None:
    prompt, header = 'Hi [[sim {"text": "prompt"}]]', '{"text": "header"}'
    simulator.behave(main={"text": "control"})
    assert text(say(simulator, prompt, **{"x-simulate": header})) == "control"
    assert text(say(simulator, prompt, **{"x-simulate": header})) == "header"
    assert text(say(simulator, prompt)) == "prompt"
    assert "simulated model" in text(say(simulator))
    assert [record["behaviour"] for record in simulator.requests()] == ["control", "header", "prompt", None]


def test_a_queue_is_used_up_in_order_and_a_repeating_behaviour_stays(simulator: Simulator) -> None:
    simulator.behave(main=[{"text": "one"}, {"text": "two"}, {"text": "ever", "repeat": True}])
    assert [text(say(simulator)) for _ in range(4)] == ["one", "two", "ever", "ever"]
    assert simulator.behaviours() == {"main": [{"text": "ever", "repeat": True}], "second": []}


def test_backends_have_their_own_queues(simulator: Simulator) -> None:
    simulator.behave(main={"status": 503}, second={"text": "here"})
    assert say(simulator).status == 503
    assert text(say(simulator, backend="second")) == "here"


def test_a_prompt_can_tell_the_backends_apart(simulator: Simulator) -> None:
    prompt = 'Hi [[sim {"backends": {"main": {"status": 500}, "second": {"text": "me"}}}]]'
    assert say(simulator, prompt).status == 500
    assert text(say(simulator, prompt, backend="second")) == "me"


def test_lookups_leave_the_answers_behaviours_alone(simulator: Simulator) -> None:
    simulator.behave(main=[{"text": "mine"}, {"on": "models", "status": 500}])
    assert ask(f"{simulator.base_url()}models").status == 500
    assert ask(f"{simulator.base_url()}models").status == 200
    assert text(say(simulator)) == "mine"


@pytest.mark.parametrize("wrong", [{"txet": 1}, {"end": "explode"}, {"in_stream_error": {"shape": "round"}}, 7])
def test_a_typo_in_a_behaviour_is_refused_and_changes_nothing(simulator: Simulator, wrong: Any) -> None:
    simulator.behave(main={"text": "kept"})
    with pytest.raises(ControlError, match="not a behaviour"):
        simulator.behave(main=[{"text": "lost"}, wrong])
    assert text(say(simulator)) == "kept"


def test_a_typo_in_a_header_a_prompt_or_a_name_is_told(simulator: Simulator) -> None:
    assert "txet" in say(simulator, **{"x-simulate": '{"txet": 1}'}).json["error"]["message"]
    assert "txet" in say(simulator, 'Hi [[sim {"txet": 1}]]').json["error"]["message"]
    with pytest.raises(ControlError, match="no backend is called 'mian'"):
        simulator.behave(mian={"text": "?"})
    with pytest.raises(ControlError, match="not an identity behaviour"):
        simulator.behave_identity(dealy=1)


def test_reset_forgets_behaviours_everywhere(simulator: Simulator) -> None:
    simulator.behave({"status": 500, "repeat": True})
    simulator.behave_identity(status=500)
    simulator.reset()
    assert say(simulator).status == 200
    assert simulator.token()


def test_an_unknown_path_on_the_control_port_is_told(simulator: Simulator) -> None:
    assert ask(f"{simulator.control}/behaviors").status == 404
    assert "PUT /behaviours" in ask(f"{simulator.control}/").json["control"]


def test_only_listed_deployments_exist(simulator: Simulator) -> None:
    body = {"model": "other", "input": "Hi"}
    assert ask(f"{simulator.base_url()}responses", body).json["error"]["code"] == "DeploymentNotFound"
    assert [model["id"] for model in ask(f"{simulator.base_url()}models").json["data"]] == ["only"]


# Behaviours, without a process.


def test_a_mark_is_read_wherever_it_stands_and_taken_out_of_the_prompt() -> None:
    prompt = 'Tell me [[sim {"text": "]] {", "after": 1}]] more'
    found = from_prompt(prompt, "main")
    assert found is not None
    assert (found.text, found.after) == ("]] {", 1)
    assert without_mark(prompt) == "Tell me  more"
    assert from_prompt("nothing here", "main") is None


@pytest.mark.parametrize("prompt", ["[[sim {]]", '[[sim {"text": "x"}', '[[sim {"backends": 1}]]'])
def test_a_broken_mark_is_an_error(prompt: str) -> None:
    with pytest.raises(BehaviourError):
        from_prompt(prompt, "main")


def test_a_backend_not_named_in_a_header_behaves() -> None:
    assert from_header('{"backends": {"main": {"status": 500}}}', "second") == behaviour({})


# Closed doors.


def test_a_backend_can_refuse_connections_and_come_back_on_the_same_port(simulator: Simulator) -> None:
    with Probe(f"{simulator.base_url()}models", headers={"connection": "keep-alive"}) as pooled:
        pooled.read_until(b"owned_by")
        simulator.behave(main=[{"refuse_connection": True}, {"text": "back"}])
        assert pooled.read() == b"", "an idle connection ends too"
    with pytest.raises(ConnectionRefusedError):
        say(simulator)
    assert say(simulator, backend="second").status == 200
    simulator.reset()
    assert say(simulator).status == 200


def test_a_refusal_can_be_for_a_while(simulator: Simulator) -> None:
    simulator.behave(main=[{"refuse_connection": 0.3}, {"text": "back"}])
    with pytest.raises(ConnectionRefusedError):
        say(simulator)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            assert text(say(simulator)) == "back"
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    pytest.fail("the backend did not come back")


@pytest.mark.skipif(sys.platform != "linux", reason="a full accept queue drops connections on Linux")
def test_a_backend_can_leave_connections_unanswered(simulator: Simulator) -> None:
    simulator.behave(main={"drop_connection": True})
    port = int(simulator.backends["main"].rpartition(":")[2])
    with socket.socket() as caller:
        caller.settimeout(0.3)
        with pytest.raises(TimeoutError):
            caller.connect(("127.0.0.1", port))
    simulator.reset()
    assert say(simulator).status == 200


# The process.


def test_it_says_where_it_listens_and_ends_at_once_and_quietly(simulator: Simulator) -> None:
    command = [sys.executable, "-m", "dev.simulator", "--port", "0", "--backends", "a,b", "--open"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert list(ready["backends"]) == ["a", "b"]
    assert ready["identity_endpoint"] == f"{ready['control']}/msi/token"
    body = {"model": "m", "messages": [{"role": "user", "content": '[[sim {"end": "stall"}]]'}], "stream": True}
    with Probe(f"{ready['backends']['a']}/openai/v1/chat/completions", body) as probe:
        probe.read_until(b"assistant")
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    assert process.communicate() == ("", "")


def test_it_greets_people_in_words() -> None:
    command = [sys.executable, "-m", "dev.simulator", "--port", "0", "--human", "--stop-with-stdin"]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
    assert "simulated Azure OpenAI" in done.stdout
    assert "IDENTITY_ENDPOINT=" in done.stdout
