"""The program: one question or a conversation, and the exit status."""

import asyncio
import contextlib
import errno
import io
import os
import re
import stat
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx

from client.failures import BROKEN_PIPE, FAILED, FINISHED, INCOMPLETE, INTERRUPTED, USAGE, FailedEvent, Failure
from client.formats import Event
from client.options import Options, UsageOptions, is_about_usage, read_options, read_usage_options
from client.resume import Resumed, is_offered
from client.screens import new_screen, strip_control_characters
from client.stream import ask, models
from client.timings import Timings
from client.usage import show_usage

PROMPT = "> "
STOPPED = "Stopped."
RECONNECTING = "Reconnecting"
HELP = "/new starts over, /model NAME asks another model, /model lists them, /exit or Ctrl-D quits; Ctrl-C stops an answer."
_COMMAND = re.compile(r"/(?P<name>[a-z]+)(?P<rest>| .*)")
"""A path, such as /etc/hosts, is part of a question."""
_INCOMPLETE_ENDINGS = {
    "length": "The answer is incomplete: the token limit was reached.",
    "content_filter": "The answer is incomplete: stopped by the content filter.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the client and return its exit status; `failures` lists them."""
    given = sys.argv[1:] if arguments is None else arguments
    options = read_usage_options(given[1:]) if is_about_usage(given) else read_options(given)
    _reopen_std_streams()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        with asyncio.Runner() as runner:
            if isinstance(options, UsageOptions):
                return runner.run(show_usage(options, _report))
            chat = Chat(options)
            try:
                return _run(runner, chat, options)
            finally:
                runner.run(chat.close())
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:  # from standard output: connection errors are `Failure`s
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the flush at exit would fail again
        if isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL):
            return BROKEN_PIPE
        _report(f"Cannot write the answer: {error.strerror}.")
        return FAILED


def _reopen_std_streams() -> None:
    """Open the null device for every standard stream that the parent process closed (`>&-`).

    Python sets such a stream to None, and the next socket would get its file descriptor.
    """
    null = Path(os.devnull)
    sys.stdin = sys.stdin or null.open(encoding="utf-8")
    sys.stdout = sys.stdout or null.open("w", encoding="utf-8")
    sys.stderr = sys.stderr or null.open("w", encoding="utf-8")


def _run(runner: asyncio.Runner, chat: "Chat", options: Options) -> int:
    if options.question is None and sys.stdin.isatty():
        return _converse(runner, chat)
    question = _with_piped_text(options.question)
    if not question.strip():
        _report("No question: give one as an argument or on standard input.")
        return USAGE
    try:
        return runner.run(chat.answer(question))
    except KeyboardInterrupt:
        _report(STOPPED)
        return INTERRUPTED


def _with_piped_text(question: str | None) -> str:
    """Return the question and what is piped in after it. Without a question everything that is not a terminal is read."""
    if question is None:
        return sys.stdin.read()
    piped = sys.stdin.read() if _is_piped() else ""
    return f"{question}\n\n{piped}" if piped.strip() else question


def _is_piped() -> bool:
    """Return whether standard input is a pipe or a file: anything else that a parent left open may never end."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _converse(runner: asyncio.Runner, chat: "Chat") -> int:
    """Prompt for questions until the input ends. Ctrl-C stops the current answer and returns to the prompt."""
    if sys.stdout.isatty():
        print(strip_control_characters(chat.greeting()))
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - gives `input` a history; the Windows console has one built in
    while True:
        try:
            said = input(PROMPT if sys.stdout.isatty() else "").strip()
        except EOFError:
            print(file=sys.stderr)  # the shell's prompt begins a line
            return FINISHED
        except KeyboardInterrupt:  # gives the line up, as in a shell
            print(file=sys.stderr)
            continue
        try:
            if said == "/exit":
                return FINISHED
            if command := _COMMAND.fullmatch(said):
                runner.run(chat.obey(command["name"], command["rest"].strip()))
            elif said:
                runner.run(chat.answer(said))
        except KeyboardInterrupt:
            _report(STOPPED)


class Chat:
    """The conversation so far, and the HTTP client."""

    def __init__(self, options: Options) -> None:
        """Start an empty conversation."""
        self._options = options
        self._http = httpx.AsyncClient()
        self._messages: list[dict[str, str]] = []
        self._model = options.model
        self._resumes: bool | None = None
        """Whether the service lets an answer go on where it broke; None until it was asked."""

    def greeting(self) -> str:
        """Return one line for the start of a conversation."""
        return f"Asking {self._options.url} ({self._model or 'its default model'}). /help lists the commands, Ctrl-D quits."

    async def obey(self, command: str, argument: str) -> None:
        """Do what a command says, and report it."""
        match command:
            case "help":
                _report(HELP)
            case "new":
                self._messages = []
                _report("A new conversation.")
            case "model" if argument:
                self._model = argument
                _report(f"Model: {argument}")
            case "model":
                await self._report_models()
            case _:
                _report(f"There is no /{command}. {HELP}")

    async def _report_models(self) -> None:
        try:
            names = await models(self._http, self._options.url, key=self._options.key)
        except Failure as failure:
            _report(f"{failure} [{failure.code}]")
            return
        _report(
            f"Model: {self._model or 'the default'}. /model NAME chooses another: {', '.join(names) or 'none is listed'}"
        )

    async def answer(self, question: str) -> int:
        """Ask, show the answer, and return the exit status. What arrived of a cancelled answer stays in the conversation."""
        turn = [*self._messages, {"role": "user", "content": question}]
        timings, texts = Timings(), list[str]()
        try:
            reason = await self._show(turn, timings, texts)
        except Failure as failure:
            texts.clear()
            _report(f"{failure} [{failure.code}]")
            return failure.exit_status
        finally:
            if texts:
                self._messages = [*turn, {"role": "assistant", "content": "".join(texts)}]
            if self._options.is_verbose:
                _report(timings.report())
        if reason in _INCOMPLETE_ENDINGS:
            _report(_INCOMPLETE_ENDINGS[reason])
            return INCOMPLETE
        return FINISHED

    async def close(self) -> None:
        """Close the HTTP client."""
        await self._http.aclose()

    async def _show(self, turn: list[dict[str, str]], timings: Timings, texts: list[str]) -> str:
        """Show the answer and return its finish reason. Show a `Failure` as an event before raising it."""
        options, reason = self._options, ""
        answer, resumed = await self._ask(options.request(turn, model=self._model))
        with new_screen(prints_events=options.prints_events) as screen:
            try:
                async with aclosing(answer) as events:
                    async for event in events:
                        timings.note(event)
                        screen.show(event)
                        match event["type"]:
                            case "delta":
                                texts.append(event["text"])
                            case "finished":
                                reason = event["finish_reason"] or ""
                            case "failed":
                                raise FailedEvent(event["error"], has_text=bool(texts))
            except asyncio.CancelledError:
                if resumed is not None:  # a connection that is closed stops nothing then
                    await resumed.stop()
                raise
            except Failure as failure:
                if not isinstance(failure, FailedEvent):  # which was already shown
                    screen.show(failure.event())
                raise
        return reason

    async def _ask(self, request: dict[str, Any]) -> tuple[AsyncGenerator[Event], Resumed | None]:
        """Return the events of an answer, and the answer itself where it can be taken up again."""
        http, options = self._http, self._options
        if self._resumes is None:
            self._resumes = await is_offered(http, options.url, options.wire_format)
        if not self._resumes:
            return ask(http, options.url, request, key=options.key, wire_format=options.wire_format), None
        resumed = Resumed(http, options.url, key=options.key, wire_format=options.wire_format)
        return resumed.events(request, on_lost=lambda: _report(RECONNECTING)), resumed


def _report(text: str) -> None:
    print(strip_control_characters(text), file=sys.stderr)
