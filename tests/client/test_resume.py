"""The client comes back: after a cut, a refusal that may pass and `moved`, from where it was; and gives up where it has to."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx
import pytest

from client.failures import Cut, ErrorResponse, Failure
from client.resume import PAUSES, Resumed, is_offered
from tests.harness.cells import cells
from tests.harness.virtual_time import run

ID = "resp_signed"
EVENTS: list[dict[str, Any]] = [
    {"type": "started", "id": "1", "model": "m", "resume": ID},
    *({"type": "delta", "text": f"word{number} "} for number in range(4)),
    {"type": "finished", "finish_reason": "stop"},
]
type Handler = Callable[[httpx.Request], httpx.Response]


class Broken(httpx.AsyncByteStream):
    """So many bytes, then the end of the connection."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data
        raise httpx.ReadError("broken")


def frames(after: int, count: int, wire_format: str) -> bytes:
    numbered = [(number, event) for number, event in enumerate(EVENTS, 1) if number > after][:count]
    if wire_format == "sse":
        return "".join(f"id: {number}\ndata: {json.dumps(event)}\n\n" for number, event in numbered).encode()
    return "".join(json.dumps(event | {"seq": number}) + "\n" for number, event in numbered).encode()


class Service:
    """Gives each request as many events as the next count says, then breaks; an error status in place of one; or moves."""

    def __init__(self, plan: Sequence[int | str], wire_format: str) -> None:
        self._plan = list(plan)
        self._format = wire_format
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.raw_path.decode()}")
        after = int(request.url.params.get("after", "0"))
        step = self._plan.pop(0)
        media_type = "text/event-stream" if self._format == "sse" else "application/x-ndjson"
        if isinstance(step, str) and step.isdigit():
            return httpx.Response(int(step), json={"error": {"message": "no", "code": step}})
        if step == "moved":
            moved = b'event: moved\ndata: {"type":"moved"}\n\n' if self._format == "sse" else b'{"type":"moved"}\n'
            return httpx.Response(200, headers={"content-type": media_type}, content=moved)
        data = frames(after, int(step), self._format)
        stream = Broken(data) if int(step) < len(EVENTS) - after else httpx.ByteStream(data)
        return httpx.Response(200, headers={"content-type": media_type}, stream=stream)


def asked(plan: Sequence[int | str], wire_format: str = "sse") -> tuple[list[dict[str, Any]], list[str], int]:
    """Return the events, the requests and how often the connection was lost. Raise what the client raises."""
    service, lost = Service(plan, wire_format), list[None]()

    async def scene() -> list[dict[str, Any]]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(service)) as http:
            resumed = Resumed(http, "http://app", key="", wire_format=wire_format)
            return [event async for event in resumed.events({"messages": []}, on_lost=lambda: lost.append(None))]

    return run(scene()), service.asked, len(lost)


@cells("wire_format", ["sse", "ndjson"])
def test_the_answer_goes_on_from_where_it_was(wire_format: str) -> None:
    found, requests, lost = asked([3, "503", "moved", 1, 9], wire_format)
    assert [event["type"] for event in found] == [event["type"] for event in EVENTS]
    assert "".join(event.get("text", "") for event in found) == "word0 word1 word2 word3 "
    assert not any("seq" in event or "resume" in event for event in found)
    at = f"GET /chat/answers/{ID}?after="
    assert requests == ["POST /chat", f"{at}3", f"{at}3", f"{at}3", f"{at}4"]
    assert lost == 4


def test_what_brings_nothing_is_tried_four_times_and_then_told() -> None:
    with pytest.raises(ErrorResponse, match="no"):
        asked([2, *["503"] * len(PAUSES)])
    found, _, lost = asked([2, *["503"] * (len(PAUSES) - 1), 9])
    assert (found[-1]["type"], lost) == ("finished", len(PAUSES))


@cells("status", ["400", "401", "404", "410"])
def test_an_error_that_stays_is_told_at_once(status: str) -> None:
    with pytest.raises(ErrorResponse) as raised:
        asked([2, status])
    assert raised.value.code == status


def test_an_answer_that_has_not_begun_is_not_taken_up() -> None:
    with pytest.raises(Failure):
        asked(["503"])
    with pytest.raises(Cut):
        asked([0])


def test_it_is_asked_for_only_where_the_service_offers_it() -> None:
    async def offered(answer: httpx.Response | Exception, wire_format: str = "sse") -> bool:
        def handler(request: httpx.Request) -> httpx.Response:
            if isinstance(answer, Exception):
                raise answer
            return answer

        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
            return await is_offered(http, "http://app", wire_format)

    assert run(offered(httpx.Response(200, json={"status": "ok", "resume": True})))
    assert not run(offered(httpx.Response(200, json={"status": "ok", "resume": True}), "text"))
    for other in ({"status": "ok"}, ["resume"], {"resume": "yes"}):
        assert not run(offered(httpx.Response(200, json=other)))
    assert not run(offered(httpx.Response(200, text="hello")))
    assert not run(offered(httpx.ConnectError("no")))
