"""One question, or a conversation: who asks, who shows the answer, and the status at the end."""

import asyncio
import contextlib
import errno
import io
import os
import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import httpx

from client.failures import FAILED, FINISHED, INCOMPLETE, INTERRUPTED, READER_LEFT, USAGE, Failed, Failure
from client.options import Options, read_options
from client.screens import harmless, new_screen
from client.stream import ask
from client.timings import Timings

PROMPT = "> "
_SHORT_ENDS = {
    "length": "The answer is incomplete: it reached the token limit.",
    "content_filter": "The answer is incomplete: the content filter stopped it.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status; see `failures`."""
    options = read_options(arguments)
    _open_what_is_closed()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        with asyncio.Runner() as runner:
            chat = Chat(options)
            try:
                return _run(runner, chat, options)
            finally:
                runner.run(chat.close())
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:  # standard output's: the connection's own are `Failure`s
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would complain once more when it flushes at the end
        if isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL):
            return READER_LEFT
        _tell(f"The answer could not be written: {error.strerror}.")
        return FAILED


def _open_what_is_closed() -> None:
    """A stream that was closed by whoever started this (`>&-`) is None, and its number would go to the next connection."""
    nowhere = Path(os.devnull)
    sys.stdin = sys.stdin or nowhere.open(encoding="utf-8")
    sys.stdout = sys.stdout or nowhere.open("w", encoding="utf-8")
    sys.stderr = sys.stderr or nowhere.open("w", encoding="utf-8")


def _run(runner: asyncio.Runner, chat: "Chat", options: Options) -> int:
    if options.question is not None:
        return runner.run(chat.answer(options.question))
    if sys.stdin.isatty():
        return _converse(runner, chat)
    question = sys.stdin.read()
    if not question.strip():
        _tell("There is no question: neither an argument nor anything on standard input.")
        return USAGE
    return runner.run(chat.answer(question))


def _converse(runner: asyncio.Runner, chat: "Chat") -> int:
    """Question after question, until the input ends. Ctrl-C stops an answer and asks for the next question."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - gives `input` a history; Windows has its own
    while True:
        try:
            question = input(PROMPT if sys.stdout.isatty() else "").strip()
            if question == "/exit":
                return FINISHED
            if question == "/new":
                chat.forget()
            elif question:
                runner.run(chat.answer(question))
        except EOFError:
            return FINISHED
        except KeyboardInterrupt:
            print(file=sys.stderr)


class Chat:
    """What was said so far, and the connection to the service."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._http = httpx.AsyncClient()
        self._messages: list[dict[str, str]] = []

    async def answer(self, question: str) -> int:
        """Asks and shows the answer; the exit status. A cancelled answer stays in the conversation as far as it came."""
        turn = [*self._messages, {"role": "user", "content": question}]
        timings, said = Timings(), list[str]()
        try:
            reason = await self._show(turn, timings, said)
        except Failure as failure:
            said.clear()
            _tell(f"{failure} [{failure.code}]")
            return failure.exit_status
        finally:
            if said:
                self._messages = [*turn, {"role": "assistant", "content": "".join(said)}]
            if self._options.is_verbose:
                _tell(timings.report())
        if reason in _SHORT_ENDS:
            _tell(_SHORT_ENDS[reason])
            return INCOMPLETE
        return FINISHED

    def forget(self) -> None:
        """The next question is the first."""
        self._messages = []

    async def close(self) -> None:
        """No more questions."""
        await self._http.aclose()

    async def _show(self, turn: list[dict[str, str]], timings: Timings, said: list[str]) -> str:
        """The reason of the end. Raises `Failure`, after it was shown as an event."""
        options, reason = self._options, ""
        answer = ask(self._http, options.url, options.request(turn), key=options.key, wire_format=options.wire_format)
        with new_screen(prints_events=options.prints_events) as screen:
            try:
                async with aclosing(answer) as events:
                    async for event in events:
                        timings.note(event)
                        screen.show(event)
                        match event["type"]:
                            case "delta":
                                said.append(event["text"])
                            case "finished":
                                reason = event["finish_reason"] or ""
                            case "failed":
                                raise Failed(event["error"], has_words=bool(said))
            except Failure as failure:
                if not isinstance(failure, Failed):  # that one came as an event, and has been shown
                    screen.show(failure.event())
                raise
        return reason


def _tell(text: str) -> None:
    print(harmless(text), file=sys.stderr)
