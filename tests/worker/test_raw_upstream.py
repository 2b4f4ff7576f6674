"""Upstreams that no well-meant server resembles: odd framing, odd heads, odd bodies, byte by byte, on the real worker."""

import gzip
import json
from collections.abc import Iterator
from itertools import batched
from typing import Any

import openai
import pytest

from dev.simulator.probe import ask
from tests.app_process import App
from tests.signed_ids import signed_id
from tests.worker.raw_upstream import HALF_CLOSE, HANG, RESET, RawUpstream, Step, answer, chunked
from tests.worker.ways import WAYS, Outcome

JSON = "content-type: application/json\r\n"
EVENTS = "content-type: text/event-stream\r\n"
GZIP = "content-encoding: gzip\r\n"


def chunk(*choices: dict[str, Any], **more: Any) -> bytes:
    value = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def says(content: str, index: int = 0) -> bytes:
    return chunk({"index": index, "delta": {"content": content}, "finish_reason": None})


def stops(index: int = 0) -> bytes:
    return chunk({"index": index, "delta": {}, "finish_reason": "stop"})


ROLE = chunk({"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None})
USAGE = chunk(usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3})
DONE = b"data: [DONE]\n\n"
BEGUN = ROLE + says("Hello") + says(" you")
STREAM = BEGUN + stops() + DONE
CRLF = STREAM.replace(b"\n", b"\r\n")
WHOLE = json.dumps(
    {"id": "c1", "choices": [{"index": 0, "message": {"content": "Hello you"}, "finish_reason": "stop"}]}
).encode()

FINISHED = Outcome("finished", words="Hello you")
CUT = Outcome("failed", "upstream_cut", words="Hello you")
NOT_BEGUN = Outcome("refused", "upstream_cut", 502)
UNREACHABLE = Outcome("refused", "upstream_unreachable", 502)
FAILED = Outcome("refused", "upstream_failed", 502)
IDENTITY_REFUSED = Outcome("refused", "upstream_identity_refused", 502)


@pytest.fixture(scope="module")
def raw() -> Iterator[RawUpstream]:
    with RawUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def raw_app(raw: RawUpstream) -> Iterator[App]:
    """The app before that upstream; no identity, since no test here is about it."""
    with App.start(None, OPENAI_BASE_URL=f"{raw.url}/v1") as app:
        yield app


STREAMS: dict[str, tuple[list[Step], Outcome]] = {
    "a length": ([answer(STREAM)], FINISHED),
    "neither length nor chunks": ([b"HTTP/1.1 200 OK\r\n" + EVENTS.encode() + b"\r\n" + STREAM], FINISHED),
    "a chunk per byte": ([chunked(*(bytes([byte]) for byte in STREAM))], FINISHED),
    "CR": ([chunked(STREAM.replace(b"\n", b"\r"))], FINISHED),
    "CRLF in chunks of three": ([chunked(*(bytes(piece) for piece in batched(CRLF, 3, strict=False)))], FINISHED),
    "every line end at once": ([chunked(ROLE.replace(b"\n", b"\r"), CRLF[len(ROLE) + 2 :])], FINISHED),
    "a head that comes slowly": ([b"HTTP/1.1 200", 0.2, b" OK\r\ncontent-ty", 0.2, answer(STREAM)[24:]], FINISHED),
    "early hints": ([b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", 0.1, answer(STREAM)], FINISHED),
    "no content type": ([answer(STREAM, headers="")], FINISHED),
    "a foreign content type": ([answer(STREAM, headers="content-type: text/plain\r\n")], FINISHED),
    "data after the ending": ([chunked(STREAM + says(" and more") + b"data: {nope\n\n" + DONE)], FINISHED),
    "an error after the ending": ([chunked(STREAM + b'data: {"error":{"code":"late"}}\n\n')], FINISHED),
    "garbage after the ending": ([chunked(STREAM, is_complete=False), 0.1, b"garbage\r\n"], FINISHED),
    "usage before the end": ([chunked(BEGUN + USAGE + stops() + DONE)], FINISHED),
    "odd types": ([chunked(chunk({"index": 0, "delta": {}, "finish_reason": 7}, id=7, usage="none") + STREAM)], FINISHED),
    "an ending without its blank line": ([chunked(STREAM[:-2])], FINISHED),
    "a FIN in mid-stream": ([chunked(BEGUN, is_complete=False), HALF_CLOSE], CUT),
    "a length that is too long": ([answer(BEGUN).replace(b"length: ", b"length: 9")], CUT),
    "a 204": ([b"HTTP/1.1 204 No Content\r\n\r\n"], NOT_BEGUN),
    "nothing": ([answer(b"")], NOT_BEGUN),
    "an error in JSON": ([answer(b'{"error":{"message":"no","code":"no"}}', headers=JSON)], Outcome("refused", "no", 502)),
    "a whole answer": ([answer(WHOLE, headers=JSON)], FINISHED),
    "gzip that nobody asked for": ([answer(gzip.compress(STREAM), headers=EVENTS + GZIP)], NOT_BEGUN),
    "a long header": ([answer(STREAM, headers=f"x-long: {'a' * 20_000}\r\n")], FINISHED),
    "a header that is too long": ([answer(STREAM, headers=f"x-long: {'a' * 200_000}\r\n")], UNREACHABLE),
    "broken chunks at once": ([chunked(BEGUN, is_complete=False) + b"zz\r\n", HANG], UNREACHABLE),
    "broken chunks": ([chunked(BEGUN, is_complete=False), 0.1, b"zz\r\n", HANG], CUT),
    "something that is not HTTP": ([b"\x00\x01\x02\r\n\r\n"], UNREACHABLE),
    "a redirect": ([answer(b"moved", status="302 Found", headers="location: http://127.0.0.1:1/\r\n")], FAILED),
    "another protocol": ([b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"], FAILED),
    "a 401 in the stream": ([chunked(ROLE + b'data: {"error":{"code":"401"}}\n\n')], Outcome("refused", "401", 502)),
}  # fmt: skip


@pytest.mark.parametrize("way", ["openai chat", "chat sse"])
@pytest.mark.parametrize("name", STREAMS)
def test_whatever_the_upstream_does_the_stream_ends_honestly(
    raw: RawUpstream, raw_app: App, name: str, way: str
) -> None:
    steps, expected = STREAMS[name]
    raw.play(*steps)
    assert WAYS[way].ask(raw_app, "m")[1] == expected


WHOLES: dict[str, tuple[list[Step], Outcome]] = {
    "a length": ([answer(WHOLE, headers=JSON)], FINISHED),
    "chunks": ([chunked(WHOLE[:9], WHOLE[9:], headers=JSON)], FINISHED),
    "a length that is too long": ([answer(WHOLE, headers=JSON).replace(b"length: ", b"length: 9")], Outcome("cut")),
    "a reset in the middle": ([chunked(WHOLE[:9], headers=JSON, is_complete=False), 0.1, RESET], Outcome("cut")),
    "an early end that nothing else tells": ([f"HTTP/1.1 200 OK\r\n{JSON}\r\n".encode() + WHOLE[:-5]], Outcome("cut")),
    "a length that nothing tells": ([f"HTTP/1.1 200 OK\r\n{JSON}\r\n".encode() + WHOLE], FINISHED),
    "nothing": ([answer(b"", headers=JSON)], NOT_BEGUN),
    "a redirect": ([answer(b"moved", status="307 Moved", headers="location: http://127.0.0.1:1/\r\n")], FAILED),
}


@pytest.mark.parametrize("name", WHOLES)
def test_a_whole_answer_is_whole_or_visibly_not(raw: RawUpstream, raw_app: App, name: str) -> None:
    steps, expected = WHOLES[name]
    raw.play(*steps)
    assert WAYS["openai whole"].ask(raw_app, "m")[1] == expected


def test_gzip_that_nobody_asked_for_reaches_the_caller_of_a_whole_answer_as_gzip(
    raw: RawUpstream, raw_app: App
) -> None:
    raw.play(answer(gzip.compress(WHOLE), headers=JSON + GZIP))
    seen = WAYS["openai whole"].begin(raw_app, "m").read_all()
    assert (seen.headers["content-encoding"], gzip.decompress(seen.body)) == ("gzip", WHOLE)


CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
DELTAS: dict[str, bytes] = {
    "tool calls only": chunk({"index": 0, "delta": {"role": "assistant", "content": None, "tool_calls": [CALL]}}),
    "a refusal only": chunk({"index": 0, "delta": {"refusal": "I can't"}}),
    "audio only": chunk({"index": 0, "delta": {"audio": {"id": "a1", "data": "AAAA"}}}),
    "two choices in turn": says("a", 0) + says("b", 1) + says("c", 0) + stops(1) + says("d", 0),
    "a very long line": says("x" * 2_000_000),
    "logprobs only": chunk({"index": 0, "delta": {}, "logprobs": {"content": []}, "finish_reason": "stop"}),
}


@pytest.mark.parametrize("name", DELTAS)
def test_every_kind_of_delta_reaches_the_client_as_it_was(raw: RawUpstream, raw_app: App, name: str) -> None:
    def read(base_url: str) -> list[Any]:
        client = openai.OpenAI(base_url=base_url, api_key="any", max_retries=0)
        stream = client.chat.completions.create(model="m", messages=[], stream=True)
        return [event.model_dump() for event in stream]

    raw.play(chunked(ROLE, DELTAS[name], stops(), DONE))
    assert read(f"{raw_app.url}/v1") == read(f"{raw.url}/v1")


def event(kind: str, number: int, **more: Any) -> bytes:
    value = {"type": kind, "sequence_number": number, **more}
    return f"event: {kind}\ndata: {json.dumps(value)}\n\n".encode()


def response(status: str, **more: Any) -> dict[str, Any]:
    fixed = {"object": "response", "created_at": 1, "model": "m", "output": [], "parallel_tool_calls": True}
    return {"id": "resp_1", "status": status, "tools": [], "tool_choice": "auto", **fixed, **more}


CREATED = event("response.created", 0, response=response("in_progress"))
DELTA = event("response.output_text.delta", 1, delta="Hi", item_id="m", output_index=0, content_index=0, logprobs=[])
OOPS = {"code": "server_error", "message": "oops"}
COMPLETED = event("response.completed", 2, response=response("completed"))
FAILED_EVENT = event("response.failed", 2, response=response("failed", error=OOPS))
RESPONSES: dict[str, tuple[list[Step], str]] = {
    "completed": ([chunked(CREATED + DELTA + COMPLETED)], "response.completed"),
    "[DONE] after it": ([chunked(CREATED + DELTA + COMPLETED + DONE)], "response.completed"),
    "keepalives": ([chunked(CREATED + event("keepalive", 1) + DELTA + COMPLETED)], "response.completed"),
    "a new event with fields of known names": (
        [chunked(CREATED + event("response.new", 1, response="x", code=[1]) + DELTA + COMPLETED)],
        "response.completed",
    ),
    "incomplete": (
        [chunked(CREATED + DELTA + event("response.incomplete", 2, response=response("incomplete")))],
        "response.incomplete",
    ),
    "failed": ([chunked(CREATED + DELTA + FAILED_EVENT)], "response.failed"),
    "failed, then reset": ([chunked(CREATED + DELTA + FAILED_EVENT, is_complete=False), 0.1, RESET], "response.failed"),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_a_responses_stream_ends_once_and_as_the_upstream_ended_it(raw: RawUpstream, raw_app: App, name: str) -> None:
    steps, last = RESPONSES[name]
    raw.play(*steps)
    client = openai.OpenAI(base_url=f"{raw_app.url}/v1", api_key="any", max_retries=0)
    with client.responses.create(model="m", input="hi", stream=True) as stream:
        kinds = [one.type for one in stream]
    assert kinds[-1] == last
    assert "error" not in kinds


def test_the_openai_package_raises_for_a_cancelled_response(raw: RawUpstream, raw_app: App) -> None:
    raw.play(chunked(CREATED + DELTA + event("response.cancelled", 2, response=response("cancelled"))))
    client = openai.OpenAI(base_url=f"{raw_app.url}/v1", api_key="any", max_retries=0)
    with (
        client.responses.create(model="m", input="hi", stream=True) as stream,
        pytest.raises(openai.APIError, match="The response was cancelled"),
    ):
        list(stream)


def test_an_error_ending_of_the_upstreams_own_is_the_only_one(raw: RawUpstream, raw_app: App) -> None:
    raw.play(chunked(CREATED + DELTA + event("error", 2, error=OOPS) + event("error", 3, error=OOPS)))
    seen, outcome = WAYS["responses"].ask(raw_app, "m")
    assert outcome == Outcome("failed", "server_error", words="Hi")
    assert seen.body.endswith(DELTA + event("error", 2, error=OOPS) + event("error", 3, error=OOPS))


@pytest.mark.parametrize("path", ["..", ".", "../cancel", "../input_items", "%2e%2e", "%2E%2E/cancel"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_no_id_climbs_to_another_path_of_the_upstream(raw: RawUpstream, raw_app: App, path: str, method: str) -> None:
    raw.play(answer(b"{}", headers=JSON))
    assert ask(f"{raw_app.url}/v1/responses/{path}", method=method).status // 100 == 4  # the host resolves the dots
    assert raw.requests == []


REFUSED = json.dumps({"error": {"message": "Come back later.", "code": "busy", "type": "t", "param": None}}).encode()
LATER = JSON + "retry-after: 7\r\n"
BUSY = Outcome("refused", "busy", 503)
REFUSALS: dict[str, tuple[Step, Outcome]] = {
    "whole": (answer(REFUSED, status="503 Busy", headers=LATER), BUSY),
    "gzip that nobody asked for": (answer(gzip.compress(REFUSED), status="503 Busy", headers=LATER + GZIP), BUSY),
    "broken off": (
        answer(REFUSED[:20], status="503 Busy", headers=LATER).replace(b"length: ", b"length: 9"),
        Outcome("refused", "upstream_failed", 503),
    ),
    "broken off before its body": (
        answer(b"", status="503 Busy", headers=LATER).replace(b"length: 0", b"length: 9"),
        Outcome("refused", "upstream_failed", 503),
    ),
    "no gzip, in spite of its header": (
        answer(REFUSED, status="503 Busy", headers=LATER + GZIP),
        Outcome("refused", "upstream_failed", 503),
    ),
}


@pytest.mark.parametrize("way", ["openai chat", "openai whole", "chat sse", "chat json"])
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_one_however_its_body_ends(raw: RawUpstream, raw_app: App, name: str, way: str) -> None:
    refusal, expected = REFUSALS[name]
    raw.play(refusal)
    seen, outcome = WAYS[way].ask(raw_app, "m")
    assert outcome == expected
    assert seen.headers["retry-after"] == "7"


def test_frames_without_data_mean_nothing_in_the_chat_face(raw: RawUpstream, raw_app: App) -> None:
    raw.play(chunked(b"data:\n\nevent: ping\ndata:\n\n" + STREAM))
    assert WAYS["chat sse"].ask(raw_app, "m")[1] == FINISHED


DELETED = {"id": "resp_1", "object": "response", "deleted": True}


@pytest.mark.parametrize("headers", [JSON, JSON + GZIP])
def test_the_answer_to_a_delete_comes_down_whole(raw: RawUpstream, raw_app: App, headers: str) -> None:
    body = json.dumps(DELETED).encode()
    raw.play(answer(gzip.compress(body) if GZIP in headers else body, headers=headers))
    response_id = signed_id("resp_1")
    address = f"{raw_app.url}/v1/responses/{response_id}"
    seen = ask(address, method="DELETE")
    assert (seen.status, seen.ending, seen.json) == (200, "complete", DELETED | {"id": response_id})
    raw.play(answer(body, headers=headers).replace(b"length: ", b"length: 9"))
    assert ask(address, method="DELETE").json["error"]["code"] == "upstream_unreachable"


def test_a_delete_may_be_answered_with_nothing(raw: RawUpstream, raw_app: App) -> None:
    raw.play(b"HTTP/1.1 204 No Content\r\n\r\n")
    openai.OpenAI(base_url=f"{raw_app.url}/v1", api_key="any").responses.delete(signed_id("resp_1"))


def test_an_answer_to_a_delete_that_is_too_large_is_no_answer(raw: RawUpstream, raw_app: App) -> None:
    raw.play(answer(b" " * 2_000_000 + b"{}", headers=JSON))
    seen = ask(f"{raw_app.url}/v1/responses/{signed_id('resp_1')}", method="DELETE")
    assert (seen.status, seen.json["error"]["code"]) == (502, "upstream_frame_too_large")


ODD_VALUES = ["a\x01b", "a\x0bb", "a\x1bb", "a\x7fb", "caf\xe9", "\x01", "x" * 60_000]
ODD_NAMES = ["x-request-id", "x-ratelimit-limit-tokens", "content-type", "retry-after", "openai-processing-ms"]


@pytest.mark.parametrize("status", ["200 OK", "503 Busy", "400 Bad Request"])
@pytest.mark.parametrize("value", ODD_VALUES, ids=range(len(ODD_VALUES)))
def test_no_header_of_the_upstreams_costs_the_answer(raw: RawUpstream, raw_app: App, value: str, status: str) -> None:
    for name in ODD_NAMES:
        head = f"HTTP/1.1 {status}\r\n{name}: {value}\r\ncontent-length: {len(WHOLE)}\r\n\r\n"
        raw.play(head.encode("latin-1") + WHOLE)
        seen = WAYS["openai whole"].begin(raw_app, "m").read_all()
        if seen.status == 502:  # aiohttp does not take every byte either
            assert seen.json["error"]["code"] == "upstream_unreachable"
            continue
        assert (seen.status, seen.body, seen.ending) == (int(status[:3]), WHOLE, "complete")
        assert seen.headers["x-request-id"].isprintable()


def test_512_headers_of_the_upstreams_do_not_cost_the_answer(raw: RawUpstream, raw_app: App) -> None:
    many = "".join(f"x-ratelimit-{number}: {'1' * 1000}\r\n" for number in range(500))
    raw.play(answer(WHOLE, headers=JSON + many))
    seen = WAYS["openai whole"].begin(raw_app, "m").read_all()
    assert (seen.status, seen.body) == (200, WHOLE)
    assert 0 < sum(len(name) + len(value) for name, value in seen.headers.items()) < 64 * 1024


@pytest.mark.parametrize("status", ["600 Odd", "999 Odd"])
def test_a_status_that_does_not_exist_is_a_bad_gateway(raw: RawUpstream, raw_app: App, status: str) -> None:
    raw.play(answer(b"{}", status=status, headers=JSON))
    assert WAYS["openai whole"].ask(raw_app, "m")[1] == FAILED


def test_a_page_of_a_gateway_cannot_run_at_the_apps_origin(raw: RawUpstream, raw_app: App) -> None:
    raw.play(answer(b"<script>alert(1)</script>", status="404 Not Found", headers="content-type: text/html\r\n"))
    seen = ask(f"{raw_app.url}/v1/responses/{signed_id('resp_1')}")
    assert (seen.status, seen.headers["content-type"]) == (404, "text/html")
    assert "sandbox" in seen.headers["content-security-policy"]
    assert seen.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "headers",
    [
        "retry-after: Mon, 01 Jan 2020 00:00:00 +99999999999999\r\n",
        "content-type: application/json; charset=utf-16\r\n",
    ],
)
@pytest.mark.parametrize("way", ["openai chat", "chat sse"])
def test_an_error_response_with_odd_headers_is_one(raw: RawUpstream, raw_app: App, headers: str, way: str) -> None:
    body = b'{"error":{"message":"you said SECRETPROMPT","code":"busy"}}'
    raw.play(answer(body, status="429 No", headers=headers))
    assert WAYS[way].ask(raw_app, "m")[1] == Outcome("refused", "busy", 429)
    assert "SECRETPROMPT" not in raw_app.log


TOKEN = {"access_token": "t", "expires_on": "9999999999", "resource": "r", "token_type": "Bearer"}


@pytest.mark.parametrize(
    "reply",
    [
        "nope",
        [],
        None,
        {},
        "access_token expires_on",
        TOKEN | {"expires_on": "soon"},
        {"access_token": "t", "expires_on": "1"},
    ],
)
def test_a_token_endpoint_that_cannot_be_understood_is_told_as_such(
    raw: RawUpstream, identity_app: tuple[RawUpstream, App], reply: Any
) -> None:
    identity, app = identity_app
    raw.play(answer(STREAM))
    identity.play(answer(json.dumps(reply).encode()[reply == "nope" :], headers=JSON))
    assert WAYS["openai chat"].ask(app, "m")[1] == Outcome("refused", "identity_unavailable", 502)
    assert raw.requests == []


@pytest.fixture(scope="module")
def identity_app(raw: RawUpstream) -> Iterator[tuple[RawUpstream, App]]:
    with RawUpstream() as identity:
        env = {"IDENTITY_ENDPOINT": f"{identity.url}/token", "IDENTITY_HEADER": "h", "AZURE_OPENAI_ENDPOINT": raw.url}
        with App.start(None, **env) as app:  # type: ignore[arg-type]
            yield identity, app
