"""The relay: what the client receives equals what the upstream sent, minus only what must be withheld."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UpstreamCut, UpstreamErrorResponse
from shared.events import Usage
from shared.openai_api.inspector import ChunkInspector, ResponseInspector
from shared.openai_api.relay import BodyRelay, BufferedRelay, StreamRelay
from shared.progress import Phase
from shared.translation import ErrorEnding, Translation
from tests.harness.cells import cells

FILTER = b'data: {"id":"","object":"","choices":[],"prompt_filter_results":[{"prompt_index":0}],"usage":null}\n\n'
ROLE = b'data: {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null}}],"usage":null}\n\n'
WORD = 'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Grüße \\ud800"}}],"x":[1e400]}\n\n'.encode()
NOTE = (
    b'data: {"id":"","choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{"check_offset":4}}]}\r\n\r\n'
)
STOP = b'data: {"id":"c1","choices":[{"index":0,"finish_reason":"stop","delta":{}}]}\n\n'
USAGE = b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}\n\n'
DONE = b"data: [DONE]\n\n"
CHAT = FILTER + ROLE + b": comment\n\n" + WORD + NOTE + STOP + USAGE + DONE


def has_ended(relay: Translation) -> bool:
    return relay.progress.phase is Phase.ENDED


def chat(*, hides_usage: bool = False, max_event_bytes: int = 1 << 20) -> StreamRelay:
    return StreamRelay(ChunkInspector(), hides_usage=hides_usage, max_event_bytes=max_event_bytes)


def responses(*, at_once: bool = False) -> StreamRelay:
    return StreamRelay(ResponseInspector(commits_at_once=at_once), hides_usage=True, max_event_bytes=1 << 20)


def event(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | more)}\n\n".encode()


CREATED = event("response.created", sequence_number=0, response={"id": "resp_1", "usage": None})
DELTA = event("response.output_text.delta", sequence_number=1, delta="hi")
COMPLETED = event(
    "response.completed", sequence_number=2, response={"id": "resp_1", "usage": {"input_tokens": 1, "output_tokens": 2}}
)
FAILED = event("response.failed", sequence_number=2, response={"id": "resp_1", "error": None})
OOPS = {"code": "x", "message": "oops"}
ERROR = event("error", sequence_number=3, error={"code": "rate_limit_exceeded", "message": "slow down"})


def test_a_chat_stream_passes_byte_for_byte() -> None:
    relay = chat()
    assert relay.feed(CHAT) == CHAT
    assert has_ended(relay)
    assert (relay.progress.failure, relay.progress.usage, relay.progress.answer_id) == (None, Usage(9, 12), "c1")


@cells("empty", [b"data:\n\n", b"data\n\n", b"event: ping\ndata:\n\n"])
def test_a_frame_whose_data_is_empty_passes_and_means_nothing(empty: bytes) -> None:
    relay = chat()
    assert relay.feed(empty + CHAT) == empty + CHAT
    assert (has_ended(relay), relay.progress.failure) == (True, None)


def test_the_usage_chunk_is_withheld_from_a_caller_who_did_not_ask() -> None:
    relay = chat(hides_usage=True)
    assert relay.feed(CHAT) == CHAT.replace(USAGE, b"")
    assert relay.progress.usage == Usage(9, 12)


def test_a_usage_that_comes_with_a_choice_is_not_withheld() -> None:
    together = STOP.replace(b"}]}", b'}],"usage":{"prompt_tokens":1}}')
    assert chat(hides_usage=True).feed(WORD + together + DONE) == WORD + together + DONE


@given(st.lists(st.integers(0, len(CHAT)), max_size=10))
def test_any_cut_of_the_bytes_relays_the_same(cuts: list[int]) -> None:
    relay, edges = chat(hides_usage=True), [0, *sorted(cuts), len(CHAT)]
    out = b"".join(relay.feed(CHAT[start:end]) for start, end in pairwise(edges))
    assert out == CHAT.replace(USAGE, b"")
    assert has_ended(relay)


def test_what_leaves_is_whole_frames() -> None:
    assert chat().feed(WORD + STOP[:-1]) == WORD


@cells("preamble", [FILTER, ROLE, NOTE, b": ping\n\n", b'data: {"choices":[{"delta":null}]}\n\n'])
def test_a_preamble_is_no_content(preamble: bytes) -> None:
    relay = chat()
    relay.feed(preamble)
    assert not relay.progress.has_content


@cells(
    "delta",
    [
        '{"content":"x"}',
        '{"tool_calls":[{"index":0}]}',
        '{"reasoning_content":"x"}',
        '{"refusal":"x"}',
        '{"new_thing":{"a":1}}',
    ],
)
def test_whatever_the_model_says_is_content(delta: str) -> None:
    relay = chat()
    relay.feed(f'data: {{"choices":[{{"index":0,"delta":{delta}}}]}}\n\n'.encode())
    assert relay.progress.has_content


@cells("frame", [b'data: {"choices":[{"text":"x"}]}\n\n', STOP])
def test_text_and_endings_are_content_too(frame: bytes) -> None:
    relay = chat()
    relay.feed(frame)
    assert relay.progress.has_content


def test_an_error_chunk_ends_the_stream_and_is_passed_as_it_came() -> None:
    error = b'data: {"error":{"message":"overloaded","code":"server_error"}}\n\n'
    relay = chat()
    assert relay.feed(WORD + error + DONE) == WORD + error
    assert isinstance(relay.progress.failure, UpstreamErrorResponse)
    assert relay.fail(relay.progress.failure) == ErrorEnding(b"", is_cut=True)
    assert not has_ended(relay)


@cells("bad", [b"data: {nope\n\n", b"data: \xff\n\n", b'data: {"choices":[{"delta"\n\n'])
def test_a_malformed_event_is_not_passed_and_ends_in_an_error(bad: bytes) -> None:
    relay = chat()
    assert relay.feed(WORD + bad + STOP) == WORD
    assert relay.progress.failure is not None
    assert b'"code":"upstream_malformed"' in relay.fail(relay.progress.failure).frames


def test_an_event_beyond_the_bound_ends_in_an_error() -> None:
    relay = chat(max_event_bytes=1000)
    relay.feed(WORD + b"data: " + b"x" * 2000)
    assert relay.progress.failure is not None
    assert relay.progress.failure.code == "upstream_frame_too_large"


def test_the_error_ending_of_a_chat_stream_is_one_that_every_client_raises() -> None:
    ending = chat().fail(UpstreamCut("broke off"))
    assert ending.is_cut
    assert (
        ending.frames
        == b'data: {"error":{"message":"broke off","type":"upstream_error","code":"upstream_cut","param":null}}\n\n'
    )


def test_a_responses_stream_passes_byte_for_byte_with_its_event_lines() -> None:
    stream = CREATED + event("keepalive", sequence_number=9) + DELTA + event("response.brand_new") + COMPLETED
    relay = responses()
    assert relay.feed(stream) == stream
    assert (has_ended(relay), relay.progress.answer_id, relay.progress.usage) == (True, "resp_1", Usage(1, 2))


def test_a_background_response_is_the_callers_as_soon_as_it_has_an_id() -> None:
    for at_once in (False, True):
        relay = responses(at_once=at_once)
        relay.feed(CREATED)
        assert relay.progress.has_content is at_once


@cells("order", [FAILED + ERROR, ERROR + FAILED, ERROR])
def test_an_error_event_is_a_failure_in_either_order(order: bytes) -> None:
    relay = responses()
    relay.feed(CREATED + order)
    relay.end()
    assert relay.progress.failure is not None
    assert (relay.progress.failure.status, relay.progress.failure.message) == (429, "slow down")


@cells("rest", [DONE, DONE[:-2], b"data: {nope\n\n"])
def test_what_cannot_be_read_after_an_announced_failure_does_not_replace_it(rest: bytes) -> None:
    relay = responses()
    relay.feed(CREATED + DELTA + event("response.failed", response={"error": {"code": "x", "message": "oops"}}) + rest)
    relay.end()
    assert relay.progress.failure is not None
    assert (relay.progress.failure.message, relay.fail(relay.progress.failure).frames) == ("oops", b"")


def test_an_announced_failure_waits_for_its_explanation() -> None:
    relay = responses()
    relay.feed(CREATED + FAILED)
    assert relay.progress.phase is Phase.FAILING
    assert relay.progress.failure is None
    relay.end()
    assert relay.progress.failure is not None


@cells("event_type", ["response.failed", "response.cancelled"])
def test_a_terminal_event_of_the_upstreams_own_is_no_reason_to_cut(event_type: str) -> None:
    relay = responses()
    relay.feed(CREATED + DELTA + event(event_type, response={"error": OOPS}))
    relay.end()
    assert relay.progress.failure is not None
    assert relay.fail(relay.progress.failure) == ErrorEnding(b"", is_cut=False)
    assert relay.fail(UpstreamCut("broke off")).is_cut


def test_a_cancelled_response_ends_in_an_error_event_for_clients_that_do_not_know_it() -> None:
    relay = responses()
    relay.feed(CREATED + DELTA + event("response.cancelled", sequence_number=2, response={"status": "cancelled"}))
    relay.end()
    assert relay.progress.failure is not None
    ending = relay.fail(relay.progress.failure)
    value = json.loads(ending.frames.partition(b"data: ")[2])
    assert (value["type"], value["sequence_number"], value["message"]) == ("error", 3, "The response was cancelled.")
    assert ending.is_cut


def test_the_error_event_that_follows_a_cancellation_is_the_only_one() -> None:
    relay = responses()
    relay.feed(CREATED + DELTA + event("response.cancelled", sequence_number=2, response={}) + ERROR)
    relay.end()
    assert relay.progress.failure is not None
    assert relay.fail(relay.progress.failure) == ErrorEnding(b"", is_cut=True)


def test_an_error_event_of_the_upstreams_own_is_cut_after_as_ours_is() -> None:
    relay = responses()
    relay.feed(CREATED + DELTA + ERROR)
    relay.end()
    assert relay.progress.failure is not None
    assert relay.fail(relay.progress.failure) == ErrorEnding(b"", is_cut=True)


def test_half_a_json_object_has_no_ending_but_the_cut() -> None:
    assert BodyRelay().fail(UpstreamCut("broke off")) == ErrorEnding(b"", is_cut=True)


def test_the_error_ending_of_a_responses_stream_counts_on() -> None:
    relay = responses()
    relay.feed(CREATED + DELTA)
    ending = relay.fail(UpstreamCut("broke off")).frames
    assert ending.startswith(b"event: error\ndata: ")
    value = json.loads(ending.partition(b"data: ")[2])
    assert (value["type"], value["sequence_number"], value["code"]) == ("error", 2, "upstream_cut")
    assert value["error"]["message"] == value["message"] == "broke off"


def test_a_last_frame_without_its_blank_line_still_counts() -> None:
    relay = chat()
    assert relay.feed(WORD + STOP + DONE[:-2]) + relay.end() == WORD + STOP + DONE
    assert has_ended(relay)


def test_a_buffered_stream_leaves_in_one_piece_or_not_at_all() -> None:
    relay = BufferedRelay(ChunkInspector(), hides_usage=True, max_event_bytes=1 << 20)
    assert relay.feed(CHAT[:400]) == b""
    assert relay.feed(CHAT[400:]) == CHAT.replace(USAGE, b"")


def test_a_whole_answer_passes_and_tells_its_usage() -> None:
    for usage in ({"prompt_tokens": 1, "completion_tokens": 2}, {"input_tokens": 1, "output_tokens": 2}):
        relay, body = BodyRelay(), json.dumps({"id": "x", "usage": usage}).encode()
        assert relay.feed(body[:5]) + relay.feed(body[5:]) + relay.end() == body
        assert (relay.progress.usage, relay.progress.answer_id, has_ended(relay)) == (Usage(1, 2), "x", True)


@cells("body", [b"[]", b"", b"{", b'{"usage": 5}', b'{"usage": {"prompt_tokens": "x"}}'])
def test_a_whole_answer_without_a_usage_passes_all_the_same(body: bytes) -> None:
    relay = BodyRelay()
    assert relay.feed(body) + relay.end() == body
    assert relay.progress.usage is None


@cells("more", [DONE, WORD, b"data: {nope\n\n", b'data: {"error":{"message":"late"}}\n\n', b": bye\n\n"])
@cells("cut", [0, 20])
def test_nothing_that_follows_the_models_own_ending_changes_it(more: bytes, cut: int) -> None:
    relay = chat()
    assert relay.feed(WORD + STOP + DONE + more + DONE[:cut]) == WORD + STOP + DONE
    assert (has_ended(relay), relay.progress.failure) == (True, None)


@cells("begun", [b"", CREATED + DELTA], ids=["before content", "after content"])
def test_an_error_of_the_upstreams_own_is_told_once_held_back_or_not(begun: bytes) -> None:
    relay = responses()
    relay.feed(begun + ERROR)
    relay.end()
    assert relay.progress.failure is not None
    assert (relay.fail(relay.progress.failure).frames == b"") is bool(begun)


def test_a_done_after_a_completed_response_is_no_malformed_event() -> None:
    relay = responses()
    assert relay.feed(CREATED + DELTA + COMPLETED + DONE) == CREATED + DELTA + COMPLETED
    assert (has_ended(relay), relay.progress.failure) == (True, None)


@cells(
    "odd",
    [
        b'data: {"id":5,"choices":[{"index":0,"delta":{},"finish_reason":{"type":"stop"}}]}\n\n',
        b'data: {"choices":[],"usage":"none yet"}\n\n',
        b'data: {"choices":[{"delta":"x"}],"usage":{"prompt_tokens":1.5,"prompt_tokens_details":[]}}\n\n',
    ],
)
def test_a_field_of_another_type_than_expected_is_no_malformed_event(odd: bytes) -> None:
    for stream in (odd + WORD + STOP + DONE, WORD + odd + STOP + DONE):
        relay = chat()
        assert relay.feed(stream) == stream
        assert (has_ended(relay), relay.progress.failure) == (True, None)


def test_a_new_event_may_have_a_field_of_a_known_name_and_another_type() -> None:
    stream = CREATED + event("response.brand_new", sequence_number="7", response="resp_1", code=[1]) + DELTA + COMPLETED
    relay = responses()
    assert relay.feed(stream) == stream
    assert (has_ended(relay), relay.progress.failure, relay.progress.usage) == (True, None, Usage(1, 2))


def test_a_whole_answer_of_nothing_is_one_only_where_it_may_be() -> None:
    for may_be_empty in (True, False):
        relay = BodyRelay(may_be_empty=may_be_empty)
        assert relay.end() == b""
        assert relay.progress.has_content is has_ended(relay) is may_be_empty


def test_an_announced_failure_is_not_followed_by_an_ending_that_looks_like_the_models() -> None:
    relay = responses()
    assert relay.feed(CREATED + DELTA + FAILED + COMPLETED) == CREATED + DELTA + FAILED
    assert relay.progress.phase is Phase.FAILED


ARGUMENTS = (
    b'data: {"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}\n\n'
)
CALLED = b'data: {"id":"c1","choices":[{"index":0,"finish_reason":"tool_calls","delta":{}}]}\n\n'
ARGUMENTS_DONE = event("response.function_call_arguments.done", sequence_number=2, arguments="{}")
ITEM_ADDED = event("response.output_item.added", sequence_number=2, item={"type": "function_call"})


@cells(
    ("feed", "can_wait"),
    [
        ([WORD, WORD], True),
        ([WORD, ARGUMENTS], True),
        ([WORD, NOTE], True),
        ([WORD, WORD * 3], True),
        ([WORD, STOP], False),
        ([ARGUMENTS, CALLED], False),
        ([WORD, WORD + STOP], False),
        ([WORD, STOP + WORD], False),
        ([WORD, USAGE], False),
        ([WORD, WORD + b": comment\n\n"], False),
        ([WORD, STOP, DONE], False),
        ([DELTA, DELTA], True),
        ([DELTA, ARGUMENTS_DONE], False),
        ([DELTA, ITEM_ADDED], False),
        ([DELTA, DELTA + COMPLETED], False),
        ([DELTA, ERROR], False),
    ],
)
def test_only_more_of_the_same_can_wait_for_what_comes_next(feed: list[bytes], can_wait: bool) -> None:
    relay = responses() if b"response." in feed[0] else chat()
    for data in feed:
        relay.feed(data)
    assert relay.progress.can_wait is can_wait


def test_a_body_that_is_no_stream_of_events_never_waits() -> None:
    body = BodyRelay()
    body.feed(b"{")
    assert not body.progress.can_wait
