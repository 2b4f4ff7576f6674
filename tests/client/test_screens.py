"""How the terminal client shows an answer."""

import io
import json

from rich.console import Console

from client.formats import Event
from client.screens import (
    EventLines,
    LiveText,
    PlainText,
    Screen,
    Tail,
    markdown,
    new_screen,
    settle,
    strip_control_characters,
)
from tests.harness.cells import cells


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def delta(text: str) -> Event:
    return {"type": "delta", "text": text}


def shown(screen: Screen, *events: Event) -> None:
    with screen:
        for event in events:
            screen.show(event)


def test_a_pipe_gets_plain_text_a_terminal_live_text_and_a_script_events() -> None:
    assert isinstance(new_screen(prints_events=False, out=io.StringIO()), PlainText)
    assert isinstance(new_screen(prints_events=False, out=Terminal()), LiveText)
    assert isinstance(new_screen(prints_events=True, out=Terminal()), EventLines)


def test_plain_text_is_the_text_and_a_final_line_feed() -> None:
    out = io.StringIO()
    shown(PlainText(out), {"type": "reasoning", "text": "hm"}, delta("Hello,"), delta(""), delta(" *world*"))
    assert out.getvalue() == "Hello, *world*\n"
    out = io.StringIO()
    shown(PlainText(out), delta("Hello\n"))
    assert out.getvalue() == "Hello\n"


def test_event_lines_are_one_json_value_each() -> None:
    out = io.StringIO()
    shown(EventLines(out), delta("a\u2028\n"), {"type": "finished", "finish_reason": "stop"})
    assert [json.loads(line)["type"] for line in out.getvalue().splitlines()] == ["delta", "finished"]


def test_a_terminal_shows_markdown_reasoning_and_steps() -> None:
    out = Terminal()
    console = Console(file=out, width=40, force_terminal=True, color_system=None)
    shown(
        LiveText(console),
        {"type": "started", "id": "a", "model": "m"},
        {"type": "step", "name": "web_search", "status": "searching"},
        {"type": "reasoning", "text": "Let me think."},
        delta("First **block**.\n\nSecond"),
        delta(" block: [here](http://evil.example)\x1b]0;owned\x07"),
    )
    text = out.getvalue()
    assert "Let me think." in text
    assert "First block." in text
    assert "http://evil.example" in text
    assert "\x1b]" not in text


def test_a_block_taller_than_the_screen_shows_its_newest_lines_while_it_grows() -> None:
    lines = [f"line_{number} = {number}" for number in range(30)]
    code = "\n".join(["```python", *lines])
    out = Terminal()
    console = Console(file=out, width=40, height=10, force_terminal=True, color_system=None)
    console.print(Tail(markdown(code)), end="")
    assert [line.strip() for line in out.getvalue().splitlines() if "=" in line][-1] == lines[-1]
    assert len(out.getvalue().splitlines()) == 10

    out.seek(0)
    out.truncate()
    shown(LiveText(console), delta(code))
    assert all(line in out.getvalue() for line in lines), "in the end, all lines"


def test_control_characters_are_stripped() -> None:
    assert strip_control_characters("a\x1b[2J\x9b1mb\x07\n\tü😀\r") == "a[2J1mb\n\tü😀"


def test_controls_that_reorder_text_are_stripped_and_implicit_marks_stay() -> None:
    reordering = "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
    assert strip_control_characters(f"a{reordering}b\u200e\u200f\u061cc") == "ab\u200e\u200f\u061cc"


def test_plain_text_is_without_control_characters_because_a_pipe_may_lead_to_a_terminal() -> None:
    out = io.StringIO()
    shown(PlainText(out), delta("a\x1b]0;owned\x07\u202e"), delta("\x1b"), delta("[2J\tb\n"), delta("\x9b"))
    assert out.getvalue() == "a]0;owned[2J\tb\n"


@cells(
    ("text", "settled", "rest"),
    [
        ("one", "", "one"),
        ("one\n\ntwo", "one", "two"),
        ("one\n\ntwo\n\n", "one\n\ntwo", ""),
        ("```\ncode\n\nmore", "", "```\ncode\n\nmore"),
        ("```\ncode\n\nmore\n```\n\nrest", "```\ncode\n\nmore\n```", "rest"),
        ("~~~\n```\n\n", "", "~~~\n```\n\n"),
    ],
)
def test_blocks_that_can_no_longer_change_are_settled(text: str, settled: str, rest: str) -> None:
    assert settle(text) == (settled, rest)


def test_a_word_in_a_table_that_is_wider_than_the_terminal_is_shown_to_its_end() -> None:
    out = io.StringIO()
    Console(file=out, width=30).print(markdown(f"| a | b |\n|---|---|\n| {'x' * 40} | {'y' * 30} |"))
    assert (out.getvalue().count("x"), out.getvalue().count("y")) == (40, 30)
