"""`make smoke URL=https://... [KEY=...]`: test a deployment as a client would, and print a table of results.

Standard library only, so that a pipeline can run it with any Python 3.12 or later: `KEY=... python3 -m dev.smoke URL`.
It uses the tokens of one answer of a few hundred words and of the beginnings of one or two more.
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
# No model generates so many deltas in so short a time: they were buffered on the way.
MANY_DELTAS = 200
BUFFERED_SECONDS = 0.3
# An answer that starts sooner than this was not buffered long enough to detect.
PROMPT_SECONDS = 1.0
INVALID_KEY = "smoke-test-invalid-key"
SHORT = {"input": "Say hello in one short sentence.", "stream": True}
LONG = {"input": "Count from one to two hundred in words.", "stream": True}


class Failed(Exception):
    """A check failed; the text describes what was observed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The deployment's address, and the key to use ('' for none)."""

    address: SplitResult
    key: str

    @classmethod
    def at(cls, url: str, key: str) -> "Deployment":
        """Parse a URL. Raise `Failed` for an invalid one."""
        invalid = Failed(f"URL is {url!r}; expected an http or https URL such as https://func-abc.azurewebsites.net")
        try:
            address = urlsplit(url.strip().rstrip("/"))
            address.port  # noqa: B018 - reading it checks it
        except ValueError:
            raise invalid from None
        if address.scheme not in ("http", "https") or not address.hostname:
            raise invalid
        return cls(address=address, key=key)

    @contextmanager
    def send(self, path: str, body: object = None, *, key: str = "") -> Iterator[http.client.HTTPResponse]:
        """Send one request on a new connection, which is closed at the end even if the response was not read."""
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
    """Check that GET /health returns 200."""
    with deployment.send("/health") as response:
        text = _text(response)
        if response.status != 200:
            raise Failed(f"{response.status} {text}")
        return f"200 {text}"


def patches(deployment: Deployment) -> str:
    """Every change that the app makes to the worker's libraries is on, where /health shows them."""
    with deployment.send("/health") as response:
        release = f"version {response.getheader('x-version', 'unknown')}"
        shown = response.getheader("x-patches", "")
    if not shown:
        return f"{release}; the patches are not shown (DEBUG_HEADERS=true shows them)"
    off = [row for row in shown.split("; ") if not row.endswith(" on")]
    if off:
        raise Failed(f"{release}; {'; '.join(off)}: the log has the reason")
    return f"{release}; {shown}"


def stream(deployment: Deployment) -> str:
    """Check that a streamed answer arrives while it is generated and ends as finished. Report the time to the first word."""
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
                    raise Failed(f"finished ({event.get('finish_reason')}) without any text")
                spread = time.perf_counter() - began - first
                if deltas >= MANY_DELTAS and first >= PROMPT_SECONDS and spread < BUFFERED_SECONDS:
                    raise Failed(
                        f"buffered: {deltas} deltas arrived within {spread:.2f} s, {first:.2f} s after the request; "
                        "something on the way buffers the stream"
                    )
                reason = event.get("finish_reason")
                return f"first word after {first:.2f} s, {deltas} deltas in {spread:.2f} s, finished ({reason})"
    raise Failed(f"the stream ended after {deltas} deltas, without a finished or failed event")


def leaving(deployment: Deployment) -> str:
    """Check that the deployment stays healthy when a client disconnects in the middle of a stream."""
    with deployment.send("/chat", LONG, key=deployment.key) as response:
        if not any(event["type"] == "delta" for event in _events(response, deployment)):
            raise Failed("the stream ended before its first delta")
    return f"disconnected after the first delta; health afterwards: {health(deployment)}"


def bad_key(deployment: Deployment) -> str:
    """Check that an invalid key is rejected, unless the deployment has no authentication."""
    with deployment.send("/chat", SHORT, key=INVALID_KEY) as response:
        if response.status == 401:
            return "401, as expected"
        if response.status != 200:
            raise Failed(f"{response.status} {_text(response)}")
    if deployment.key:
        raise Failed("200: an invalid key was accepted, although this deployment has keys")
    return "open: no authentication (AUTH_MODE=anonymous, or a local host without keys)"


CHECKS: dict[str, Callable[[Deployment], str]] = {
    "health": health,
    "patches": patches,
    "stream": stream,
    "leaving": leaving,
    "bad key": bad_key,
}


def _events(response: http.client.HTTPResponse, deployment: Deployment) -> Iterator[dict[str, object]]:
    """Yield the events of a stream as they arrive. Raise `Failed` for anything else."""
    if response.status != 200:
        hint = "" if deployment.key or response.status != 401 else "; set KEY=... (make smoke URL=... KEY=...)"
        raise Failed(f"{response.status} {_text(response)}{hint}")
    kind = response.getheader("content-type", "")
    if not kind.startswith("text/event-stream"):
        raise Failed(f"expected text/event-stream, got {kind or 'no content type'}: {_text(response)}")
    for line in response:
        if line.startswith(b"data:"):
            try:
                event = json.loads(line.removeprefix(b"data:"))
            except ValueError:
                raise Failed(f"invalid event: {line[:200]!r}") from None
            if not isinstance(event, dict) or "type" not in event:
                raise Failed(f"event without a type: {line[:200]!r}")
            yield event


def _text(response: http.client.HTTPResponse) -> str:
    return " ".join(response.read(2000).decode(errors="replace").split())[:200]


def main(url: str, key: str) -> int:
    """Run every check and print the table. Return 0 if all passed, 1 if one failed, 2 for an invalid URL."""
    try:
        deployment = Deployment.at(url, key)
    except Failed as problem:
        print(problem)
        return 2
    print(f"{'check':<9} {'result':<7} {'time':>7}  observed")
    failed = 0
    for name, check in CHECKS.items():
        began = time.perf_counter()
        try:
            result, observed = "ok", check(deployment)
        except Failed as problem:
            result, observed = "FAILED", str(problem)
            failed += 1
        print(f"{name:<9} {result:<7} {time.perf_counter() - began:>5.2f} s  {observed}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "", os.environ.get("KEY", "")))
