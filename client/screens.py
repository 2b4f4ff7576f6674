"""Output of an answer: rendered on a terminal, plain text in a pipe, JSON lines for a script."""

import json
import sys
from types import TracebackType
from typing import ClassVar, Protocol, Self, TextIO

from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderableType, RenderResult
from rich.live import Live
from rich.markdown import Markdown, MarkdownElement, TableDataElement
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

from client.formats import Event
from client.grounding import Grounding

_FENCES = ("```", "~~~")
_C0_AND_C1 = [code for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if chr(code) not in "\n\t"]
# Embeddings, overrides and isolates: they reorder text on the screen (https://www.unicode.org/reports/tr9/).
# The implicit marks (U+061C, U+200E, U+200F) are ordinary in Arabic and Hebrew text, cannot override letters, and stay.
_BIDI_CONTROLS = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_REMOVED = dict.fromkeys(_C0_AND_C1 + _BIDI_CONTROLS)
FRAMES_PER_SECOND = 12


class Screen(Protocol):
    """Shows the events of one answer: a context manager, entered before the first event and left after the last."""

    def show(self, event: Event) -> None:
        """Show one event."""

    def __enter__(self) -> Self:
        """Prepare the output."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete and flush the output, whether or not the answer is complete."""


def new_screen(*, prints_events: bool, out: TextIO | None = None) -> Screen:
    """Return the screen for `out` (default: standard output): JSON lines on request, else by whether it is a terminal."""
    out = out or sys.stdout
    if prints_events:
        return EventLines(out)
    return LiveText(Console(file=out)) if out.isatty() else PlainText(out)


class EventLines:
    """Prints each event as one line of JSON."""

    def __init__(self, out: TextIO) -> None:
        """Write to `out`."""
        self._out = out

    def show(self, event: Event) -> None:
        """Print and flush."""
        self._out.write(json.dumps(event) + "\n")
        self._out.flush()

    def __enter__(self) -> Self:
        """Return the screen; there is nothing to prepare."""
        return self

    def __exit__(self, *_: object) -> None:
        """Flush."""
        self._out.flush()


class PlainText:
    """Prints the text of the answer and nothing else. The pipe may lead back to a terminal (`| tee`)."""

    def __init__(self, out: TextIO) -> None:
        """Write to `out`."""
        self._out = out
        self._last = "\n"

    def show(self, event: Event) -> None:
        """Print and flush the text of a delta, without control characters."""
        if event["type"] == "delta" and (text := strip_control_characters(event["text"])):
            self._out.write(text)
            self._out.flush()
            self._last = text[-1]

    def __enter__(self) -> Self:
        """Return the screen; there is nothing to prepare."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the last line, and flush."""
        if self._last != "\n":
            self._out.write("\n")
        self._out.flush()


class LiveText:
    """Renders Markdown as it arrives. The last block is redrawn; blocks that can no longer change are printed once."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        self._console = console
        self._live = Live(Spinner("dots", style="dim"), console=console, refresh_per_second=FRAMES_PER_SECOND)
        self._reasoning = self._text = self._step = ""
        self._grounding = Grounding()

    def show(self, event: Event) -> None:
        """Add the event to the drawing."""
        match event["type"]:
            case "delta":
                self._settle_step()
                self._settle_reasoning()
                settled, self._text = settle(self._text + strip_control_characters(event["text"]))
                if settled:
                    self._console.print(markdown(settled), "")
            case "reasoning":
                self._reasoning += strip_control_characters(event["text"])
            case "step" | "source":
                self._grounding.note(event)
                self._step = strip_control_characters(self._grounding.steps())
        self._live.update(Tail(self._drawing()))

    def __enter__(self) -> Self:
        """Start drawing, with a spinner."""
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Draw the answer in full, and leave it on the screen."""
        self._settle_step()
        self._live.update(self._drawing(), refresh=True)
        self._live.stop()
        for line in self._grounding.sources():
            self._console.print(Text(strip_control_characters(line), style="dim", overflow="fold"))

    def _drawing(self) -> RenderableType:
        shown: list[RenderableType] = []
        if self._reasoning:
            shown.append(Text(self._reasoning, style="dim italic"))
        if self._text.strip():
            shown.append(markdown(self._text))
        if self._step:
            shown.append(Spinner("dots", text=Text(self._step, style="dim")))
        return Group(*shown)

    def _settle_step(self) -> None:
        if self._step:
            self._console.print(Text(self._step, style="dim", overflow="fold"), "")
            self._step = ""

    def _settle_reasoning(self) -> None:
        if self._reasoning:
            self._console.print(Text(self._reasoning.strip(), style="dim italic"), "")
            self._reasoning = ""


class Tail:
    """The last lines of a drawing, as many as fit on the screen: lines that have scrolled off cannot be redrawn."""

    def __init__(self, drawing: RenderableType) -> None:
        """Show the end of `drawing`."""
        self._drawing = drawing

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the segments of each line, followed by a line break."""
        for line in console.render_lines(self._drawing, options, pad=False)[-options.size.height :]:
            yield from line
            yield Segment.line()


class _Cell(TableDataElement):
    """A table's cell that continues a long word on the next line, where rich would cut it off."""

    def __init__(self, justify: JustifyMethod) -> None:
        super().__init__(justify)
        self.content.overflow = "fold"


class _WholeMarkdown(Markdown):
    """Markdown of which nothing is left out on a narrow terminal."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "td_open": _Cell, "th_open": _Cell}


def markdown(text: str) -> Markdown:
    """Return `text` as rich Markdown with the URL of each link in view: a model's link must not hide where it leads."""
    return _WholeMarkdown(text, hyperlinks=False)


def strip_control_characters(text: str) -> str:
    """Remove what could control the terminal or reorder its text: C0 (except tab, line feed), DEL, C1, bidi controls."""
    return text.translate(_REMOVED)


def settle(text: str) -> tuple[str, str]:
    """Split `text` at its last blank line outside a fenced code block. Return the part before it, trimmed, and the rest."""
    end, position, fence = 0, 0, ""
    for line in text.splitlines(keepends=True):
        position += len(line)
        marker = line.lstrip()[:3]
        if marker in _FENCES and fence in ("", marker):
            fence = "" if fence else marker
        elif not fence and not line.strip() and line.endswith("\n"):
            end = position
    return text[:end].strip("\n"), text[end:]
