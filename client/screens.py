"""Where an answer is shown: on a terminal, as plain text in a pipe, or as JSON lines for a script."""

import json
import sys
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

from client.formats import Event

_FENCES = ("```", "~~~")
_CONTROLS = {code: None for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if chr(code) not in "\n\t"}
FRAMES_PER_SECOND = 12


class Screen(Protocol):
    """Shows the events of one answer; entered before the first and left after the last."""

    def show(self, event: Event) -> None:
        """The next event."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def new_screen(*, prints_events: bool, out: TextIO | None = None) -> Screen:
    """The one that fits standard output."""
    out = out or sys.stdout
    if prints_events:
        return EventLines(out)
    return LiveText(Console(file=out)) if out.isatty() else PlainText(out)


class EventLines:
    """One event a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, event: Event) -> None:
        """Prints it at once."""
        self._out.write(json.dumps(event) + "\n")
        self._out.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()


class PlainText:
    """The words as they come, and nothing else."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last = "\n"

    def show(self, event: Event) -> None:
        """Prints it at once, if it is words."""
        if event["type"] == "delta" and event["text"]:
            self._out.write(event["text"])
            self._out.flush()
            self._last = event["text"][-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._last != "\n":
            self._out.write("\n")
        self._out.flush()


class LiveText:
    """Markdown, drawn anew while it grows. Blocks that can't change any more are printed once and scroll away."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(Spinner("dots", style="dim"), console=console, refresh_per_second=FRAMES_PER_SECOND)
        self._reasoning = self._text = self._step = ""

    def show(self, event: Event) -> None:
        """Draws what is new."""
        match event["type"]:
            case "delta":
                self._settle_reasoning()
                self._step = ""
                settled, self._text = settle(self._text + harmless(event["text"]))
                if settled:
                    self._console.print(markdown(settled), "")
            case "reasoning":
                self._reasoning += harmless(event["text"])
            case "step":
                self._step = harmless(f"{event['name']}: {event['status']}")
        self._live.update(Tail(self._drawing()))

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._step = ""
        self._live.update(self._drawing(), refresh=True)
        self._live.stop()

    def _drawing(self) -> RenderableType:
        shown: list[RenderableType] = []
        if self._reasoning:
            shown.append(Text(self._reasoning, style="dim italic"))
        if self._text.strip():
            shown.append(markdown(self._text))
        if self._step:
            shown.append(Spinner("dots", text=Text(self._step, style="dim")))
        return Group(*shown)

    def _settle_reasoning(self) -> None:
        if self._reasoning:
            self._console.print(Text(self._reasoning.strip(), style="dim italic"), "")
            self._reasoning = ""


class Tail:
    """The last lines of a drawing, as many as the screen holds: what has scrolled out of it can't be drawn anew."""

    def __init__(self, drawing: RenderableType) -> None:
        self._drawing = drawing

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lines, each with its end."""
        for line in console.render_lines(self._drawing, options, pad=False)[-options.size.height :]:
            yield from line
            yield Segment.line()


def markdown(text: str) -> Markdown:
    """Rendered without hidden links: a link's address is shown, because the model may have chosen it badly."""
    return Markdown(text, hyperlinks=False)


def harmless(text: str) -> str:
    """Without control characters: a model's words must not steer a terminal."""
    return text.translate(_CONTROLS)


def settle(text: str) -> tuple[str, str]:
    """What is complete (up to the last blank line outside a code block), and the rest."""
    end, position, fence = 0, 0, ""
    for line in text.splitlines(keepends=True):
        position += len(line)
        marker = line.lstrip()[:3]
        if marker in _FENCES and fence in ("", marker):
            fence = "" if fence else marker
        elif not fence and not line.strip() and line.endswith("\n"):
            end = position
    return text[:end].strip("\n"), text[end:]
