"""OpenAI's own clients run a batch through the app as they would at the upstream itself, over two accounts."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai.types import Batch

from dev.simulator.control import Simulator
from shared.config.caller_keys import make_caller_key
from tests.app_process import App
from tests.clients.sides import UPSTREAM_KEY, Client, make_client

MODEL = "gpt-4o-mini"
MINE, MY_ENTRY = make_caller_key("mine")
THEIRS, THEIR_ENTRY = make_caller_key("theirs")


def _line(name: str, words: str) -> bytes:
    body = {"model": MODEL, "messages": [{"role": "user", "content": words}]}
    return json.dumps({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}).encode()


LINES = [_line("one", "hello"), _line("two", '[[sim {"status": 429}]] hello'), _line("three", "goodbye")]


@pytest.fixture(scope="module")
def stateful_app(upstream_process: Simulator) -> Iterator[App]:
    """The app with files and batches, before two accounts."""
    names = ("main", "second")
    accounts = json.dumps([{"name": name, "endpoint": upstream_process.backends[name]} for name in names])
    settings: dict[str, Any] = {
        "AUTH_MODE": "keys",
        "CALLER_KEYS": f"{MY_ENTRY},{THEIR_ENTRY}",
        "OPENAI_STATEFUL": "on",
    }
    with App.start(upstream_process, AZURE_OPENAI_BACKENDS=accounts, **settings) as app:
        yield app


def begin(client: Client) -> Batch:
    file = client.files.create(file=("batch.jsonl", b"\n".join(LINES)), purpose="batch")
    made: Batch = client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"of": "me"},
        output_expires_after={"anchor": "created_at", "seconds": 1209600},
    )
    assert (made.status, made.input_file_id, made.metadata) == ("validating", file.id, {"of": "me"})
    return made


def lines_of(client: Client, file_id: str | None) -> dict[str, Any]:
    assert file_id is not None
    lines = [json.loads(line) for line in client.files.content(file_id).text.splitlines()]
    return {line["custom_id"]: line["response"] for line in lines}


@pytest.mark.parametrize("kind", ["openai", "azure"])
def test_a_batch_runs_and_its_files_are_read_as_at_the_upstream_itself(
    stateful_app: App, upstream: Simulator, kind: str
) -> None:
    sides = [make_client("openai", upstream.backends["main"], UPSTREAM_KEY, prefix="/openai/v1")]
    sides.append(make_client(kind, stateful_app.url, MINE))
    for client in sides:
        begun = begin(client)
        done = client.batches.retrieve(begun.id)
        assert (done.id, done.status, done.input_file_id) == (begun.id, "completed", begun.input_file_id)
        assert done.request_counts.model_dump() == {"total": 3, "completed": 2, "failed": 1}
        answers, failed = lines_of(client, done.output_file_id), lines_of(client, done.error_file_id)
        assert {name: one["status_code"] for name, one in (answers | failed).items()} == {
            "one": 200,
            "two": 429,
            "three": 200,
        }
        assert answers["one"]["body"]["choices"][0]["message"]["content"]
        cancelled = client.batches.cancel(begin(client).id)
        assert cancelled.status == "cancelling"
        assert client.batches.retrieve(cancelled.id).status == "cancelled"
        client.close()


def test_a_batch_stays_in_the_account_of_its_file_and_with_its_caller(stateful_app: App, upstream: Simulator) -> None:
    with (
        make_client("openai", stateful_app.url, MINE) as mine,
        make_client("openai", stateful_app.url, THEIRS) as theirs,
    ):
        first = begin(mine)
        home = upstream.requests(path="batches")[-1]["backend"]
        upstream.behave(**{home: {"status": 503, "on": "objects"}})
        second = begin(mine)
        (elsewhere,) = {one["backend"] for one in upstream.requests(path="batches")} - {home}
        assert [mine.batches.retrieve(one.id).status for one in (first, second)] == ["completed"] * 2
        assert [one["backend"] for one in upstream.requests(method="GET", path="batches")] == [home, elsewhere]
        with pytest.raises(openai.NotFoundError) as never:
            mine.batches.retrieve("batch_never")
        asks: list[Callable[[], Any]] = [
            lambda: theirs.batches.retrieve(first.id),
            lambda: theirs.batches.cancel(second.id),
            lambda: mine.batches.retrieve(first.id[:-1]),
        ]
        for ask in asks:
            with pytest.raises(openai.NotFoundError) as foreign:
                ask()
            assert foreign.value.body == never.value.body
        with pytest.raises(openai.NotFoundError, match="whose they are"):
            mine.batches.list()
