"""The command line, parsed once into a frozen value."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from client.failures import EXIT_STATUSES
from client.formats import READERS

DEFAULT_URL = "http://127.0.0.1:7071"
_COMMAND = "stream-chat"
_ENDPOINTS = re.compile(r"(/chat/stream|/chat|/stream)?/*$")
"""What follows the base URL where somebody copied it from a curl line."""
_EPILOG = f"""\
Text that is piped in follows the question: git diff | %(prog)s "review this". Without a question it is the question. Without
either, on a terminal, a conversation begins: Ctrl-C stops an answer, Ctrl-D quits, /help lists the commands.

%(prog)s usage shows how many tokens you have used (%(prog)s usage --help).

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

    def request(self, messages: list[dict[str, str]], *, model: str = "") -> dict[str, Any]:
        """Return the body of the next request. `model` is one that was chosen after the start."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        name = model or self.model
        model_field = {"model": name} if name else {}
        return {"messages": system + messages, **model_field}


def read_options(arguments: Sequence[str] | None) -> Options:
    """Parse `arguments` (default: `sys.argv`). Exit with status 2 when they are invalid."""
    parser = _parser()
    read = parser.parse_args(arguments)
    _check_service(parser, read)
    question = " ".join(read.question) if read.question else None
    if question is not None and not question.strip():
        parser.error("the question is empty")
    return Options(
        question=question,
        url=_ENDPOINTS.sub("", read.url),
        key=read.key,
        model=read.model,
        system=read.system,
        wire_format="json" if read.no_stream else read.format,
        prints_events=read.json,
        is_verbose=read.verbose,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageOptions:
    """The options of `usage`. `query`: what is asked; `format`: "table", "csv" or "json"."""

    url: str
    key: str
    query: dict[str, str]
    format: str


def is_about_usage(arguments: Sequence[str]) -> bool:
    """Return whether the command is `usage`; followed by another word it is the beginning of a question."""
    return list(arguments[:1]) == ["usage"] and not any(not one.startswith("-") for one in arguments[1:2])


def read_usage_options(arguments: Sequence[str]) -> UsageOptions:
    """Parse what follows `usage`. Exit with status 2 when it is invalid."""
    parser = argparse.ArgumentParser(
        prog=f"{_program()} usage",
        description="Show what you have used by day and model, and what is left of your limits; an operator sees all callers.",
    )
    _add_service(parser)
    parser.add_argument(
        "--from", dest="first", metavar="DAY", help="such as 2026-11-01; default: this month's first day"
    )
    parser.add_argument("--to", dest="last", metavar="DAY", help="the last day; default: today (UTC)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--csv", dest="format", action="store_const", const="csv", help="print the rows as CSV")
    how.add_argument("--json", dest="format", action="store_const", const="json", help="print everything as JSON")
    read = parser.parse_args(arguments)
    _check_service(parser, read)
    days = {"from": read.first, "to": read.last}
    return UsageOptions(
        url=_ENDPOINTS.sub("", read.url),
        key=read.key,
        query={name: day for name, day in days.items() if day},
        format=read.format or "table",
    )


def _check_service(parser: argparse.ArgumentParser, read: argparse.Namespace) -> None:
    if not _is_address(read.url):
        parser.error("--url: expected an http or https URL, such as https://my-app.azurewebsites.net")
    if not (read.key.isascii() and read.key.isprintable()):
        parser.error("--key: contains non-printable or non-ASCII characters")


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
        prog=_program(),
        description="Send a question to the streaming endpoint and show the answer as it arrives.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("question", nargs="*", help="the question to ask; several words are one question")
    _add_service(parser)
    add("--model", default="", help="default: the service's default model")
    add("--system", default="", help="system message sent before the question")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--format", choices=READERS, default="sse", help="the wire format; default: %(default)s")
    how.add_argument("--no-stream", action="store_true", help="get the answer in one piece; same as --format json")
    add("--json", action="store_true", help="print the events as JSON lines, whatever the wire format")
    add("--verbose", action="store_true", help="report timing and token usage on standard error")
    return parser


def _program() -> str:
    return _COMMAND if Path(sys.argv[0]).stem == _COMMAND else "python -m client"


def _add_service(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which service is asked, and with which key."""
    add = parser.add_argument
    add("--url", default=os.environ.get("STREAM_URL") or DEFAULT_URL, help=f"default: STREAM_URL, else {DEFAULT_URL}")
    add(
        "--key",
        default=os.environ.get("STREAM_KEY", ""),
        help="default: STREAM_KEY (preferred: arguments are visible in process lists)",
    )
