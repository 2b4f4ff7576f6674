"""A conversation moves to the account that has what it names, and stays there. Without a network."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing

from shared.config.backends import Backend
from shared.config.catalog import Target
from shared.config.settings import Settings
from shared.errors import AnswerError, ErrorObject, UpstreamCut, UpstreamErrorResponse, UpstreamUnreachable
from shared.openai_api.inspector import ResponseInspector
from shared.openai_api.relay import StreamRelay
from shared.receipt import Receipt
from shared.upstream.affinity import order
from shared.upstream.attempts import Answer, Upstream
from shared.upstream.call import UpstreamCall, UpstreamResponse
from shared.upstream.pool import BackendPool
from tests.harness.cells import cells

NAMES = ("a", "b", "c")
KEY = b"conversation"
ORDER = order(KEY, dict.fromkeys(NAMES, 1))
"""In which order the conversation asks."""
GOOD = (
    b'data: {"type":"response.output_text.delta","delta":"hi"}\n\n'
    b'data: {"type":"response.completed","response":{"id":"resp_1"}}\n\n'
)
type Reply = AnswerError | bytes


def error(message: str, *, status: int = 400, code: str | None = None, wait: float | None = None) -> AnswerError:
    return UpstreamErrorResponse(
        status=status, error=ErrorObject(message, "invalid_request_error", code), pause_seconds=wait
    )


def event(message: str, code: str = "null") -> bytes:
    return b'data: {"type":"error","error":{"code":%b,"message":"%b"}}\n\n' % (code.encode(), message.encode())


ENCRYPTED = "The encrypted content for item rs_7 could not be verified."
ITEM = "Item with id 'rs_7' not found."
STORE = "Vector store with id [vs_1] not found."
LIMITED = error("slow down", status=429, code="rate_limit_exceeded", wait=30)


class Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        data, self._data = self._data, b""
        return data

    def at_end(self) -> bool:
        return not self._data

    def hang_up(self) -> None:
        """Nobody is there."""

    def close(self) -> None:
        """Nothing is open."""


class Clients:
    """Each backend gives its replies in turn, the last of them again and again."""

    def __init__(self, replies: Mapping[str, Reply | list[Reply]]) -> None:
        self._replies: dict[str, list[Reply]] = {
            name: list(given) if isinstance(given, list) else [given] for name, given in replies.items()
        }
        self.asked: list[str] = []

    async def load(self) -> None:
        """Nothing is slow."""

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        self.asked.append(backend.name)
        replies = self._replies[backend.name]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, AnswerError):
            raise reply
        return UpstreamResponse(200, {}, Body(reply))

    async def aclose(self) -> None:
        """Nothing is open."""


class App:
    """One process before these accounts, all of one priority."""

    def __init__(self, *, lists_deployments: bool = False, clock: Callable[[], float] = lambda: 0.0) -> None:
        deployments = {"m": "m"} if lists_deployments else {}
        backends = [Backend(name=n, base_url="https://b/", scope="s", deployments=deployments) for n in NAMES]
        self.pool = BackendPool(backends, clock=clock, rng=lambda: 0.5)

    def ask(
        self, replies: Mapping[str, Reply | list[Reply]], *, conversation: bytes = KEY, owner: str = "", **env: str
    ) -> tuple[AnswerError | None, list[str]]:
        """The failure, if it is one, and who was asked."""
        clients = Clients(replies)
        settings = Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", **env})
        target = Target("m", {name: "m" for name in NAMES if name in replies})
        call = UpstreamCall(
            path="responses", target=target, conversation=lambda: conversation, owner=owner, owner_param="p"
        )

        async def answer() -> None:
            upstream = Upstream(clients, self.pool, settings)
            receipt = Receipt(id="r", invocation_id="i", api="openai")
            relay = lambda: StreamRelay(ResponseInspector(), hides_usage=False, max_event_bytes=10_000)  # noqa: E731
            with closing(await Answer(call, relay, upstream, receipt).begin()) as stream:
                while await stream.read():
                    pass

        try:
            asyncio.run(answer())
        except AnswerError as failure:
            return failure, clients.asked
        return None, clients.asked


def everywhere(reply: Reply) -> dict[str, Reply | list[Reply]]:
    return dict.fromkeys(NAMES, reply)


MISSING: dict[str, Reply] = {
    "an encrypted item": error(ENCRYPTED),
    "an encrypted item, by code": error("no", code="invalid_encrypted_content"),
    "an encrypted item, as an event": event(ENCRYPTED),
    "an encrypted item, by an event's code": event("no", '"invalid_encrypted_content"'),
    "an item": error(ITEM),
    "an item, as an event": event(ITEM),
    "a vector store": error(STORE, status=404),
    "a file": error("File with id 'f' not found.", status=404),
    "a container": error("Container with id 'c' not found.", status=404),
    "a conversation": error("Conversation with id 'c' not found.", status=404),
    "a prompt": error("Prompt with id 'p' not found.", status=404),
    "a deployment": error("The API deployment does not exist.", status=404, code="DeploymentNotFound"),
}


@cells("missing", MISSING.values(), ids=MISSING)
def test_what_one_account_does_not_have_another_is_asked_for_and_the_next_turn_goes_there_at_once(
    missing: Reply,
) -> None:
    app, owner = App(), ORDER[2]
    replies = {**everywhere(missing), owner: GOOD}
    assert app.ask(replies) == (None, ORDER)
    assert app.ask(replies) == (None, [owner])


@cells("missing", MISSING.values(), ids=MISSING)
def test_nobody_is_cooled_down_by_what_it_does_not_have(missing: Reply) -> None:
    app = App()
    app.ask({**everywhere(missing), ORDER[2]: GOOD})
    other = next(key for key in map(str.encode, "abcdefgh") if order(key, dict.fromkeys(NAMES, 1))[0] == ORDER[0])
    assert app.ask(everywhere(GOOD), conversation=other) == (None, [ORDER[0]])


@cells("missing", [one for name, one in MISSING.items() if not name.startswith("an item")])
def test_where_no_account_has_it_each_is_asked_once_and_the_first_ones_words_are_the_answer(missing: Reply) -> None:
    app = App()
    second: Reply = error("Conversation with id 'other' not found.", status=404)
    failure, asked = app.ask({ORDER[0]: missing, ORDER[1]: second, ORDER[2]: second})
    assert asked == ORDER
    assert failure is not None
    assert failure.status in (400, 404)
    alone, _ = App().ask({ORDER[0]: missing})
    assert alone is not None
    assert (failure.status, failure.message, failure.code) == (alone.status, alone.message, alone.code)


@cells("owners", [LIMITED, error("busy", status=503), UpstreamUnreachable("no"), b""])
def test_the_owners_own_failure_is_the_answer_where_the_others_do_not_have_it(owners: Reply) -> None:
    app = App()
    replies: dict[str, Reply | list[Reply]] = {**everywhere(error(ENCRYPTED)), ORDER[0]: owners}
    for _ in range(2):  # the second time it is cooled down, and asked last
        failure, asked = app.ask(replies, COMMIT_SECONDS="0.05")
        assert failure is not None
        assert set(asked) == set(NAMES)
        expected = owners if isinstance(owners, AnswerError) else UpstreamCut("")
        assert (failure.status, failure.code) == (expected.status, expected.code)


def test_the_owners_retry_after_reaches_the_caller() -> None:
    failure, _ = App().ask({**everywhere(error(ENCRYPTED)), ORDER[1]: LIMITED})
    assert isinstance(failure, UpstreamErrorResponse)
    assert (failure.status, failure.pause_seconds) == (429, 30)


def test_the_only_account_that_may_have_it_is_asked_again_as_a_lone_one_is() -> None:
    soon = error("slow down", status=429, wait=0.01)
    replies: dict[str, Reply | list[Reply]] = {**everywhere(error(ENCRYPTED)), ORDER[0]: [soon, GOOD]}
    assert App().ask(replies) == (None, [*ORDER, ORDER[0]])
    assert App().ask({**replies, ORDER[0]: [soon, soon, GOOD]})[1] == [*ORDER, ORDER[0]]


def test_the_callers_own_mistakes_move_nothing() -> None:
    for own in (error("bad"), error("no", status=404, code="model_not_found"), error("no", code="content_filter")):
        failure, asked = App().ask({**everywhere(GOOD), ORDER[0]: own})
        assert (failure, asked) == (own, [ORDER[0]])


def test_a_deployment_is_not_looked_for_where_the_backends_list_theirs() -> None:
    failure, asked = App(lists_deployments=True).ask({**everywhere(GOOD), ORDER[0]: MISSING["a deployment"]})
    assert (failure, asked) == (MISSING["a deployment"], [ORDER[0]])


def test_an_item_that_the_only_account_does_not_find_yet_is_asked_for_once_more() -> None:
    assert App().ask({"a": [error(ITEM), GOOD]}) == (None, ["a", "a"])
    assert App().ask({"a": [event(ITEM), GOOD]}) == (None, ["a", "a"])
    failure, asked = App().ask({"a": error(ITEM)})
    assert (failure and failure.message, asked) == (ITEM, ["a", "a"])
    assert App().ask({"a": [error(STORE), GOOD]})[1] == ["a"]


def test_an_item_that_no_account_finds_yet_is_asked_for_once_more_where_the_conversation_belongs() -> None:
    replies: dict[str, Reply | list[Reply]] = {**everywhere(error(ITEM)), ORDER[0]: [error(ITEM), GOOD]}
    assert App().ask(replies) == (None, [*ORDER, ORDER[0]])
    failure, asked = App().ask(everywhere(error(ITEM)))
    assert (failure and failure.message, asked) == (ITEM, [*ORDER, ORDER[0]])


def test_a_move_after_content_never_happens() -> None:
    content = b'data: {"type":"response.output_text.delta","delta":"hi"}\n\n'
    failure, asked = App().ask({**everywhere(GOOD), ORDER[0]: content + event(ENCRYPTED)})
    assert failure is not None
    assert asked == [ORDER[0]]


def test_a_failure_that_passes_is_no_move_and_the_conversation_comes_back() -> None:
    now = 0.0
    app = App(clock=lambda: now)
    assert app.ask({**everywhere(GOOD), ORDER[0]: error("busy", status=503)}) == (None, ORDER[:2])
    now = 100.0
    assert app.ask(everywhere(GOOD)) == (None, ORDER[:1])


def test_the_owner_of_a_stored_response_is_asked_alone_and_its_word_is_that_there_is_none() -> None:
    gone = error("Previous response with id 'resp_raw' not found.", code="previous_response_not_found")
    failure, asked = App().ask({**everywhere(GOOD), "b": gone}, owner="b")
    assert asked == ["b"]
    assert failure is not None
    assert (failure.status, failure.code, failure.param) == (404, "response_not_found", "p")
    assert "resp_raw" not in failure.message
    assert App().ask({**everywhere(GOOD), "b": LIMITED}, owner="b") == (LIMITED, ["b"])
    unowned, _ = App().ask({"b": gone})
    assert unowned is not None
    assert unowned.code == "previous_response_not_found", "a request that names no response keeps the account's words"


def test_a_model_that_the_owner_does_not_serve_is_asked_of_nobody() -> None:
    failure, asked = App().ask({"a": GOOD, "c": GOOD}, owner="b")
    assert (failure and failure.code, asked) == ("model_not_found", [])


def test_nothing_is_read_for_the_key_where_there_is_one_candidate() -> None:
    def conversation() -> bytes:
        raise AssertionError

    async def begin() -> None:
        clients, pool = Clients({"a": GOOD}), App().pool
        upstream = Upstream(clients, pool, Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com"}))
        call = UpstreamCall(path="responses", target=Target("m", {"a": "m"}), conversation=conversation)
        receipt = Receipt(id="r", invocation_id="i", api="openai")
        relay = StreamRelay(ResponseInspector(), hides_usage=False, max_event_bytes=10_000)
        (await Answer(call, lambda: relay, upstream, receipt).begin()).close()

    asyncio.run(begin())
