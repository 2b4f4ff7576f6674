"""Runs cases through the real clients: openai, aiohttp and azure.identity, before sockets on this machine. Time is real."""

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from random import Random
from unittest import mock

from shared.config.settings import Settings
from shared.service import ConfiguredService
from tests.fuzz.asgi import Client, call
from tests.fuzz.case import Case, End, Pause, Reply, Step, text
from tests.fuzz.framing import MOST_SECONDS
from tests.fuzz.odd import cut, damaged, mutated, written
from tests.fuzz.requests import good_asked
from tests.fuzz.seen import RUNNING, Recorder, Seen
from tests.fuzz.setups import ANSWER, IDENTITY_HEADER, SETUPS, TOKEN
from tests.fuzz.sockets import Identities, Sockets
from tests.fuzz.upstreams import good_reply

MOST_LATE_SECONDS = 10.0
"""Of a busy machine."""
PARALLEL = 24
QUICK = {
    "COMMIT_SECONDS": "0.2",
    "HEARTBEAT_SECONDS": "0.3",
    "FIRST_CONTENT_SECONDS": "1",
    "UPSTREAM_SILENCE_SECONDS": "0.5",
    "ATTEMPT_BUDGET_SECONDS": "2",
    "AZURE_OPENAI_BACKENDS": "",
}
_GOOD_TOKEN = {"access_token": TOKEN, "expires_on": "9999999999", "resource": "r", "token_type": "Bearer"}
_NOT_TOKENS = (
    '"access_token expires_on"', '{"access_token":"t","expires_on":1e400}', "[" * 100_000, '{"error":"x"}', "", "null",
    '{"access_token":"\\ud800","expires_on":"9999999999"}', '{"access_token":"a\\r\\nx: y","expires_on":"9999999999"}',
    '{"access_token":"\\u00e9","expires_on":"9999999999"}', '{"access_token":"a\\u0000b","expires_on":"9999999999"}',
    '{"access_token":"","expires_on":"9999999999"}', '{"access_token":7,"expires_on":"9999999999"}', "<html>no</html>",
    '{"statusCode":500,"message":"\\u001b[31m\\nFORGED LINE"}', '{"access_token":"t","expires_on":"-1"}',
    '{"access_token":"t","expires_on":"99999999999999999999"}',
    '{"access_token":"' + "t" * 200_000 + '","expires_on":"9999999999"}',
)  # fmt: skip

type Done = Callable[[Case, Seen], None]


def make_identity(dice: Random) -> Case:
    """Return a case of the surface `identity`: the replies are the identity endpoint's."""
    asked = good_asked(dice)
    status = dice.choice((200, 200, 200, 400, 401, 403, 404, 410, 429, 500, 503, 302, 600))
    data = dice.choice(_NOT_TOKENS).encode() if dice.random() < 0.5 else written(mutated(_GOOD_TOKEN, dice), dice)
    if dice.random() < 0.2:
        data = damaged(data, dice)
    kind = dice.choice(("application/json", "application/json", "text/html", "application/json; charset=utf-16", ""))
    retry = dice.choice(("", "", "retry-after: 0\r\n", "retry-after: Mon, 01 Jan 2020 00:00:00 +99999999999999\r\n"))
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{retry}content-length: {len(data)}\r\n\r\n"
    steps: list[Step] = [head, *map(text, cut(data, dice, 3))]
    if dice.random() < 0.05:
        steps.insert(1, Pause(0.3))
    end = End(dice.choice(("clean", "clean", "clean", "cut", "hang", "endless")))
    leaves = dice.choice((0.05, MOST_SECONDS, MOST_SECONDS))
    asked = type(asked)(path=asked.path, headers=asked.headers, body=asked.body, leaves_after_seconds=leaves)
    return Case(
        surface="identity",
        setup="anonymous",
        asked=asked,
        replies=[Reply(status=status, steps=steps, end=end, raw=True)],
    )


def run_wire(cases: Iterator[Case], done: Done) -> list[str]:
    """Run them, so many at a time; return what belongs to no case."""
    with Recorder() as recorder:
        strays = asyncio.run(_run(cases, done))
    return strays + [f"{record.name}: {record.getMessage()}" for record in recorder.strays if record.levelno > 30]


async def _run(cases: Iterator[Case], done: Done) -> list[str]:
    strays: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(
        lambda _loop, told: strays.append(f"the loop: {told.get('message')} {told.get('exception')!r}")
    )
    async with Identities() as identities:
        env = {"IDENTITY_ENDPOINT": f"{identities.url}/msi/token", "IDENTITY_HEADER": IDENTITY_HEADER}
        with mock.patch.dict(os.environ, env):
            await asyncio.gather(*(_Slot(number, identities).work(cases, done) for number in range(PARALLEL)))
    await asyncio.sleep(0.3)
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and "_serve" not in repr(task)]
    strays += [f"left behind: {task!r}"[:300] for task in left]
    return strays


class _Slot:
    """One upstream, and the services before it, which live as long."""

    def __init__(self, number: int, identities: Identities) -> None:
        self._client_id = f"{number:08d}-1111-2222-3333-444444444444"
        self._identities = identities
        self._upstream = Sockets()
        self._services: dict[str, ConfiguredService] = {}
        self._number = number * 1_000_000

    async def work(self, cases: Iterator[Case], done: Done) -> None:
        async with self._upstream:
            for case in cases:
                self._number += 1
                seen = Seen()
                await asyncio.create_task(self._one(case, seen))
                done(case, seen)
            for service in self._services.values():
                await service.aclose()

    async def _one(self, case: Case, seen: Seen) -> None:
        RUNNING.set(seen)
        is_identity = case.surface == "identity"
        if is_identity:
            self._identities.by_client[self._client_id] = case.replies
            reply = good_reply(case.asked.path, case.setup, Random(0))
            self._upstream.play(
                [Reply(steps=["HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", *reply.steps], raw=True)], 0
            )
        else:
            self._upstream.play(case.replies, self._number)
        service = self._service(case, is_identity=is_identity)
        await service.load()
        client = Client(case.asked, seen)
        try:
            async with asyncio.timeout(MOST_SECONDS + MOST_LATE_SECONDS):
                await call(service, case.asked, client, seen)
        except TimeoutError:
            seen.problems.append("it does not end")
        except Exception as error:
            seen.problems.append(f"raised {error!r}"[:300])
        client.finish()
        seen.seconds_after_leaving = (
            0.0 if seen.seconds_after_leaving < MOST_LATE_SECONDS else seen.seconds_after_leaving
        )
        if is_identity:
            await service.aclose()
        else:
            await self._look_after(case, seen)

    async def _look_after(self, case: Case, seen: Seen) -> None:
        deadline = asyncio.get_running_loop().time() + MOST_LATE_SECONDS
        while self._upstream.playing and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        # An answer without a body is over with its head: its connection is kept for the next one.
        if self._upstream.playing and case.replies[0].status not in (204, 205, 304):
            seen.problems.append("the upstream's connection stays open")
        marks = set(re.findall(rb"%b([0-9]{8})" % ANSWER.encode(), bytes(seen.body)))
        if marks - {b"%08d" % self._number}:
            seen.problems.append("another case's answer")

    def _service(self, case: Case, *, is_identity: bool) -> ConfiguredService:
        if not is_identity and case.setup in self._services:
            return self._services[case.setup]
        env = SETUPS[case.setup] | QUICK | {"AZURE_OPENAI_ENDPOINT": self._upstream.url}
        env |= (
            {"IDENTITY_ENDPOINT": "here", "AZURE_CLIENT_ID": self._client_id}
            if is_identity
            else {"AZURE_OPENAI_API_KEY": TOKEN}
        )
        service = ConfiguredService(Settings.from_env(env), host_checks_keys=False)
        if not is_identity:
            self._services[case.setup] = service
        return service
