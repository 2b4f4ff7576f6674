"""The judges of the matrix: what they let pass, and what each takes for red."""

import json
from typing import Any

from tests.harness.cells import cells
from tests.matrix.cells import CELLS, TURNS, WORDS
from tests.matrix.clients import CLIENTS, TOOL_RESULTS, Json

JUDGES = {cell.name: cell.judge for cell in CELLS}
ANSWERS = [f"Turn {number} is done." for number in range(TURNS)]


def record(body: Any = None, **more: Any) -> Json:
    usual = {"backend": "main", "ended": "complete", "ended_at": 11.0, "tokens_sent": 3}
    return {"body": json.dumps(body or {}), **usual, **more}


STREAMED, WHOLE = record({"stream": True}), record({"stream": False})
GREEN: dict[str, tuple[Json, list[Json]]] = {
    "stream": ({"pieces": [WORDS[:3], WORDS[3:7], WORDS[7:]]}, [STREAMED]),
    "whole": ({"text": WORDS}, [WHOLE]),
    "tools": ({"text": WORDS}, [record(), record({"messages": list(TOOL_RESULTS)})]),
    "structured": ({"value": {"city": "Bern", "sunny": True, "degrees": 7}}, [record({"schema": "degrees"})]),
    "turns": ({"answers": ANSWERS}, [record()] * (TURNS - 1) + [record({"messages": ANSWERS[:1]})]),
    "cancel": ({"left_at": 10.0}, [record(ended="client_gone")]),
    "broken": ({"error": "APIError: cut", "pieces": ["Hello"]}, [STREAMED]),
    "limit": ({"error": "RateLimitError(429)"}, [STREAMED]),
}
RED: dict[str, list[tuple[Json, list[Json], str]]] = {
    "stream": [
        ({"pieces": [WORDS]}, [STREAMED], "1 pieces"),
        ({"pieces": ["Grüße", ",", " Welt"]}, [STREAMED], "said"),
        ({"pieces": [WORDS[:3], WORDS[3:7], WORDS[7:]]}, [WHOLE], "whole answer"),
        ({"error": "APIError: no"}, [STREAMED], "raised APIError"),
        ({"text": WORDS}, [], "no request"),
    ],
    "whole": [({"text": WORDS}, [STREAMED], "streamed answer"), ({"text": ""}, [WHOLE], "said")],
    "tools": [
        ({"text": WORDS}, [record()], "not sent"),
        ({"text": WORDS}, [record(), record({"messages": [TOOL_RESULTS[0]]})], TOOL_RESULTS[1]),
        ({"text": "no"}, [record(), record()], "after the tools"),
    ],
    "structured": [
        ({"value": {"city": "Bern", "sunny": "yes", "degrees": 7}}, [record("degrees")], "gave"),
        ({"value": {"city": "Bern", "sunny": True, "degrees": 7}}, [record()], "no schema"),
    ],
    "turns": [
        ({"answers": ANSWERS[:2]}, [record()], "said"),
        ({"answers": ANSWERS}, [record()], "1 requests"),
        ({"answers": ANSWERS}, [record()] * TURNS, "first answer"),
        (
            {"answers": ANSWERS},
            [record(backend="second")] * (TURNS - 1) + [record({"messages": ANSWERS[:1]})],
            "moved between",
        ),
    ],
    "cancel": [
        ({"left_at": 10.0}, [record(ended="complete")], "complete"),
        ({"left_at": 10.0}, [record(ended="client_gone", ended_at=15.0)], "for 5.0 s"),
        ({"left_at": 10.0}, [record(ended="client_gone", tokens_sent=0)], "before the first word"),
    ],
    "broken": [({"pieces": ["Hello", " you"]}, [STREAMED], "for a whole answer")],
    "limit": [
        ({"pieces": []}, [STREAMED], "did not raise"),
        ({"error": "KeyError"}, [STREAMED], "raised KeyError"),
        (
            {"error": "TimeoutError(): it was not done after 9 s"},
            [STREAMED] * 7,
            "sent 7 requests, and was not done after 9 s",
        ),
    ],
}


@cells("cell", GREEN)
def test_what_is_due_is_green(cell: str) -> None:
    found, records = GREEN[cell]
    assert JUDGES[cell](found, records) is None


@cells(("cell", "found", "records", "cause"), [(cell, *case) for cell, cases in RED.items() for case in cases])
def test_what_is_not_is_red_and_says_why(cell: str, found: Json, records: list[Json], cause: str) -> None:
    assert cause in str(JUDGES[cell](found, records))


def test_every_cell_has_cases_here_and_a_prompt_with_its_word_for_every_client() -> None:
    assert GREEN.keys() == RED.keys() == JUDGES.keys()
    for client in CLIENTS:
        for cell in CELLS:
            asked = cell.ask(client, "q0123")
            assert all("q0123" in prompt for prompt in (asked if isinstance(asked, list) else [asked]))
