"""Consume the stream in Python: send one request, receive the answer's events while the model generates them.

    async with httpx.AsyncClient() as http:
        async for event in ask(http, "http://127.0.0.1:7071", {"input": "hello"}):
            if event["type"] == "delta":
                print(event["text"], end="", flush=True)

An answer ends with a `finished` event, with a `failed` event that carries the reason, or with a `Failure` raised by `ask`;
there is no other ending. Cancelling the task or closing the generator closes the connection, and the service then stops
the model.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx

from client.failures import Cut, ErrorResponse, Failure, Unreachable
from client.formats import MEDIA_TYPES, READERS, Event

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = {"sse": 60.0, "ndjson": 60.0, "text": 240.0, "json": 240.0}
"""Read timeouts. The service sends a heartbeat every 15 s in the formats that have one (sse, ndjson)."""
STOP_SECONDS = 5.0
USAGE_SECONDS = 60.0
"""How long the service may take to add up what was used."""
ENDS = ("finished", "failed")


async def ask(
    http: httpx.AsyncClient, url: str, request: dict[str, Any], *, key: str = "", wire_format: str = "sse"
) -> AsyncGenerator[Event]:
    """Yield the events of one answer.

    Raise `ErrorResponse` for an HTTP error status, `Unreachable` when no connection can be made, `Cut` when the answer does
    not reach its end or cannot be parsed, and `Failure` when the response has another content type.
    """
    async with aclosing(
        _events(http, url, "POST", "/chat", request=request, key=key, wire_format=wire_format)
    ) as events:
        async for event in events:
            yield event


async def take_up(  # noqa: PLR0913 - the parts of a request, all named
    http: httpx.AsyncClient, url: str, answer_id: str, position: int, *, key: str = "", wire_format: str = "sse"
) -> AsyncGenerator[Event]:
    """Yield the events of an answer that follow a position. Raise what `ask` raises."""
    path = f"/chat/answers/{answer_id}?after={position}"
    async with aclosing(_events(http, url, "GET", path, key=key, wire_format=wire_format)) as events:
        async for event in events:
            yield event


async def stop(http: httpx.AsyncClient, url: str, answer_id: str, *, key: str = "") -> None:
    """End an answer at the model. Raise `Unreachable` or `ErrorResponse`."""
    address = f"{url}/chat/answers/{answer_id}/stop"
    try:
        response = await http.post(address, json={}, headers=_key_headers(key), timeout=STOP_SECONDS)
    except httpx.RequestError as error:
        raise Unreachable(f"Cannot connect to {url}: {str(error) or 'timed out'}.") from error
    if response.status_code != httpx.codes.OK:
        raise ErrorResponse(response.status_code, _error(response))


async def _events(  # noqa: PLR0913 - the parts of a request, all named
    http: httpx.AsyncClient,
    url: str,
    method: str,
    path: str,
    *,
    request: dict[str, Any] | None = None,
    key: str,
    wire_format: str,
) -> AsyncGenerator[Event]:
    headers = {"accept": MEDIA_TYPES[wire_format], **_key_headers(key)}
    timeout = httpx.Timeout(CONNECT_SECONDS, read=SILENCE_SECONDS[wire_format])
    last = ""
    try:
        async with http.stream(method, f"{url}{path}", json=request, headers=headers, timeout=timeout) as response:
            await _check(response, wire_format)
            async for event in READERS[wire_format](response):
                last = event["type"]
                yield event
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise Unreachable(f"Cannot connect to {url}: {str(error) or 'timed out'}.") from error
    except httpx.ReadTimeout as error:
        raise Cut("The service sent nothing for too long.") from error
    except httpx.RequestError as error:
        if last not in ENDS:  # in some formats the service cuts the connection after `failed`
            raise Cut("The connection was lost before the answer was complete.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Cut("The service sent data that is not a valid event.") from error
    if last not in ENDS:
        raise Cut("The stream ended before the answer was complete.")


async def models(http: httpx.AsyncClient, url: str, *, key: str = "") -> list[str]:
    """Return the names of the models that the service lists.

    Raise `ErrorResponse` for an HTTP error status, `Unreachable` when no connection can be made, and `Failure` when the
    response is no list of models.
    """
    response = await _get(http, url, "/v1/models", key=key)
    try:
        return [str(model["id"]) for model in response.json()["data"]]
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"Expected a list of models from {response.url}. Check the URL.") from error


async def usage(http: httpx.AsyncClient, url: str, query: dict[str, str], *, key: str = "") -> httpx.Response:
    """Return what the service says of the caller's use: JSON, or with `format=csv` in the query, CSV.

    Raise `ErrorResponse` for an HTTP error status, `Unreachable` when no connection can be made.
    """
    return await _get(http, url, "/usage", key=key, query=query, seconds=USAGE_SECONDS)


async def _get(  # noqa: PLR0913 - the parts of a request, all named
    http: httpx.AsyncClient,
    url: str,
    path: str,
    *,
    key: str,
    query: dict[str, str] | None = None,
    seconds: float = CONNECT_SECONDS,
) -> httpx.Response:
    try:
        response = await http.get(f"{url}{path}", params=query, headers=_key_headers(key), timeout=seconds)
    except httpx.RequestError as error:
        raise Unreachable(f"Cannot connect to {url}: {str(error) or 'timed out'}.") from error
    if response.status_code != httpx.codes.OK:
        raise ErrorResponse(response.status_code, _error(response))
    return response


def _key_headers(key: str) -> dict[str, str]:
    """Return the headers of a key: the Functions host reads the first, an app that checks keys itself the second."""
    return {"x-functions-key": key, "authorization": f"Bearer {key}"} if key else {}


async def _check(response: httpx.Response, wire_format: str) -> None:
    """Raise `ErrorResponse` for an error status, `Failure` for another content type than the requested one."""
    if response.status_code != httpx.codes.OK:
        await response.aread()
        raise ErrorResponse(response.status_code, _error(response), retry_after=response.headers.get("retry-after", ""))
    if not response.headers.get("content-type", "").startswith(MEDIA_TYPES[wire_format]):
        raise Failure(f"Expected {MEDIA_TYPES[wire_format]} from {response.url}. Check the URL.")


def _error(response: httpx.Response) -> dict[str, Any]:
    """Return OpenAI's error object, or an empty one when the body has none (a proxy's own error page, for example)."""
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}
