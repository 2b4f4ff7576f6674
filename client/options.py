"""The command line, read once into a frozen value."""

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
Without a question it is read from standard input; from a terminal, that is a conversation (Ctrl-C stops an answer,
Ctrl-D or /exit ends it, /new forgets it).

{EXIT_STATUSES}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the caller asked for."""

    question: str | None
    url: str
    key: str
    model: str
    system: str
    wire_format: str
    prints_events: bool
    is_verbose: bool

    def request(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        """The body of the next request."""
        first = [{"role": "system", "content": self.system}] if self.system else []
        named = {"model": self.model} if self.model else {}
        return {"messages": first + messages, **named}


def read_options(arguments: Sequence[str] | None) -> Options:
    """Reads them. Ends the program with status 2 where they make no sense."""
    parser = _parser()
    read = parser.parse_args(arguments)
    if not _is_address(read.url):
        parser.error("--url: expected an address such as https://my-app.azurewebsites.net")
    if not (read.key.isascii() and read.key.isprintable()):
        parser.error("--key: a key has printable ASCII characters only")
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
    """Whether requests can be sent to paths below it."""
    try:
        httpx.URL(text)
        port = urlsplit(text).port  # and httpx would take any number for a port
    except (httpx.InvalidURL, ValueError):
        return False
    return port != 0 and re.fullmatch(r"https?://[^/\s?#]+[^\s?#]*", text) is not None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m client",
        description="Asks the streaming endpoint, and shows the answer while it is being written.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("question", nargs="?", help="what to ask")
    add("--url", default=os.environ.get("STREAM_URL") or DEFAULT_URL, help=f"default: STREAM_URL, else {DEFAULT_URL}")
    add("--key", default=os.environ.get("STREAM_KEY", ""), help="default: STREAM_KEY, which no process list shows")
    add("--model", default="", help="default: the one that the service is set to")
    add("--system", default="", help="what the model is told beforehand")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--format", choices=READERS, default="sse", help="the wire format; default: %(default)s")
    how.add_argument("--no-stream", action="store_true", help="the whole answer at once; the same as --format json")
    add("--json", action="store_true", help="print the events as JSON lines, whatever the wire format")
    add("--verbose", action="store_true", help="tell on standard error how long it took and what it cost")
    return parser
