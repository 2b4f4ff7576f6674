"""One list of rules over the three dialects: what each says upstream, and every chunk shape that it survives."""

import json
from typing import Any

import pytest

from shared.chat.dialects import DIALECTS
from shared.chat.shapes import parse_chat_request
from shared.config.backends import single_backend
from shared.errors import BadRequest, UpstreamErrorResponse, UpstreamMalformed
from shared.events import AnswerEvent, Citation, Delta, Finished, Reasoning, Source, Started, Step, Usage
from tests.harness.cells import cells

AZURE = single_backend("E", "https://a.openai.azure.com", scope="s", is_azure=True)
OTHER = single_backend("E", "http://localhost:11434/v1", scope="s", is_azure=False)


def events_of(dialect: str, *frames: Any) -> list[AnswerEvent]:
    decoder = DIALECTS[dialect].new_decoder()
    out: list[AnswerEvent] = []
    for frame in frames:
        out += decoder.decode(frame if isinstance(frame, bytes) else json.dumps(frame).encode())
    return out + decoder.end()


def chat(delta: Any = None, *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]} | more


def completion(text: Any = None, *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [{"index": 0, "text": text, "finish_reason": finish}]} | more


def response(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}"} | more


USAGE = {"prompt_tokens": 9, "completion_tokens": 12, "prompt_tokens_details": {"cached_tokens": 4},
         "completion_tokens_details": {"reasoning_tokens": 3}}  # fmt: skip
RESPONSE_USAGE = {"input_tokens": 9, "output_tokens": 12, "input_tokens_details": {"cached_tokens": 4},
                  "output_tokens_details": {"reasoning_tokens": 3}}  # fmt: skip
CREATED = response("created", response={"id": "c1", "model": "m"})
HELLO: dict[str, list[Any]] = {
    "chat": [chat({"role": "assistant", "content": ""}), chat({"content": "Hello"}), chat({"content": " you"}),
             chat({}, finish="stop"), {"choices": [], "usage": USAGE}, b"[DONE]"],
    "completions": [completion(""), completion("Hello"), completion(" you"), completion("", finish="stop"),
                    {"choices": [], "usage": USAGE}, b"[DONE]"],
    "responses": [CREATED, response("in_progress"), response("output_text.delta", delta="Hello"),
                  response("output_text.delta", delta=" you"), response("output_text.done", text="Hello you"),
                  response("completed", response={"id": "c1", "usage": RESPONSE_USAGE})],
}  # fmt: skip
SAID: list[AnswerEvent] = [Started("c1", "m"), Delta("Hello"), Delta(" you"), Usage(9, 12, 4, 3), Finished("stop")]


@cells("dialect", DIALECTS)
def test_the_same_answer_gives_the_same_events_in_every_dialect(dialect: str) -> None:
    assert events_of(dialect, *HELLO[dialect]) == SAID


ENDINGS: list[tuple[str, Any, str]] = [
    *[("chat", chat({}, finish=reason), reason) for reason in ("stop", "length", "content_filter", "tool_calls")],
    ("chat", chat(None, finish="content_filter"), "content_filter"),
    ("chat", chat({}, finish="function_call"), "tool_calls"),
    ("chat", chat({}, finish="eos_token"), "stop"),
    *[("completions", completion("", finish=reason), reason) for reason in ("stop", "length", "content_filter")],
    ("responses", response("incomplete", response={"incomplete_details": {"reason": "max_output_tokens"}}), "length"),
    (
        "responses",
        response("incomplete", response={"incomplete_details": {"reason": "content_filter"}}),
        "content_filter",
    ),
    ("responses", response("completed", response={}), "stop"),
]


@cells(("dialect", "frame", "reason"), ENDINGS)
def test_the_finish_reason_is_what_the_upstream_said(dialect: str, frame: Any, reason: str) -> None:
    tail = [] if dialect == "responses" else [b"[DONE]"]
    assert events_of(dialect, frame, *tail)[-1] == Finished(reason)


def test_a_function_call_of_the_responses_api_ends_in_tool_calls() -> None:
    item = response("output_item.added", item={"type": "function_call"})
    assert events_of("responses", item, response("completed", response={}))[-1] == Finished("tool_calls")


SURVIVED: list[tuple[str, Any]] = [
    (
        "chat",
        {
            "id": "",
            "object": "",
            "created": 0,
            "model": "",
            "choices": [],
            "prompt_filter_results": [{}],
            "usage": None,
        },
    ),
    (
        "chat",
        {"id": "", "choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {"check_offset": 44}}]},
    ),
    ("chat", {"choices": None}),
    ("chat", {}),
    ("chat", {"choices": [{"index": 0, "delta": None}]}),
    ("chat", {"choices": [{"index": 0, "delta": {"content": None}}]}),
    ("chat", {"choices": [{"delta": {"content": 5, "tool_calls": [{"index": 0}]}}]}),
    ("chat", {"choices": [{"index": 1, "delta": {"content": "another choice"}}]}),
    ("completions", {"choices": []}),
    ("completions", {"choices": [{"text": None}]}),
    ("responses", {"type": "keepalive", "sequence_number": 7}),
    ("responses", {"type": "response.something.new", "delta": {"x": 1}}),
    ("responses", {"type": "response.output_text.delta", "delta": None}),
    ("responses", {"type": "response.function_call_arguments.delta", "delta": "{}"}),
    ("responses", {}),
]


@cells(("dialect", "odd"), SURVIVED)
def test_an_odd_chunk_anywhere_changes_nothing(dialect: str, odd: Any) -> None:
    frames = HELLO[dialect]
    for place in range(len(frames)):
        events = events_of(dialect, *frames[:place], odd, *frames[place:])
        assert [event for event in events if not isinstance(event, Started)] == SAID[1:]


def test_annotations_after_the_end_are_survived() -> None:
    after = {"id": "", "choices": [{"index": 0, "finish_reason": None, "content_filter_results": {}}]}
    frames = HELLO["chat"]
    assert events_of("chat", *frames[:4], after, *frames[4:]) == SAID


@cells("delta", [{"reasoning_content": "hm"}, {"reasoning": "hm"}])
def test_reasoning_is_told_apart_from_the_answer(delta: Any) -> None:
    assert Reasoning("hm") in events_of("chat", chat(delta))
    assert events_of("responses", response("reasoning_summary_text.delta", delta="hm")) == [Reasoning("hm")]


def test_a_refusal_is_part_of_what_the_model_says() -> None:
    assert Delta("I can't.") in events_of("chat", chat({"refusal": "I can't."}))
    assert events_of("responses", response("refusal.delta", delta="I can't.")) == [Delta("I can't.")]


def test_a_list_of_parts_is_read_as_text() -> None:
    assert Delta("ab") in events_of("chat", chat({"content": [{"type": "text", "text": "a"}, {"text": "b"}]}))


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    assert Delta("a\ufffd") in events_of("chat", b'{"choices":[{"delta":{"content":"a\\ud800"}}]}')


def test_tools_that_run_upstream_report_their_steps() -> None:
    assert events_of("responses", response("web_search_call.searching")) == [Step("web_search", "searching")]
    assert events_of("responses", response("file_search_call.completed")) == [Step("file_search", "completed")]


@cells(
    ("item", "step"),
    [
        (
            {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}},
            Step("web_search", "completed", {"query": "q"}),
        ),
        (
            {"type": "web_search_call", "status": "failed", "action": {"query": "q", "queries": ["q", "r"]}},
            Step("web_search", "failed", {"query": "q; r"}),
        ),
        (
            {"type": "file_search_call", "queries": ["f"], "status": 5},
            Step("file_search", "completed", {"query": "f"}),
        ),
    ],
)
def test_what_a_search_searched_for_is_told_with_its_end(item: Any, step: Step) -> None:
    assert events_of("responses", response("output_item.done", item=item)) == [step]


@cells(
    "item",
    [
        {"type": "message"},
        {"type": "web_search_call"},
        {"type": "web_search_call", "action": {"type": "open_page", "url": "https://x"}},
        {"type": "web_search_call", "action": 5},
        {"type": "file_search_call", "queries": "f"},
        {"type": "file_search_call", "queries": [None, ""]},
        {"type": "mcp_call"},
        {},
        5,
    ],
)
def test_an_item_that_tells_no_query_is_no_step(item: Any) -> None:
    assert events_of("responses", response("output_item.done", item=item)) == []


def annotated(**annotation: Any) -> dict[str, Any]:
    return response("output_text.annotation.added", annotation=annotation)


def test_what_a_tool_cites_is_a_source_once_and_a_citation_each_time() -> None:
    link = {"type": "url_citation", "url": "https://x/a", "title": "A"}
    assert events_of("responses", annotated(**link, start_index=2, end_index=9),
                     annotated(**link, start_index=12, end_index=19)) == [
        Source("tool-1", "A", "https://x/a"), Citation("tool-1", 2, 9), Citation("tool-1", 12, 19),
    ]  # fmt: skip


def test_positions_count_from_the_beginning_of_the_answer() -> None:
    events = events_of(
        "responses",
        response("output_text.delta", delta="Grüße"),
        response("output_text.done", text="Grüße"),
        response("refusal.done", refusal="no"),
        annotated(type="file_citation", file_id="f1", filename="a.pdf", index=3),
        annotated(type="container_file_citation", file_id="f2", filename="b.png", start_index=0, end_index=1),
    )
    assert events[1:] == [
        Source("tool-1", "a.pdf"),
        Citation("tool-1", 10, 10),
        Source("tool-2", "b.png"),
        Citation("tool-2", 7, 8),
    ]


A = Source("tool-1", "https://x/a", "https://x/a")
HOSTILE = [
    ({"type": "url_citation", "url": "javascript:alert(1)", "title": "A", "index": 1},
     [Source("tool-1", "A"), Citation("tool-1", 1, 1)]),
    ({"type": "url_citation", "url": "https://x/a"}, [A]),
    ({"type": "url_citation", "url": "https://x/a", "start_index": 9, "end_index": 2}, [A]),
    ({"type": "url_citation", "url": "https://x/a", "start_index": -1, "end_index": 2**40}, [A]),
    ({"type": "url_citation", "url": 5, "title": None}, []),
    ({"type": "file_citation", "file_id": "f", "index": True}, [Source("tool-1", "f")]),
    ({"type": "file_path", "file_id": "f", "index": 1}, []),
    ({"type": "new_citation", "url": "https://x"}, []),
    ({"type": 7}, []),
    ({}, []),
    ({"type": "file_citation", "file_id": "f", "filename": "n" * 500}, [Source("tool-1", "n" * 300)]),
]  # fmt: skip


@cells(("annotation", "events"), HOSTILE)
def test_an_annotation_links_to_nothing_but_pages_and_never_fails(annotation: Any, events: list[AnswerEvent]) -> None:
    assert events_of("responses", annotated(**annotation)) == events
    assert events_of("responses", response("output_text.annotation.added", annotation=[annotation])) == []


def test_the_sources_of_an_answer_are_bounded() -> None:
    frames = [annotated(type="url_citation", url=f"https://x/{number}") for number in range(300)]
    assert len(events_of("responses", *frames)) == 200


@cells("dialect", DIALECTS)
@cells("bad", [b"{", b"nope", b'{"choices": 5, "type": 5}', b"[1]", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_malformed(dialect: str, bad: bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        events_of(dialect, bad)


@cells("dialect", ["chat", "completions"])
def test_a_clean_end_without_a_finish_reason_is_no_ending(dialect: str) -> None:
    events = events_of(dialect, *HELLO[dialect][:3])
    assert not any(isinstance(event, Finished) for event in events)
    assert not any(isinstance(event, Finished) for event in events_of(dialect, *HELLO[dialect][:3], b"[DONE]"))


@cells("dialect", ["chat", "completions"])
def test_a_finish_reason_and_a_clean_end_is_an_ending_even_without_done(dialect: str) -> None:
    assert events_of(dialect, *HELLO[dialect][:5]) == SAID


NESTED = {
    "type": "error",
    "error": {"type": "too_many_requests", "code": "rate_limit_exceeded", "message": "slow down"},
}
FLAT = {"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None}
FAILED = response("failed", response={"status": "failed", "error": None})


@cells("error", [NESTED, FLAT], ids=["nested", "flat"])
@cells("order", ["error", "failed, error", "error, failed"])
def test_an_error_event_tells_its_status_by_its_code(error: Any, order: str) -> None:
    frames = [{"error": error, "failed": FAILED}[word] for word in order.split(", ")]
    with pytest.raises(UpstreamErrorResponse, match="slow down") as caught:
        events_of("responses", CREATED, *frames)
    assert (caught.value.status, caught.value.code) == (429, "rate_limit_exceeded")


def test_only_a_failure_without_an_explanation_waits_for_the_next_event() -> None:
    explained = response("failed", response={"error": {"code": "server_error", "message": "oops"}})
    decoder = DIALECTS["responses"].new_decoder()
    assert decoder.decode(json.dumps(FAILED).encode()) == []
    assert decoder.may_have_failed
    with pytest.raises(UpstreamErrorResponse, match="without an explanation"):
        decoder.decode(json.dumps(CREATED).encode())
    for frame in (explained, NESTED, FLAT):
        with pytest.raises(UpstreamErrorResponse, match=r"oops|slow down"):
            DIALECTS["responses"].new_decoder().decode(json.dumps(frame).encode())


def test_a_failure_that_stays_unexplained_is_a_failure() -> None:
    with pytest.raises(UpstreamErrorResponse) as caught:
        events_of("responses", CREATED, FAILED)
    assert caught.value.status == 502


@cells("error", [{"message": "no", "code": "content_filter"}, {"message": "no", "code": "400"}])
def test_an_error_chunk_in_a_chat_stream_is_a_refusal(error: Any) -> None:
    with pytest.raises(UpstreamErrorResponse, match="no") as caught:
        events_of("chat", {"error": error})
    assert caught.value.status == 400


FULL = {"messages": [{"role": "system", "content": "brief"}, {"role": "user", "content": [
    {"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}],
    "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 7, "reasoning_effort": "low"}  # fmt: skip


def body(dialect: str, request: dict[str, Any], backend: Any = AZURE) -> Any:
    _, parsed = parse_chat_request(json.dumps(request).encode())
    return json.loads(DIALECTS[dialect].request_body(parsed, "dep", backend=backend))


def test_the_request_in_chat_completions() -> None:
    assert body("chat", FULL | {"stop": "x", "seed": 1}) == {
        "model": "dep",
        "messages": FULL["messages"],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "top_p": 0.9,
        "max_completion_tokens": 7,
        "reasoning_effort": "low",
        "stop": ["x"],
        "seed": 1,
    }
    assert body("chat", {"input": "hi", "max_output_tokens": 7}, OTHER)["max_tokens"] == 7


def test_the_request_in_responses() -> None:
    parts = [
        {"type": "input_text", "text": "hi"},
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"},
    ]
    assert body("responses", FULL) == {
        "model": "dep",
        "input": [
            {"role": "system", "content": [{"type": "input_text", "text": "brief"}]},
            {"role": "user", "content": parts},
        ],
        "stream": True,
        "store": False,
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 7,
        "reasoning": {"effort": "low", "summary": "auto"},
    }


def test_the_request_in_legacy_completions() -> None:
    assert body("completions", {"input": "Once upon", "max_output_tokens": 7})["prompt"] == "Once upon"
    turns = [{"role": "system", "content": "brief"}, {"role": "user", "content": "hi"}]
    assert body("completions", {"messages": turns})["prompt"] == "System: brief\n\nUser: hi\n\nAssistant:"


@cells(
    ("dialect", "option", "field"),
    [
        ("responses", {"stop": "x"}, "stop"),
        ("responses", {"seed": 1}, "seed"),
        ("completions", {"reasoning_effort": "low"}, "reasoning_effort"),
    ],
)
def test_what_a_dialect_cannot_carry_is_refused_by_name(dialect: str, option: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        body(dialect, {"input": "hi"} | option)
    assert caught.value.param == field


def test_a_prompt_of_text_cannot_carry_images() -> None:
    with pytest.raises(BadRequest, match="Images"):
        body("completions", {"messages": FULL["messages"]})
