"""A small `make storm-limits`, and a worker killed while its streams are open: over Azure's emulator, on the real worker."""

import json
import os
import signal
import time
from typing import Any

import pytest

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.limits.storm import PATIENT, Size, storm
from tests.state.azurite import Account
from tests.worker.sim import sim

FREE_AGAIN_SECONDS = 60.0
CHAT = "/v1/chat/completions"


def body(prompt: str, tokens: int) -> dict[str, Any]:
    """A stream of at most so many tokens."""
    said = [{"role": "user", "content": prompt}]
    return {"model": "gpt", "stream": True, "messages": said, "max_completion_tokens": tokens}


@pytest.mark.slow
@pytest.mark.parametrize(
    "size",
    [
        Size(callers=2, streams=30, limit=2000, processes=2, seconds=25),
        Size(callers=1, streams=12, limit=4000, processes=2, seconds=40, cap=None, longest=1500),
    ],
    ids=["capped", "not capped"],
)
def test_callers_of_several_processes_stay_within_their_limit(
    size: Size, simulator: Simulator, table_account: Account
) -> None:
    assert storm(size, simulator, table_account, runs=1)[1] == []


@pytest.mark.slow
def test_what_a_killed_worker_held_is_free_again_within_a_minute(simulator: Simulator, table_account: Account) -> None:
    settings: dict[str, Any] = {
        **PATIENT,
        "CALLER_LIMITS": json.dumps({"*": {"streams": 3, "tokens_per_day": 10_000}}),
        "LIMITS_WHEN_STORE_FAILS": "closed",
        "AzureWebJobsStorage": table_account.connection_string,
    }
    endless = sim(tokens=5, interval=0, end="stall", after=2)
    with App.start(simulator, **settings) as killed, App.start(simulator, **settings) as other:
        streams = [killed.probe(body(endless, 3000), CHAT) for _ in range(3)]
        for stream in streams:
            assert b"200 OK" in stream.read_until(b"data: ")
        refused = other.chat(body("hi", 10), CHAT)
        assert (refused.status, refused.json["error"]["code"]) == (429, "caller_limit_exceeded")
        began = time.monotonic()
        os.kill(killed.worker_pid, signal.SIGKILL)
        # What is asked for next needs a stream, and most of the day's tokens.
        while (status := other.chat(body("hi", 9500), CHAT).status) != 200:
            assert status in (429, 503)
            assert time.monotonic() - began < FREE_AGAIN_SECONDS
            time.sleep(0.5)
        for stream in streams:
            stream.close()
