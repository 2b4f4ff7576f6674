"""What upstreams have been seen to send, as bytes: Azure's habits, OpenAI's events, and what others stumbled over."""

import base64
import json
import struct
from dataclasses import dataclass, field
from typing import Any

DONE = b"data: [DONE]\n\n"
SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 12,
    "total_tokens": 21,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}


def data(value: Any) -> bytes:
    """One frame as Azure writes it: JSON without spaces, characters as they are."""
    return b"data: " + json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def chunk(*choices: dict[str, Any], **more: Any) -> bytes:
    """A chunk of a chat completion."""
    base = {"id": "chatcmpl-CRdX", "object": "chat.completion.chunk", "created": 1763600000, "model": "gpt-5-mini"}
    return data({**base, "choices": list(choices), "system_fingerprint": "fp_f3927aa00d", **more})


def delta(text: str, index: int = 0, **more: Any) -> bytes:
    """A chunk that says something."""
    choice = {"index": index, "finish_reason": None, "logprobs": None, "content_filter_results": SAFE, **more}
    return chunk({**choice, "delta": {"content": text}}, usage=None)


BLANK = {"id": "", "object": "", "created": 0, "model": ""}
PROMPT_FILTER = data(
    {
        **BLANK,
        "choices": [],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}],
        "usage": None,
    }
)
ROLE = chunk(
    {
        "index": 0,
        "finish_reason": None,
        "delta": {"role": "assistant", "content": "", "refusal": None},
        "content_filter_results": {},
    },
    usage=None,
)
ANNOTATION = data(
    {
        **BLANK,
        "choices": [
            {
                "index": 0,
                "finish_reason": None,
                "content_filter_results": SAFE,
                "content_filter_offsets": {"check_offset": 44, "start_offset": 44, "end_offset": 198},
            }
        ],
    }
)
STOP = chunk({"index": 0, "finish_reason": "stop", "delta": {}, "content_filter_results": {}}, usage=None)
USAGE_CHUNK = chunk(usage=USAGE)
ENDING = STOP + ANNOTATION + USAGE_CHUNK + DONE
OPENING = PROMPT_FILTER + ROLE
WORDS = ("Grüße", ", ", "schöne", " Welt", " 😀", "—", "日本語", " \u2028 \u0085 ", '"quoted"\n', "…")


def tool(index: int, **function: Any) -> bytes:
    """A piece of a tool call."""
    call = {"index": index, "function": function}
    if "name" in function:
        call |= {"id": f"call_{index}", "type": "function"}
    return chunk({"index": 0, "finish_reason": None, "delta": {"tool_calls": [call]}}, usage=None)


def logprobs(text: str, index: int) -> bytes:
    """A chunk with its probabilities."""
    one = {"token": text, "logprob": -0.000123456789, "bytes": list(text.encode()), "top_logprobs": []}
    return delta(text, index, logprobs={"content": [one], "refusal": None})


def event(number: int, kind: str, **fields: Any) -> bytes:
    """A frame of the Responses API."""
    return f"event: {kind}\n".encode() + data({"type": kind, "sequence_number": number, **fields})


def response(status: str, **more: Any) -> dict[str, Any]:
    """A response object."""
    base = {"id": "resp_0a1b", "object": "response", "created_at": 1763600000, "status": status, "error": None}
    return {"response": {**base, "model": "gpt-5-mini", "output": [], "usage": None, **more}}


AT = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
RESPONSE_USAGE = {"input_tokens": 9, "output_tokens": 12, "total_tokens": 21}
RESPONSE_OPENING = (
    event(0, "response.created", **response("in_progress"))
    + event(1, "response.in_progress", **response("in_progress"))
    + event(2, "response.output_item.added", output_index=0, item={"id": "msg_1", "type": "message", "content": []})
    + event(3, "response.content_part.added", **AT, part={"type": "output_text", "text": ""})
)


def response_ending(number: int) -> bytes:
    """The frames that close a text, and the response."""
    return (
        event(number, "response.output_text.done", **AT, text="…", logprobs=[])
        + event(number + 1, "response.content_part.done", **AT, part={"type": "output_text", "text": "…"})
        + event(number + 2, "response.output_item.done", output_index=0, item={"id": "msg_1", "type": "message"})
        + event(number + 3, "response.completed", **response("completed", usage=RESPONSE_USAGE))
    )


def said(text: str, number: int) -> bytes:
    """A delta of the Responses API."""
    return event(number, "response.output_text.delta", **AT, delta=text, logprobs=[], obfuscation="aZ3")


TEXT_EVENTS = b"".join(said(word, 4 + number) for number, word in enumerate(WORDS))
COMPLETION = {"id": "cmpl-1", "object": "text_completion", "created": 1763600000, "model": "gpt-35-turbo-instruct"}


@dataclass(frozen=True, slots=True)
class Recording:
    """A stream, what was asked for, and the part of it that only who asks for the usage gets.

    `fails`: its last event is an error, after which this app cuts the connection.
    """

    body: bytes
    path: str = "/v1/chat/completions"
    asked: dict[str, Any] = field(default_factory=dict)
    usage: bytes = b""
    fails: bool = False


def chat(*frames: bytes, usage: bytes = USAGE_CHUNK, fails: bool = False, **asked: Any) -> Recording:
    """A chat completion."""
    asked = {"messages": [{"role": "user", "content": "hi"}], **asked}
    return Recording(b"".join(frames), asked=asked, usage=usage, fails=fails)


def responses(*frames: bytes, **asked: Any) -> Recording:
    """A response; one that is not stored passes byte for byte."""
    return Recording(b"".join(frames), "/v1/responses", {"input": "hi", "store": False, **asked})


def with_crlf(recording: Recording) -> Recording:
    """The same with the line ends that a proxy may make of them."""
    crlf = {name: getattr(recording, name).replace(b"\n", b"\r\n") for name in ("body", "usage")}
    return Recording(path=recording.path, asked=recording.asked, **crlf)


PLAIN = chat(OPENING, *map(delta, WORDS), ENDING)
FORTY_FOUR = tuple(delta(f" word{number}") for number in range(37))
STREAMS: dict[str, Recording] = {
    "azure chat": PLAIN,
    "azure chat, CRLF": with_crlf(PLAIN),
    "chat without a filter": chat(
        chunk({"index": 0, "delta": {"role": "assistant"}}), delta("Hi"), STOP, USAGE_CHUNK, DONE
    ),
    "chat with comments and an unknown event": chat(
        b": first\n\n", OPENING, b": second\n", delta("Hi"), b"event: sparkle\n" + data({"sparkle": True}), ENDING
    ),
    "chat with spare spaces and several data lines": chat(
        b'data:{"choices":[{"index":0,\ndata: "delta":{"content":"Hi"}}]}\n\n',
        b'data:  {"choices" : [ ] }\n\n',
        STOP,
        DONE,
        usage=b"",
    ),
    "44 events": chat(OPENING, *FORTY_FOUR, delta("end"), ENDING),
    "a 200 kB event": chat(OPENING, delta("x" * 200_000), delta("after it"), ENDING),
    "lone surrogate escapes": chat(
        OPENING,
        delta("SPLIT").replace(b"SPLIT", rb"\ud83d"),
        delta("SPLIT").replace(b"SPLIT", rb"\ude00 \ud800"),
        ENDING,
    ),
    "numbers beyond floats": chat(
        OPENING, chunk({"index": 0, "delta": {"content": "1"}}, odd=[10**40, 1e-7, 1.10]), ENDING
    ),
    "two tool calls": chat(
        OPENING,
        tool(0, name="weather", arguments=""),
        *(tool(0, arguments=piece) for piece in ('{"ci', 'ty":"K', "öln", '"}')),
        tool(1, name="time", arguments=""),
        tool(1, arguments="{}"),
        chunk({"index": 0, "finish_reason": "tool_calls", "delta": {}}, usage=None),
        USAGE_CHUNK,
        DONE,
        tools=[{"type": "function", "function": {"name": "weather"}}],
    ),
    "a JSON schema": chat(
        OPENING,
        *map(delta, ('{"', "city", '":"', "Köln", '"}')),
        ENDING,
        response_format={"type": "json_schema", "json_schema": {"name": "city", "schema": {"type": "object"}}},
    ),
    "two choices with logprobs": chat(
        OPENING,
        *(logprobs(word, number % 2) for number, word in enumerate(WORDS)),
        *(chunk({"index": index, "finish_reason": "stop", "delta": {}}) for index in (0, 1)),
        USAGE_CHUNK,
        DONE,
        n=2,
        logprobs=True,
    ),
    "filtered output": chat(
        OPENING,
        delta("Well"),
        chunk({"index": 0, "finish_reason": "content_filter", "content_filter_results": {"hate": {"filtered": True}}}),
        USAGE_CHUNK,
        DONE,
    ),
    "usage beside a choice": chat(
        OPENING, delta("Hi"), chunk({"index": 0, "finish_reason": "stop", "delta": {}}, usage=USAGE), DONE, usage=b""
    ),
    "an error after content": chat(
        OPENING, delta("Hi"), data({"error": {"message": "Overloaded.", "code": "500"}}), usage=b"", fails=True
    ),
    "completions": Recording(
        data({**BLANK, "choices": [], "prompt_filter_results": []})
        + b"".join(data({**COMPLETION, "choices": [{"index": 0, "text": word}]}) for word in WORDS)
        + data({**COMPLETION, "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})
        + data({**COMPLETION, "choices": [], "usage": USAGE})
        + DONE,
        "/v1/completions",
        {"prompt": "hi"},
        data({**COMPLETION, "choices": [], "usage": USAGE}),
    ),
    "responses": responses(RESPONSE_OPENING, TEXT_EVENTS, response_ending(14)),
    "responses, CRLF": with_crlf(responses(RESPONSE_OPENING, TEXT_EVENTS, response_ending(14))),
    "responses with keepalives and unknown events": responses(
        event(0, "response.created", **response("in_progress")),
        event(1, "keepalive"),
        event(2, "response.in_progress", **response("in_progress")),
        said("Hi", 3),
        event(4, "keepalive"),
        event(5, "response.sparkle.delta", delta="✨", sparkle={"level": 3}),
        b": comment\n\n",
        data({"type": "response.without_its_event_line"}),
        response_ending(6),
    ),
    "responses with a function call and reasoning": responses(
        event(0, "response.created", **response("in_progress")),
        event(1, "response.reasoning_summary_text.delta", item_id="rs_1", output_index=0, summary_index=0, delta="Hm"),
        event(2, "response.function_call_arguments.delta", item_id="fc_1", output_index=1, delta='{"city":"Kö'),
        event(3, "response.function_call_arguments.delta", item_id="fc_1", output_index=1, delta='ln"}'),
        event(4, "response.function_call_arguments.done", item_id="fc_1", output_index=1, arguments='{"city":"Köln"}'),
        event(5, "response.completed", **response("completed", usage=RESPONSE_USAGE)),
        tools=[{"type": "function", "name": "weather", "parameters": {}}],
    ),
    "a response in the background": responses(
        event(0, "response.created", **response("queued", background=True)),
        event(1, "response.queued", **response("queued", background=True)),
        said("Hi", 2),
        response_ending(3),
        background=True,
        store=True,
    ),
    "an incomplete response": responses(
        RESPONSE_OPENING,
        said("Hi", 4),
        event(5, "response.incomplete", **response("incomplete", incomplete_details={"reason": "max_output_tokens"})),
    ),
    "a 200 kB response event": responses(RESPONSE_OPENING, said("x" * 200_000, 4), response_ending(5)),
    "a failed response that is read_failure_details": responses(
        RESPONSE_OPENING,
        said("Hi", 4),
        event(5, "response.failed", **response("failed")),
        event(6, "error", error={"type": "too_many_requests", "code": "rate_limit_exceeded", "message": "Slow down."}),
    ),
}
"""Every one of them is told to its end by the upstream: what the client gets ends where the recording does."""

EMBEDDING = base64.b64encode(struct.pack("<1536f", *(number / 1536 for number in range(1536)))).decode()
SPACED_OUT = (
    b'{\n  "id": "chatcmpl-1",\n  "choices": [{"message": {"content": "Gr\xc3\xbc\xc3\x9fe \\ud83d\\u2028"}}],\n'
    b'  "usage": {"prompt_tokens": 1, "completion_tokens": 1e0},\n  "odd": [1e400, -0.0, 1.10]\n}\n'
)
WHOLES: dict[str, tuple[str, int, bytes]] = {
    "a chat answer": (
        "/v1/chat/completions",
        200,
        SPACED_OUT,
    ),
    "embeddings in base64": (
        "/v1/embeddings",
        200,
        json.dumps({"object": "list", "data": [{"index": n, "embedding": EMBEDDING} for n in range(40)]}).encode(),
    ),
    "a response": ("/v1/responses", 200, json.dumps(response("completed", usage=RESPONSE_USAGE)["response"]).encode()),
    "a legacy completion": ("/v1/completions", 200, json.dumps({**COMPLETION, "choices": []}, indent=4).encode()),
    "a megabyte and a half": ("/v1/chat/completions", 200, b'{"x":"' + b"y" * 1_500_000 + b'"}'),
    "what is no JSON at all": ("/v1/chat/completions", 200, b"\xff\xfe not json"),
    "a refusal": ("/v1/chat/completions", 400, b'{ "error" : {"message":"Nein\\ud800","code":"content_filter"} }'),
    "a refusal in HTML": ("/v1/chat/completions", 502, b"<html>\r\n<h1>502 Bad Gateway</h1>\r\n</html>\r\n"),
    "a refusal without a word": ("/v1/responses", 503, b""),
}
