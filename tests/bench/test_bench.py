"""One tiny run of the bench on the real worker, and the rules of its parts. No test asserts a time."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench.document import with_blocks
from bench.frames import BEGINNING, CONTENT_FRAME, ENDING, MARK, content_chunk, delays_micros, now_micros
from bench.plots import bars, lines
from bench.profile import print_stacks
from bench.results import Figure, Results, quantile
from bench.text import spread

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"


@pytest.mark.slow
def test_a_tiny_run_measures_everything_and_updates_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text(encoding="utf-8") + "\nWritten by hand.\n", encoding="utf-8")
    command = [sys.executable, "-m", "bench", "--quick", "--subjects", "relay,chat-json", "--page", str(page)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    text = page.read_text(encoding="utf-8")
    assert text.endswith("\nWritten by hand.\n")
    assert "Failed: " not in text
    written = "".join(re.findall(r"<!-- bench:[\w-]+ -->.*?<!-- /bench:", text, re.DOTALL))
    rows = [line for line in written.splitlines() if line.startswith("| this app, `/v1` relay | ")]
    assert len(rows) == 6, "CPU, first token, streams, memory, cold start, start as deployed"
    assert "Not measured in this run: " in text
    for kind in ("chunk", "streams", "cold"):
        ET.parse(tmp_path / f"page-{kind}.svg")


def test_an_unknown_subject_is_rejected_with_a_list_of_known_ones() -> None:
    command = [sys.executable, "-m", "bench", "--subjects", "relay,typo"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 2
    assert "unknown: typo; expected some of direct, relay" in ran.stderr


def test_a_chunk_has_exactly_one_mark_with_its_age() -> None:
    chunk = content_chunk()
    assert chunk.count(MARK) == 1
    assert 300 <= len(CONTENT_FRAME) <= 400, "the size of Azure OpenAI's chunks"
    sent = int(chunk.partition(MARK)[2][:8], 16)
    assert delays_micros(chunk, (sent + 7) & 0xFFFFFFFF) == [7]
    assert delays_micros(chunk + chunk, now_micros())[0] >= 0


def test_nothing_else_in_an_answer_looks_like_a_mark() -> None:
    assert MARK not in BEGINNING + ENDING


def test_blocks_are_replaced_and_the_text_around_them_stays() -> None:
    page = "before\n<!-- bench:a -->\nold\n<!-- /bench:a -->\nafter\n"
    renewed = "before\n<!-- bench:a -->\nnew \\1\n<!-- /bench:a -->\nafter\n"
    assert with_blocks(page, {"a": "new \\1"}) == renewed
    with pytest.raises(ValueError, match="0 places for 'b'"):
        with_blocks(page, {"b": "x"})


def test_ratios_and_differences_are_taken_within_a_round() -> None:
    results = Results()
    for number, (ours, theirs) in enumerate(((2.0, 1.0), (40.0, 10.0), (9.0, 3.0))):
        results.add("paced", "relay", number, ours)
        results.add("paced", "nginx", number, theirs)
    results.add("paced", "relay", 3, 1000.0)
    assert results.ratio("paced", "relay", "nginx") == Figure(3.0, 2.0, 4.0)
    assert results.difference("paced", "relay", "nginx") == Figure(6.0, 1.0, 30.0)
    assert results.ratio("paced", "relay", "sample") is None


def test_figures_are_written_with_their_spread() -> None:
    assert spread(Figure.of([59.04, 56.2, 63.0])) == "59.0 (56.2 to 63)"
    assert spread(Figure.of([0.0012]), scale=1000) == "1.20"
    assert spread(None) == "–"
    assert quantile([3, 1, 2, 4], 0.5) == 3


def test_drawings_are_well_formed_whatever_the_names() -> None:
    ET.fromstring(bars("a < b", "µs", {"this & that": (1.0, True), "none": (0.0, False)}))
    ET.fromstring(lines("delay", "streams", 50, {"a": [(1.0, 2.0), (2.0, 5000.0)], "b": []}))


def test_a_profile_counts_c_functions_as_their_python_caller(capsys: pytest.CaptureFixture[str]) -> None:
    stacks = ["main (a.py:1);send (b.py:2);write (libc.so.6) 3", "main (a.py:1) 1"]
    print_stacks(stacks, "relay, paced", 40.0, 5)
    printed = capsys.readouterr().out
    assert "  75.0%     30.0 us  write  libc.so.6" in printed
    assert "  75.0%     30.0 us  send  b.py" in printed
    assert " 100.0%     40.0 us  main  a.py" in printed
