"""The events: what they are on the wire, and that no encoder can leave one out."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec

from shared.events import AnswerEvent, Event

ROOT = Path(__file__).parents[1]
ENCODERS = ["chat_protocol", "json", "ndjson", "sse", "text", "ui_message"]
NEW_EVENT = '''class Planted(Event, frozen=True, tag="citation"):
    """A source that the answer names."""

    url: str


type AnswerEvent = Planted | '''


def test_every_event_belongs_to_the_union() -> None:
    assert set(get_args(AnswerEvent.__value__)) == set(Event.__subclasses__())


def test_the_type_of_an_event_in_json_is_its_name() -> None:
    for event in get_args(AnswerEvent.__value__):
        assert msgspec.structs.fields(event)
        assert event.__struct_config__.tag == event.__name__.lower()


def test_an_event_that_an_encoder_leaves_out_fails_the_type_check(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "shared", tmp_path / "shared", ignore=shutil.ignore_patterns("__pycache__", "page"))
    events = tmp_path / "shared/events.py"
    events.write_text(events.read_text("utf-8").replace("type AnswerEvent = ", NEW_EVENT, 1), "utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "shared/chat/encoders"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False).stdout
    lines = [line for line in found.splitlines() if "assert_never" in line and "Planted" in line]
    assert sorted(Path(line.partition(":")[0]).stem for line in lines) == ENCODERS, found
    assert len(lines) == len([line for line in found.splitlines() if ": error:" in line]), found
