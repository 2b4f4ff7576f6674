"""What requests are made of: bodies of every schema of both APIs, headers and addresses, sane ones and odd ones."""

from typing import Any

from tests.fuzz.setups import CALLER_KEY, ORIGIN, PROMPT

USER = {"role": "user", "content": PROMPT}
PARTS = {
    "role": "user",
    "content": [{"type": "text", "text": PROMPT}, {"type": "image_url", "image_url": {"url": "https://e.com/a.png"}}],
}
UI = {"id": "1", "role": "user", "parts": [{"type": "text", "text": PROMPT}, {"type": "step-start"}]}
FILE = {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AA"}
OPTIONS: dict[str, Any] = {
    "model": "m", "temperature": 0.5, "top_p": 1, "max_output_tokens": 100, "reasoning_effort": "low", "stop": ["x"],
    "seed": 7, "stream": True,
}  # fmt: skip
CHAT_BODIES: tuple[dict[str, Any], ...] = (
    {"input": PROMPT},
    {"messages": [USER]},
    {
        "messages": [{"role": "system", "content": PROMPT}, PARTS, {"role": "assistant", "content": "a"}, USER],
        **OPTIONS,
    },
    {
        "id": "c",
        "trigger": "submit-message",
        "messages": [UI, {"role": "assistant", "parts": [{"type": "reasoning"}]}, UI],
    },
    {"messages": [{"role": "user", "parts": [FILE]}], **OPTIONS},
    {"messages": [USER | {"context": {"a": 1}}], "context": {"k": PROMPT}, "sessionState": [PROMPT, 1]},
    {"messages": [USER], "sessionState": None, "stream": False},
    {"messages": [USER], "context": {"overrides": {}}, "session_state": [PROMPT, 1]},
    {"messages": [UI], "system": PROMPT, "tools": {}, "callSettings": {"topP": 0.5}, "config": {}, "metadata": None},
    {"prompt": PROMPT, **OPTIONS},
)
OPENAI_BODIES: dict[str, tuple[dict[str, Any], ...]] = {
    "chat/completions": (
        {"model": "m", "messages": [USER]},
        {"model": "m", "messages": [PARTS], "stream": True, "stream_options": {"include_usage": True}, "max_tokens": 9},
        {"model": "gpt", "messages": [USER], "stream": True, "max_completion_tokens": 9000, "n": 2, "tools": []},
    ),
    "completions": ({"model": "m", "prompt": PROMPT, "stream": True, "max_tokens": 1},),
    "responses": (
        {"model": "m", "input": PROMPT},
        {"model": "m", "input": [USER], "stream": True, "previous_response_id": "resp_0", "max_output_tokens": 9},
        {"model": "m", "input": PROMPT, "stream": True, "background": True, "store": True},
    ),
    "responses/compact": ({"model": "m", "input": PROMPT},),
    "responses/input_tokens": ({"model": "m", "input": PROMPT},),
    "embeddings": ({"model": "m", "input": [PROMPT]},),
}
AZURE = {"chat/completions", "completions", "embeddings"}
NAMES = (
    *OPTIONS, "input", "messages", "context", "sessionState", "parts", "content", "role", "type", "stream_options",
    "session_state", "prompt", "system", "tools", "callSettings", "config",
    "include_usage", "max_tokens", "max_completion_tokens", "previous_response_id", "background", "detail", "k" * 300,
)  # fmt: skip
ACCEPTS = (
    "text/event-stream", "application/x-ndjson", "application/jsonl", "application/json", "text/plain", "*/*", "text/*",
    "text/html", "application/json;q=0, */*;q=0.1", "a/b;q=1e400", "text/event-stream;q=.2,*;q=0", ";;;", ",,,", "*",
    "text/plain;q=0.5;q=1, application/json;charset=\"x,y\"", "application/ndjson; q=nan", "TEXT/EVENT-STREAM", "\xff/\xff",
    "a/b," * 3000, "text/event-stream\t;q=\t0.9", "*/*;q=-1", "application/json;q=1.0000000000000000000",
)  # fmt: skip
CONTENT_TYPES = (
    "application/json", "application/json; charset=utf-8", "APPLICATION/JSON", 'application/json; charset="utf-8"',
    "application/json;charset=utf-16", "text/plain", "", "application/json;;;=", "multipart/form-data; boundary=x",
    "application/json; charset=" + "x" * 2000, "application/json, text/plain", "\xe9",
)  # fmt: skip
KEY_HEADERS = (
    ("authorization", f"Bearer {CALLER_KEY}"), ("api-key", CALLER_KEY), ("x-functions-key", CALLER_KEY),
    ("authorization", f"bearer   {CALLER_KEY} "), ("authorization", CALLER_KEY), ("authorization", f"Basic {CALLER_KEY}"),
    ("authorization", "Bearer"), ("api-key", CALLER_KEY[:-1]), ("api-key", ""), ("authorization", "Bearer \xff\xfe"),
    ("api-key", "k" * 20_000), ("x-ms-client-principal-id", "somebody"),
)  # fmt: skip
OTHER_HEADERS = (
    ("origin", ORIGIN), ("origin", "https://evil.example"), ("origin", "null"), ("origin", ORIGIN + "\xe9"),
    ("content-encoding", "gzip"), ("content-encoding", "identity"), ("expect", "100-continue"), ("host", "x" * 300),
    ("x-ms-invocation-id", "1"), ("x-forwarded-host", "evil\"<"), ("x-forwarded-proto", "javascript"),
    ("x-client-request-id", "\xe9"), ("x-client-request-id", "a" * 9000), ("openai-beta", "responses=v1"),
    ("user-agent", "ts-http-runtime/1"), ("x-ms-useragent", "ts-http-runtime/1"), ("if-none-match", '"x", *'),
    ("accept-encoding", "gzip, br;q=0"), ("cookie", "a=" + "b" * 4000), ("access-control-request-headers", "x\xe9, y"),
    ("access-control-request-method", "POST"), ("x-request-id", "mine\xff"), ("range", "bytes=0-1"), ("te", "trailers"),
)  # fmt: skip
PLAIN_PATHS = (
    "/health",
    "/",
    "/page/app.js",
    "/page/../function_app.py",
    "/page/%2e%2e/%2e%2e/etc/passwd",
    "/page/",
    "/page/%00",
)
MODEL_PATHS = (
    "/v1/models",
    "/v1/models/gpt",
    "/v1/models/%00",
    "/v1/models/a%2fb",
    "/v1/models/" + "x" * 300,
    "/v1/models/\xe9",
)
STORED = (
    "/v1/responses/resp_1", "/v1/responses/resp_1/cancel", "/v1/responses/resp_1/input_items", "/v1/responses/..",
    "/v1/responses/%2e%2e/cancel", "/openai/v1/responses/resp_1", "/openai/responses/resp_1", "/v1/responses/" + "r" * 300,
)  # fmt: skip
QUERIES = (
    "", "", "format=sse", "format=text", "format=json", "format=ui-message", "format=chat-protocol", "format=nope",
    "format=", "format=%ff", "code=" + CALLER_KEY, "api-version=2024-10-21", "stream=true&starting_after=3",
    "include[]=a&include[]=b", "a=" + "b" * 4000, "%", "&&&=", "format=sse&format=json", "stream=TRUE", "limit=1e400",
)  # fmt: skip
METHODS = ("GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH", "PROPFIND", "TRACE")
HUGE: tuple[tuple[str, str, str, str], ...] = (
    # address, what precedes, what comes again and again, what follows
    ("/chat", '{"messages":[', '{"role":"user","content":"a"},', '{"role":"user","content":"a"}]}'),
    (
        "/chat",
        '{"messages":[{"role":"user","content":[',
        '{"type":"text","text":"a"},',
        '{"type":"text","text":"a"}]}]}',
    ),
    ("/chat", '{"messages":[{"role":"user","parts":[', '{"type":"step-start"},', '{"type":"text","text":"a"}]}]}'),
    ("/chat", '{"input":"', "\\\\", '"}'),
    ("/chat", '{"input":"', "\\\\", ""),
    ("/chat", '{"input":"', "\\ud83d", '"}'),
    ("/chat", '{"messages":[', "[],", "[]]}"),
    ("/chat", '{"input":"a","sessionState":[', '{"\\ud800":0},', "0]}"),
    ("/chat", '{"messages":[{"role":"user","content":"a"}],"context":{"a":[', '"\\ud800",', "0]}}"),
    ("/chat", '{"input":', " ", '"a"}'),
    ("/chat", '{"stop":[', '"",', '""],"input":"a"}'),
    ("/v1/chat/completions", '{"model":"m","messages":[', '"\\ud800",', '""]}'),
    ("/v1/chat/completions", '{"model":"m","stream":true,"stream_options":{"a":[', "1,", "1]}}"),
    ("/v1/chat/completions", '{"model":"m","max_tokens":', "9", "}"),
    ("/v1/responses", '{"model":"m","input":"', "\\u0000", '"}'),
    ("/v1/embeddings", '{"model":"m","input":[', "1e400,", "1]}"),
    ("/v1/embeddings", '{"model":"', "m", '"}'),
)
