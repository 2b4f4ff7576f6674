"""What every client is asked, and what of its answer is right: one row per cell of the table.

A program only reports what it saw; it does not know what is due. A judge gets that, and the upstream's records of the requests
that contain the cell's own word, and returns the cause of a red cell, or None.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.matrix.clients import TOOL_RESULTS, Client, Json

WORDS = "Grüße, Welt 😀! Bis bald."
TURNS = 4
LEFT_SECONDS = 2.0
"""A second, and another for the machine on which all of them run at once."""

type Judge = Callable[[Json, list[Json]], str | None]


@dataclass(frozen=True, slots=True)
class Cell:
    name: str
    title: str
    ask: Callable[[Client, str], Any]
    """What the program is given: a prompt, or several; the word is in each."""
    judge: Judge


def sim(words: str, **behaviour: Any) -> str:
    """A prompt that tells the simulated upstream how to behave."""
    return f"{words} [[sim {json.dumps(behaviour, ensure_ascii=False)}]]"


def new_word() -> str:
    """A word that no other request contains."""
    return f"q{secrets.token_hex(6)}"


def _raised(found: Json) -> str | None:
    return f"raised {found['error'][:300]}" if found.get("error") else None


def _judge_words(found: Json, records: list[Json], *, stream: bool) -> str | None:
    if cause := _raised(found):
        return cause
    pieces = found.get("pieces")
    text = found["text"] if pieces is None else "".join(pieces)
    if text.strip() != WORDS:
        return f"said {text[:200]!r}"
    if pieces is not None and len(pieces) < 3:
        return f"gave the answer in {len(pieces)} pieces"
    if not records:
        return "sent no request"
    if any((json.loads(record["body"]).get("stream") is True) is not stream for record in records):
        return f"asked for a {'whole' if stream else 'streamed'} answer"
    return None


def _judge_whole(found: Json, records: list[Json]) -> str | None:
    return _judge_words(found, records, stream=False)


def _judge_stream(found: Json, records: list[Json]) -> str | None:
    return _judge_words(found, records, stream=True)


def _judge_tools(found: Json, records: list[Json]) -> str | None:
    if cause := _raised(found):
        return cause
    if found["text"].strip() != WORDS:
        return f"said {found['text'][:200]!r} after the tools"
    if len(records) < 2:
        return "the tools' results were not sent"
    if missing := [result for result in TOOL_RESULTS if result not in records[-1]["body"]]:
        return f"the last request has no {missing}"
    return None


def _judge_structured(found: Json, records: list[Json]) -> str | None:
    if cause := _raised(found):
        return cause
    value = found["value"]
    kinds = {"city": str, "sunny": bool, "degrees": int}
    if not isinstance(value, dict) or {name: type(one) for name, one in value.items()} != kinds:
        return f"gave {value!r}"
    return None if any("degrees" in record["body"] for record in records) else "sent no schema"


def _judge_turns(found: Json, records: list[Json]) -> str | None:
    if cause := _raised(found):
        return cause
    answers = [answer.strip() for answer in found["answers"]]
    if answers != [f"Turn {number} is done." for number in range(TURNS)]:
        return f"said {answers}"
    if len(records) < TURNS:
        return f"sent {len(records)} requests for {TURNS} turns"
    body = records[-1]["body"]
    if "Turn 0 is done." not in body and '"previous_response_id":"' not in body.replace(": ", ":"):
        return "the last request does not have the first answer"
    accounts = {record["backend"] for record in records}
    return f"moved between {sorted(accounts)}" if len(accounts) > 1 else None


def _judge_cancel(found: Json, records: list[Json]) -> str | None:
    if cause := _raised(found):
        return cause
    if not records:
        return "sent no request"
    if still := [record for record in records if record["ended"] != "client_gone"]:
        return f"left the upstream's answer {still[0]['ended']}"
    if records[-1]["tokens_sent"] == 0:
        return "left before the first word"
    after = max(record["ended_at"] for record in records) - found["left_at"]
    if after < -LEFT_SECONDS:
        return "had left long before"
    return f"let the upstream go on for {after:.1f} s" if after > LEFT_SECONDS else None


def _judge_limit(found: Json, records: list[Json]) -> str | None:
    if not records:
        return "sent no request"
    if not (told := found.get("error")):
        return "did not raise"
    if "not done after" in told:
        return f"sent {len(records)} requests, and {told.partition('it ')[2]}"
    return (
        None if any(word in told.lower() for word in ("429", "rate", "too many", "limit")) else f"raised {told[:300]}"
    )


def _judge_broken(found: Json, records: list[Json]) -> str | None:
    if not records:
        return "sent no request"
    return None if found.get("error") else f"took {found.get('pieces') or found.get('text')!r} for a whole answer"


CELLS: tuple[Cell, ...] = (
    Cell("stream", "stream", lambda _, word: sim(f"Greet me {word}", text=WORDS, interval=0.05), _judge_stream),
    Cell("whole", "whole", lambda _, word: sim(f"Greet me {word}", text=WORDS), _judge_whole),
    Cell(
        "tools",
        "two tools",
        lambda client, word: sim(f"Look both up {word}", tool_call=client.tool_calls, after_tools=WORDS),
        _judge_tools,
    ),
    Cell("structured", "structured", lambda _, word: f"What is the forecast? {word}", _judge_structured),
    Cell(
        "turns",
        "turns",
        lambda _, word: [sim(f"Go on {word}", text=f"Turn {number} is done.") for number in range(TURNS)],
        _judge_turns,
    ),
    Cell("cancel", "leaving", lambda _, word: sim(f"Count {word}", tokens=600, interval=0.05), _judge_cancel),
    Cell(
        "broken",
        "cut",
        lambda _, word: sim(f"Greet me {word}", tokens=["Hello", " you", " and"], interval=0.05, end="eof", after=2),
        _judge_broken,
    ),
    Cell(
        "limit", "429", lambda _, word: sim(f"Greet me {word}", status=429, headers={"retry-after": "1"}), _judge_limit
    ),
)
"""In the order in which they are run: what makes the app rest an account comes last."""
