"""The shape of programs that run an agent's command: what it prints is its answer, and how it ends tells whether it failed."""

import asyncio
import contextlib
import json
import os
import re
import signal
import time
import urllib.parse
import urllib.request
from pathlib import Path

import cells

CALL_SECONDS = 300
"""Some ask a limited account again for two minutes before they say so."""
KEY = os.environ["API_KEY"]


def settings(name, to):
    """Put a file of the document where the agent looks for it, with this endpoint in place of the one that it shows."""
    code = Path(os.environ["SETUP"], name).read_text(encoding="utf-8")
    path = Path(os.path.expandvars(to))
    path.parent.mkdir(parents=True, exist_ok=True)
    text = code.replace("http://127.0.0.1:7071", os.environ["ENDPOINT"]).replace("your-key", KEY)
    path.write_text(text.replace("gpt-5.4-mini", os.environ["MODEL"]), encoding="utf-8")
    return str(path)


def run(command, answer, more=None, **others):
    """`command` and `more` (the next turn): prompt -> (arguments, standard input). `answer`: output -> text, or raises."""

    async def ask(made):
        code, output = await finished(*made)
        text = answer(output)
        if code:
            raise RuntimeError(f"exit status {code}: {output[-400:]}")
        return text

    async def stream(prompt):
        yield await ask(command(prompt))

    async def told(prompt):
        return {"text": await ask(command(prompt))}

    async def turns(prompts):
        begun, *rest = prompts
        return {"answers": [await ask(command(begun)), *[await ask(more(prompt)) for prompt in rest]]}

    async def cancel(prompt):
        arguments, given = command(prompt)
        process = await _started(arguments, given)
        await _wait_until_it_streams(prompt, process)
        if process.returncode is not None:
            raise RuntimeError(f"it ended by itself, with status {process.returncode}")
        left_at = time.time()
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), cells.WAIT_SECONDS)
        await asyncio.sleep(cells.WAIT_SECONDS / 2)
        if process.returncode is None:
            process.kill()
        return {"left_at": left_at}

    shape = {"stream": told, "tools": told, "cancel": cancel, "broken": told, "limit": told}
    cells.run(**(shape | {"turns": turns} | others))


async def _started(arguments, given):
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=2**24,
        # Ctrl-C is how one leaves, whatever this process was started with (a shell's background job ignores it).
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    process.stdin.write(given.encode())
    process.stdin.close()
    return process


async def finished(arguments, given):
    process = await _started(arguments, given)
    try:
        output = await asyncio.wait_for(process.stdout.read(), CALL_SECONDS)
        return await process.wait(), output.decode("utf-8", "replace")
    except TimeoutError:
        process.kill()
        raise TimeoutError(f"it was not done after {CALL_SECONDS} s") from None


async def _wait_until_it_streams(prompt, process):
    """An agent need not print the words as they come; the upstream knows that they do."""
    word = re.search(r"\bq[0-9a-f]{12}\b", prompt)[0]
    query = urllib.parse.urlencode({"contains": word})
    for _ in range(600):
        if any(record["tokens_sent"] > 3 for record in await asyncio.to_thread(_records, query)):
            return
        if process.returncode is not None:
            break
        await asyncio.sleep(0.1)
    raise RuntimeError("no word came")


def _records(query):
    with urllib.request.urlopen(f"{os.environ['MATRIX_CONTROL']}/requests?{query}") as reply:
        return json.load(reply)


def events(output):
    """The JSON objects among the lines that an agent printed."""
    found = []
    for line in output.splitlines():
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found
