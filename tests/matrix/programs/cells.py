"""The one shape of these programs. Each hands `run` what its client does for a cell, or why it does not.

They are run by the Python of the client's environment, so this imports the standard library alone. What is to be done comes in
MATRIX_CELLS, what was seen goes to the file MATRIX_RESULTS, a line of JSON for each cell.
"""

import asyncio
import inspect
import json
import os
import time
import traceback
from pathlib import Path

WAIT_SECONDS = 2.5
"""How long a program lives on after it has left an answer: ending would close what it forgot to close."""


def run(**cells):
    """Do what is asked, in one event loop. `cells`: name -> coroutine function of the prompt, or a reason against it.

    `stream` is an asynchronous generator of pieces of text; `cancel`, `broken` and `limit` are made of it where not given.
    """
    asyncio.run(_run(cells))


async def _run(cells):
    for name, asked in json.loads(os.environ["MATRIX_CELLS"]).items():
        found = cells.get(name, DERIVED.get(name))
        if isinstance(found, str):
            report(name, none=found)
            continue
        pieces = []
        try:
            if name in DERIVED and name not in cells:
                report(name, **await found(cells["stream"], asked, pieces))
            elif name == "stream":
                report(name, **await _read(found, asked, pieces))
            else:
                report(name, **await found(asked))
        except BaseException as error:  # what a client raises is what is asked for here, whatever it is
            if os.environ.get("MATRIX_TRACE"):
                traceback.print_exc()
            report(name, error=told(error), pieces=pieces)


async def _read(stream, asked, pieces):
    made = stream(asked)
    if inspect.isawaitable(made):  # a command, which shows its answer at once
        return await made
    async for piece in made:
        if piece:
            pieces.append(piece)
    return {"pieces": pieces}


async def _cancel(stream, asked, pieces):
    """Cancel the task that reads, after three pieces."""
    begun = asyncio.Event()

    async def read():
        async for piece in stream(asked):
            if piece:
                pieces.append(piece)
            if len(pieces) >= 3:
                begun.set()

    task = asyncio.create_task(read())
    waiting = asyncio.create_task(begun.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
        raise RuntimeError(f"the answer ended after {len(pieces)} pieces")
    left_at = time.time()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(WAIT_SECONDS)
    return {"left_at": left_at}


DERIVED = {"cancel": _cancel, "broken": _read, "limit": _read}


def report(cell, **found):
    with Path(os.environ["MATRIX_RESULTS"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"cell": cell, **found}) + "\n")


def _context(error):
    return None if error.__suppress_context__ else error.__context__


def told(error):
    """The error's class, status and words, and those of what it was raised from."""
    words = []
    while error is not None and len(words) < 5:
        status = getattr(error, "status_code", None)
        words.append(f"{type(error).__name__}({status or ''}): {error}")
        grouped = isinstance(error, BaseExceptionGroup)
        error = error.exceptions[0] if grouped else error.__cause__ or _context(error)
    return " <- ".join(words)


FORECAST = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "sunny": {"type": "boolean"}, "degrees": {"type": "integer"}},
    "required": ["city", "sunny", "degrees"],
    "additionalProperties": False,
}


def weather(city: str) -> str:
    """Return the weather in a city."""
    return f"sunny in {city}"


def clock(city: str) -> str:
    """Return the time in a city."""
    return f"noon in {city}"
