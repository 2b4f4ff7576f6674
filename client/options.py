"""The command line, parsed once into a frozen value."""

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from client.failures import EXIT_STATUSES
from client.formats import READERS

DEFAULT_URL = "http://127.0.0.1:7071"
_EPILOG = f"""\
Without an argument, the question is read from standard input. On a terminal this starts a conversation: Ctrl-C stops
an answer, Ctrl-D or /exit quits, /new starts over.

{EXIT_STATUSES}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one run."""

    question: str | None
    url: str
    key: str
    model: str
    system: str
    wire_format: str
    prints_events: bool
    is_verbose: bool

    def request(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        """Return the body of the next request."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        model = {"model": self.model} if self.model else {}
        return {"messages": system + messages, **model}


def read_options(arguments: Sequence[str] | None) -> Options:
    """Parse `arguments` (default: `sys.argv`). Exit with status 2 when they are invalid."""
    parser = _parser()
    read = parser.parse_args(arguments)
    if not _is_address(read.url):
        parser.error("--url: expected an http or https URL, such as https://my-app.azurewebsites.net")
    if not (read.key.isascii() and read.key.isprintable()):
        parser.error("--key: contains non-printable or non-ASCII characters")
    if read.question is not None and not read.question.strip():
        parser.error("the question is empty")
    return Options(
        question=read.question,
        url=read.url.rstrip("/"),
        key=read.key,
        model=read.model,
        system=read.system,
        wire_format="json" if read.no_stream else read.format,
        prints_events=read.json,
        is_verbose=read.verbose,
    )


def _is_address(text: str) -> bool:
    """Return whether `text` is a base URL that request paths can be appended to."""
    try:
        httpx.URL(text)
        port = urlsplit(text).port  # httpx accepts any number as a port
    except (httpx.InvalidURL, ValueError):
        return False
    return port != 0 and re.fullmatch(r"https?://[^/\s?#]+[^\s?#]*", text) is not None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m client",
        description="Send a question to the streaming endpoint and show the answer as it arrives.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("question", nargs="?", help="the question to ask")
    add("--url", default=os.environ.get("STREAM_URL") or DEFAULT_URL, help=f"default: STREAM_URL, else {DEFAULT_URL}")
    add(
        "--key",
        default=os.environ.get("STREAM_KEY", ""),
        help="default: STREAM_KEY (preferred: arguments are visible in process lists)",
    )
    add("--model", default="", help="default: the service's default model")
    add("--system", default="", help="system message sent before the question")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--format", choices=READERS, default="sse", help="the wire format; default: %(default)s")
    how.add_argument("--no-stream", action="store_true", help="get the answer in one piece; same as --format json")
    add("--json", action="store_true", help="print the events as JSON lines, whatever the wire format")
    add("--verbose", action="store_true", help="report timing and token usage on standard error")
    return parser
