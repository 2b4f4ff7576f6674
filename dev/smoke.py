"""`make smoke URL=https://... [KEY=...]`: tries a deployment as a client would, and says in a table what it saw.

Standard library only, so that a pipeline can run it with any Python 3.12 or later: `KEY=... python3 -m dev.smoke URL`.
It spends the tokens of one answer of some hundred words and of the beginnings of one or two more.
"""

import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

SILENCE_SECONDS = 240.0
# No model says so much in so short a time: what arrives like that has been waiting somewhere.
MANY_DELTAS = 200
HELD_BACK_SECONDS = 0.3
# What is there sooner than this was not held back long enough to tell.
PROMPT_SECONDS = 1.0
WRONG_KEY = "smoke-test-wrong-key"
SHORT = {"input": "Say hello in one short sentence.", "stream": True}
LONG = {"input": "Count from one to two hundred in words.", "stream": True}


class Failed(Exception):
    """A check has failed; its text says what was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where it is, and the key that opens it ('' for none)."""

    address: SplitResult
    key: str

    @classmethod
    def at(cls, url: str, key: str) -> "Deployment":
        """Raises `Failed` for what is no address."""
        wrong = Failed(f"URL is {url!r}; expected an address such as https://func-abc.azurewebsites.net")
        try:
            address = urlsplit(url.strip().rstrip("/"))
            address.port  # noqa: B018 - reading it checks it
        except ValueError:
            raise wrong from None
        if address.scheme not in ("http", "https") or not address.hostname:
            raise wrong
        return cls(address=address, key=key)

    @contextmanager
    def send(self, path: str, body: object = None, *, key: str = "") -> Iterator[http.client.HTTPResponse]:
        """One request on a connection of its own, which is closed at the end, whether or not the answer was read."""
        secure = self.address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self.address.hostname or "", self.address.port, timeout=SILENCE_SECONDS)
        headers = {"accept": "text/event-stream", "content-type": "application/json"}
        if key:
            headers["x-functions-key"] = key
        try:
            method, content = ("GET", None) if body is None else ("POST", json.dumps(body))
            connection.request(method, self.address.path + path, content, headers)
            response = connection.getresponse()
            try:
                yield response
            finally:
                response.close()
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()


def health(deployment: Deployment) -> str:
    """GET /health answers 200."""
    with deployment.send("/health") as response:
        text = _text(response)
        if response.status != 200:
            raise Failed(f"{response.status} {text}")
        return f"200 {text}"


def stream(deployment: Deployment) -> str:
    """One streamed answer, timed to its first word, comes as it is made and ends as finished."""
    began = time.perf_counter()
    first, deltas = 0.0, 0
    with deployment.send("/chat", LONG, key=deployment.key) as response:
        for event in _events(response, deployment):
            if event["type"] == "delta":
                first = first or time.perf_counter() - began
                deltas += 1
            elif event["type"] == "failed":
                raise Failed(f"failed after {deltas} deltas: {json.dumps(event.get('error'))}")
            elif event["type"] == "finished":
                if not deltas:
                    raise Failed(f"finished ({event.get('finish_reason')}) without a word")
                spread = time.perf_counter() - began - first
                if deltas >= MANY_DELTAS and first >= PROMPT_SECONDS and spread < HELD_BACK_SECONDS:
                    raise Failed(
                        f"held back: {deltas} deltas came within {spread:.2f} s, {first:.2f} s after the request; "
                        "something on the way collects the stream"
                    )
                reason = event.get("finish_reason")
                return f"first word after {first:.2f} s, {deltas} deltas in {spread:.2f} s, finished ({reason})"
    raise Failed(f"the stream broke off after {deltas} deltas, with neither a finished nor a failed event")


def leaving(deployment: Deployment) -> str:
    """Who leaves in mid-stream does the deployment no harm."""
    with deployment.send("/chat", LONG, key=deployment.key) as response:
        if not any(event["type"] == "delta" for event in _events(response, deployment)):
            raise Failed("the stream ended before its first word")
    return f"left after the first word; health after that: {health(deployment)}"


def bad_key(deployment: Deployment) -> str:
    """A wrong key opens nothing, unless everything is open."""
    with deployment.send("/chat", SHORT, key=WRONG_KEY) as response:
        if response.status == 401:
            return "401, as it should be"
        if response.status != 200:
            raise Failed(f"{response.status} {_text(response)}")
    if deployment.key:
        raise Failed("200: a wrong key was let in, although this deployment has keys")
    return "open: anyone may call (AUTH_MODE=anonymous, or a local host without keys)"


CHECKS: dict[str, Callable[[Deployment], str]] = {
    "health": health,
    "stream": stream,
    "leaving": leaving,
    "bad key": bad_key,
}


def _events(response: http.client.HTTPResponse, deployment: Deployment) -> Iterator[dict[str, object]]:
    """The events of a stream as they come."""
    if response.status != 200:
        hint = "" if deployment.key or response.status != 401 else "; give KEY=... (make smoke URL=... KEY=...)"
        raise Failed(f"{response.status} {_text(response)}{hint}")
    kind = response.getheader("content-type", "")
    if not kind.startswith("text/event-stream"):
        raise Failed(f"no stream, but {kind or 'something without a type'}: {_text(response)}")
    for line in response:
        if line.startswith(b"data:"):
            try:
                event = json.loads(line.removeprefix(b"data:"))
            except ValueError:
                raise Failed(f"not an event: {line[:200]!r}") from None
            if not isinstance(event, dict) or "type" not in event:
                raise Failed(f"an event without a type: {line[:200]!r}")
            yield event


def _text(response: http.client.HTTPResponse) -> str:
    return " ".join(response.read(2000).decode(errors="replace").split())[:200]


def main(url: str, key: str) -> int:
    """Runs every check, prints the table. 0: all is well; 1: something failed; 2: no address."""
    try:
        deployment = Deployment.at(url, key)
    except Failed as problem:
        print(problem)
        return 2
    print(f"{'check':<9} {'result':<7} {'time':>7}  seen")
    failed = 0
    for name, check in CHECKS.items():
        began = time.perf_counter()
        try:
            result, seen = "ok", check(deployment)
        except Failed as problem:
            result, seen = "FAILED", str(problem)
            failed += 1
        print(f"{name:<9} {result:<7} {time.perf_counter() - began:>5.2f} s  {seen}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "", os.environ.get("KEY", "")))
