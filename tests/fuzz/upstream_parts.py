"""What upstreams' answers are made of: the events and bodies of each API, errors, headers, sane ones and odd ones."""

from typing import Any

from tests.fuzz.setups import ANSWER, EXPLANATION, INNER_HEADER

USAGE = {"prompt_tokens": 9, "completion_tokens": 12, "prompt_tokens_details": {"cached_tokens": 0}}
FILTERED = {"choices": [], "prompt_filter_results": [{"prompt_index": 0}], "id": "", "model": ""}


def _chunk(delta: Any, finish: Any = None) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None}


def _said(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "sequence_number": 1, **more}


_RESPONSE = {"id": "resp_1", "status": "completed", "usage": {"input_tokens": 1, "output_tokens": 2}, "error": None}
_OOPS = {"code": "server_error", "message": EXPLANATION, "type": "server_error"}
STREAMS: dict[str, list[Any]] = {
    "chat": [
        FILTERED, _chunk({"role": "assistant", "content": ""}), _chunk({"content": ANSWER}), _chunk({"content": " a"}),
        _chunk({"reasoning_content": "hm"}), {"choices": [{"index": 0, "content_filter_results": {}}]}, _chunk({}, "stop"),
        {"choices": [], "usage": USAGE}, "[DONE]",
    ],
    "completions": [
        {"id": "c1", "model": "m", "choices": [{"index": 0, "text": ANSWER, "finish_reason": None}]},
        {"id": "c1", "choices": [{"index": 0, "text": " a", "finish_reason": "length"}]},
        {"choices": [], "usage": USAGE}, "[DONE]",
    ],
    "responses": [
        _said("response.created", response={"id": "resp_1", "status": "in_progress"}),
        _said("response.output_item.added", item={"type": "message"}),
        _said("keepalive"),
        _said("response.output_text.delta", delta=ANSWER),
        _said("response.reasoning_summary_text.delta", delta="hm"),
        _said("response.output_text.delta", delta=" a"),
        _said("response.completed", response=_RESPONSE),
    ],
}  # fmt: skip
EXTRA: dict[str, list[Any]] = {
    "chat": [
        {"error": _OOPS}, {"error": EXPLANATION}, {"error": {"code": 429, "message": EXPLANATION}}, {"error": {}},
        {"error": {"code": "\x1b[31m\nFORGED LINE", "message": EXPLANATION}}, {"error": {"code": "401"}},
        {"error": {"code": "c" * 100_000}}, _chunk({}, "content_filter"), _chunk(None), {"choices": None}, {}, [], None, 1,
        _chunk({"content": [{"text": ANSWER}]}), _chunk({"tool_calls": [{"index": 0}]}), _chunk({"refusal": "no"}),
        {"choices": [{"index": 1, "delta": {"content": "b"}}]}, _chunk({"content": "x" * 60_000}), "[DONE]", "", "[DONE] ",
        {"id": "resp_" + "i" * 60_000, "choices": []},
        {"choices": [], "usage": {"prompt_tokens": -1, "completion_tokens": "a"}},
    ],
    "completions": [{"error": _OOPS}, {"choices": [{"text": None}]}, {"choices": [{"text": ["a"]}]}, "[DONE]"],
    "responses": [
        _said("error", error=_OOPS), _said("error", code="rate_limit_exceeded", message=EXPLANATION), _said("error"),
        _said("response.failed", response={"error": None}), _said("response.failed", response={"error": _OOPS}),
        _said("error", code="\x1b[31m\nFORGED LINE"), _said("error", error={"code": "c" * 100_000}),
        _said("response.incomplete", response={"incomplete_details": {"reason": "content_filter"}}),
        _said("response.cancelled"), _said("response.new.event", delta=ANSWER), _said("keepalive"), "[DONE]",
        _said("response.completed"), _said("response.completed", response="x"), {"type": 7}, {"type": "error", "error": "x"},
        _said("response.output_text.delta", delta=None), _said("response.created", response={"id": "resp_" + "i" * 60_000}),
    ],
}  # fmt: skip
MEDIA = {
    "images/generations": "image_generation",
    "images/edits": "image_edit",
    "audio/speech": "speech",
    "audio/transcriptions": "transcript",
}
"""Which of `STREAMS` is at which path of images and audio."""
for _kind in ("image_generation", "image_edit"):
    STREAMS[_kind] = [
        _said(f"{_kind}.partial_image", b64_json="AAAA", partial_image_index=0),
        _said(f"{_kind}.completed", b64_json=ANSWER, usage={"input_tokens": 1, "output_tokens": 2}),
    ]
STREAMS["speech"] = [_said("speech.audio.delta", audio="AAAA"), _said("speech.audio.done", usage=None)]
STREAMS["transcript"] = [_said("transcript.text.delta", delta=ANSWER), _said("transcript.text.done", text=ANSWER)]
_ODD_MEDIA: list[Any] = [
    _said("error", error=_OOPS), _said("error", message=EXPLANATION), _said("keepalive"), _said("error"), {}, [], "[DONE]",
    _said("image_edit.completed", usage={"input_tokens": "a"}), _said("x", error={"code": "\x1b[31m\nFORGED LINE"}), 1,
    _said("image_generation.partial_image", b64_json="A" * 60_000), _said("speech.audio.done", usage=[1]), None,
]  # fmt: skip
EXTRA |= dict.fromkeys(MEDIA.values(), _ODD_MEDIA)
OBJECTS: tuple[Any, ...] = (
    {"id": "file-1", "object": "file"}, {"id": "vs_1", "object": "vector_store", "metadata": {"id": "file-1"}},
    {"id": "batch_1", "object": "batch", "input_file_id": "file-1", "output_file_id": None, "error_file_id": [""]},
    {"text": ANSWER}, {"created": 1, "data": [{"b64_json": "A" * 9000}]},
    {"object": "list", "data": [{"id": "file-1", "vector_store_id": "vs_1"}, 1, None, []], "first_id": 7, "last_id": "file-1"},
    {"id": None, "data": {"id": "x"}}, {"id": "\ud800"}, {"id": "i" * 60_000}, [],
)  # fmt: skip
WHOLES: tuple[Any, ...] = (
    {"id": "c1", "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}}], "usage": USAGE},
    {"id": "resp_1", "object": "response", "output": [], "usage": {"input_tokens": 1, "output_tokens": 2}},
    {"object": "list", "data": [{"embedding": [0.1, 0.2]}], "usage": {"prompt_tokens": 1}},
)
ERRORS: tuple[Any, ...] = (
    {"error": {"message": EXPLANATION, "type": "invalid_request_error", "code": "x", "param": None}},
    {"error": {"code": "content_filter", "message": EXPLANATION, "innererror": {}}},
    {"error": {"code": "429", "message": EXPLANATION}},
    {"error": {"code": "\x1b[31m\nFORGED LINE\r\n", "message": EXPLANATION}},
    {"error": {"code": "c" * 100_000, "message": EXPLANATION}},
    {"error": {"code": None, "message": None}}, {"error": EXPLANATION}, {"statusCode": 404, "message": EXPLANATION},
    {"error": {"code": {"a": 1}, "message": ["x"], "param": 7, "type": True}}, [], None, EXPLANATION, 1e400,
    {"error": {"code": "previous_response_not_found", "message": EXPLANATION}},
)  # fmt: skip
ODD_FRAMES = (
    b": c\n\n", b"\n\n\n", b"retry: 1\n\n", b"id: 1\n\n", b"data\n\n", b"data: \n\n", b"event: x\n\n", b"data: {\n\n",
    b"data: {\ndata: }\n\n", b"\x00\n\n", b"data: \xff\n\n",
)  # fmt: skip
STATUSES = (
    200, 200, 201, 202, 203, 204, 205, 206, 207, 226, 299, 300, 301, 302, 303, 304, 307, 308, 399, 400, 401, 402, 403, 404,
    405, 408, 409, 410, 413, 415, 418, 422, 424, 425, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 511, 520, 529, 599,
    600, 666, 700, 799, 900, 999,
)  # fmt: skip
RETRY_AFTERS = (
    "1", "0", "-1", "0.5", "1e400", "nan", "inf", "-inf", "9" * 400, "Mon, 01 Jan 2020 00:00:00 GMT", "soon", "", " 2 ",
    "Mon, 01 Jan 2020 00:00:00 +99999999999999", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Wed, 21 Oct 2099 07:28:00",
    "Fri, 31 Dec 9999 23:59:59 -2359", "1;2", "\u0661".encode().decode("latin-1"), "120", "Mon, 32 Jan 2020 25:61:61 GMT",
)  # fmt: skip
CONTENT_TYPES = (
    "text/event-stream", "text/event-stream; charset=utf-8", "application/json", "text/html", "", "text/plain; charset=utf-16",
    "application/json; charset=utf-16", "application/json; charset=x", "multipart/mixed", "a" * 5000, "image/png",
    "application/json; charset=rot13", "text/html; charset=hex",
)  # fmt: skip
PASSED_ON = ("x-request-id", "apim-request-id", "x-ms-region", "openai-processing-ms", "x-ratelimit-remaining-tokens")
VALUES = (
    "a", "", "a" * 9000, "a\x01b", "a\x0bb", "a\x1b[31mb", "a\x7fb", "a\tb", "\xe9", "\x80\xff",
    "José".encode().decode("latin-1"),
    '"<script>"', "a, b", "0", "-1",
)  # fmt: skip
ODD_HEADERS: tuple[tuple[str, str], ...] = (
    ("set-cookie", f"a={INNER_HEADER}"), ("location", f"https://evil.example/{INNER_HEADER}"), ("x-inner", INNER_HEADER),
    ("server", INNER_HEADER), ("access-control-allow-origin", "*"), ("content-length", "5"), ("content-length", "99999999"),
    ("content-length", "-1"), ("content-length", "1, 1"), ("content-encoding", "gzip"), ("content-encoding", "br"),
    ("transfer-encoding", "gzip"), ("connection", "close"), ("x-ratelimit-a b", "1"), ("x-ratelimit-\xe9", "1"),
    ("upgrade", "h2c"), ("vary", "*"), ("x-ratelimit-", "1"), ("x-ratelimit-limit-requests", "9" * 4000),
)  # fmt: skip
