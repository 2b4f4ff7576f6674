"""A connection closed behind an ASGI `send`, where there is one."""

import asyncio

from starlette.types import Message

from shared.hosting.abort import abort_connection


class Transport:
    is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


class Cycle:
    def __init__(self) -> None:
        self.transport = Transport()

    async def send(self, message: Message) -> None: ...


def test_the_transport_behind_a_bound_send_is_aborted() -> None:
    cycle = Cycle()
    abort_connection(cycle.send)
    assert cycle.transport.is_aborted


def test_a_send_of_another_server_is_left_alone() -> None:
    async def send(message: Message) -> None: ...

    abort_connection(send)
    asyncio.run(send({"type": "http.response.body"}))
