"""The subjects of the benchmark."""

from collections.abc import Callable, Mapping

from bench.peers import LiteLLM, Nginx
from bench.service import ROOT
from bench.subject import CHAT_BODY, OPENAI_BODY, Direct, FunctionApp, Subject

APPS = ROOT / "bench" / "subjects"
RELAY, CHAT, SAMPLE, BARE, NGINX, EMPTY = "relay", "chat-sse", "sample", "bare", "nginx", "empty"
TELEMETRY = "relay-telemetry"


def _relay() -> Subject:
    return FunctionApp(
        RELAY, "this app, `/v1` relay", app=ROOT, path="/v1/chat/completions", body=OPENAI_BODY, is_keyless=True
    )


def relay_with(name: str, settings: Mapping[str, str]) -> FunctionApp:
    """Return the relay under another name, with settings of its own."""
    subject = FunctionApp(name, name, app=ROOT, path="/v1/chat/completions", body=OPENAI_BODY, is_keyless=True)
    subject.deploy(ROOT, settings)
    return subject


def _with_telemetry() -> Subject:
    subject = FunctionApp(
        TELEMETRY,
        "the same, with telemetry on",
        app=ROOT,
        path="/v1/chat/completions",
        body=OPENAI_BODY,
        is_keyless=True,
    )
    subject.has_telemetry = True
    return subject


def _chat(wire: str) -> Callable[[], Subject]:
    return lambda: FunctionApp(
        f"chat-{wire}",
        f"this app, `/chat` {wire}",
        app=ROOT,
        path=f"/chat?format={wire}",
        body=CHAT_BODY,
        is_keyless=True,
        is_buffered=wire == "json",
    )


def _sample() -> Subject:
    return FunctionApp(
        SAMPLE, "official sample", app=APPS / "sample", path="/stream", body={"messages": CHAT_BODY["messages"]}
    )


def _bare() -> Subject:
    return FunctionApp(BARE, "bare aiohttp relay", app=APPS / "bare", path="/relay", body=OPENAI_BODY)


def _empty() -> Subject:
    return FunctionApp(EMPTY, "empty function", app=APPS / "empty", path="/empty", body=OPENAI_BODY, streams=False)


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "direct": Direct,
    RELAY: _relay,
    TELEMETRY: _with_telemetry,
    CHAT: _chat("sse"),
    "chat-ndjson": _chat("ndjson"),
    "chat-text": _chat("text"),
    "chat-json": _chat("json"),
    SAMPLE: _sample,
    BARE: _bare,
    EMPTY: _empty,
    NGINX: Nginx,
    "litellm": LiteLLM,
}
"""In the order of the tables."""


def make_subject(name: str) -> Subject:
    """Create one of `SUBJECTS`, without starting it."""
    return SUBJECTS[name]()
