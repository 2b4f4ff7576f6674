"""How to consume the stream in Python: a request goes in, the answer's events come out while the model writes.

    async with httpx.AsyncClient() as http:
        async for event in ask(http, "http://127.0.0.1:7071", {"input": "hello"}):
            if event["type"] == "delta":
                print(event["text"], end="", flush=True)

Every answer ends with `finished`, or with `failed` and the reason, or `ask` raises a `Failure`: nothing else is an end. Whoever
is cancelled, or closes the generator, closes the connection, and the service then stops the model.
"""

from collections.abc import AsyncGenerator
from typing import Any

import httpx

from client.failures import Cut, Failure, Refused, Unreachable
from client.formats import MEDIA_TYPES, READERS, Event

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = {"sse": 60.0, "ndjson": 60.0, "text": 240.0, "json": 240.0}
"""The service says every 15 s that it is still there, in the formats that have a way to say so."""
ENDS = ("finished", "failed")


async def ask(
    http: httpx.AsyncClient, url: str, request: dict[str, Any], *, key: str = "", wire_format: str = "sse"
) -> AsyncGenerator[Event]:
    """The events of one answer. Raises `Failure`."""
    headers = {"accept": MEDIA_TYPES[wire_format]}
    if key:
        # The Functions host reads the first, an app that checks keys itself the second.
        headers |= {"x-functions-key": key, "authorization": f"Bearer {key}"}
    timeout = httpx.Timeout(CONNECT_SECONDS, read=SILENCE_SECONDS[wire_format])
    last = ""
    try:
        async with http.stream("POST", f"{url}/chat", json=request, headers=headers, timeout=timeout) as response:
            await _check(response, wire_format)
            async for event in READERS[wire_format](response):
                last = event["type"]
                yield event
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise Unreachable(f"No connection to {url}: {str(error) or 'it took too long'}.") from error
    except httpx.ReadTimeout as error:
        raise Cut("The service has said nothing for too long.") from error
    except httpx.RequestError as error:
        if last not in ENDS:  # in some formats the service cuts the connection after `failed`
            raise Cut("The connection broke off before the answer was complete.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Cut("The service sent something that is no event.") from error
    if last not in ENDS:
        raise Cut("The stream ended before the answer was complete.")


async def _check(response: httpx.Response, wire_format: str) -> None:
    """Raises `Failure` unless the stream that was asked for has begun."""
    if response.status_code != httpx.codes.OK:
        await response.aread()
        raise Refused(response.status_code, _error(response), retry_after=response.headers.get("retry-after", ""))
    if not response.headers.get("content-type", "").startswith(MEDIA_TYPES[wire_format]):
        raise Failure(f"{response.url} does not speak {MEDIA_TYPES[wire_format]}: is this the right address?")


def _error(response: httpx.Response) -> dict[str, Any]:
    """OpenAI's error object; empty where something in between answered in its own words."""
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}
