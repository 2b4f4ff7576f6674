"""The server's start, drain and end, without a worker."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import azurefunctions.extensions.http.fastapi as extension
import pytest
import uvicorn

from dev.free_port import free_port
from dev.simulator.control import Simulator
from shared.hosting import server
from shared.hosting.server import DrainingServer
from tests.app_process import QUICK

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("path", "seen"), [("/chat", "/chat"), ("*", "/*"), ("", "/"), ("/a\nb", "/a%0Ab")])
def test_every_path_is_one_that_the_frameworks_route_matches(path: str, seen: str) -> None:
    assert server.normalize_path(path) == seen


def test_an_app_of_the_extension_has_its_one_route_and_no_page_of_the_framework() -> None:
    class Copy(extension.WebApp):
        """A copy of its own, since the class is what is patched."""

        __module__ = extension.WebApp.__module__  # the extension takes no class of another module

    async def catch_all() -> None: ...

    app_class: Any = Copy
    built = app_class()
    assert {"/docs", "/redoc", "/openapi.json"} <= {route.path for route in built.get_app().routes}
    server.close_pages(app_class)
    closed = app_class()
    closed.route(catch_all)
    assert [route.path for route in closed.get_app().routes] == ["/{path:path}"]


class Lifecycle:
    """Notes what is called, in its order."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    async def warm_up(self) -> None:
        self.notes.append("warm up")

    async def drain(self) -> None:
        self.notes.append("drain")

    async def wind_down(self) -> None:
        self.notes.append("wind down")


class ExtensionServer:
    """With what `WebServer` of the extension has."""

    def __init__(self, port: int) -> None:
        self.hostname, self.port = "127.0.0.1", port
        self.web_app = self.answer

    async def answer(self, scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    async def serve(self) -> None:
        raise NotImplementedError


def test_the_patched_server_warms_up_serves_drains_on_a_signal_and_winds_down_in_this_order() -> None:
    class Extension(ExtensionServer):
        """A copy of its own, since the class is what is patched."""

    lifecycle = Lifecycle()
    seen: list[bytes] = []
    server.install_server(Extension, lifecycle, [server.NormalizedPaths])
    port = free_port()

    async def ask() -> None:
        while not seen:
            await asyncio.sleep(0.05)
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            writer.write(b"GET * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            seen.append(await reader.read())
            writer.close()
        lifecycle.notes.append("signal")
        os.kill(os.getpid(), signal.SIGTERM)

    async def run() -> None:
        asking = asyncio.create_task(ask())
        await Extension(port).serve()
        await asking

    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is raised again when the server has ended
    try:
        asyncio.run(asyncio.wait_for(run(), 30))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert b"\r\n/*\r\n" in seen[0]
    assert lifecycle.notes == ["warm up", "signal", "drain", "wind down"]


@pytest.mark.slow
def test_an_idle_connection_is_kept_open_for_longer_than_uvicorns_five_seconds() -> None:
    class Extension(ExtensionServer):
        """A copy of its own, since the class is what is patched."""

    server.install_server(Extension, Lifecycle(), [server.NormalizedPaths])
    extension = Extension(free_port())

    async def run() -> list[bytes]:
        serving = asyncio.create_task(extension.serve())
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", extension.port)
                break
            except OSError:
                await asyncio.sleep(0.05)
        seen = []
        for pause in (7, 0):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            seen.append(await reader.readuntil(b"0\r\n\r\n"))
            await asyncio.sleep(pause)
        writer.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return seen

    assert len(asyncio.run(asyncio.wait_for(run(), 60))) == 2


def test_however_many_signals_come_it_drains_once() -> None:
    async def run() -> list[str]:
        lifecycle = Lifecycle()
        draining = DrainingServer(uvicorn.Config(lambda: None, log_config=None), lifecycle)
        draining._loop = asyncio.get_running_loop()
        for _ in range(3):
            draining.handle_exit(signal.SIGTERM, None)
        await asyncio.sleep(0.1)
        return lifecycle.notes

    assert asyncio.run(run()) == ["drain"]


WORKER_TO_COME = """
import asyncio, json, logging, sys, threading, uuid
logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
from dev.functions_worker.library import answer
import aiohttp

async def ask(uri, function_id):
    invocation = str(uuid.uuid4())
    invoking = asyncio.create_task(answer({
        "type": "invocation", "invocation_id": invocation, "function_id": function_id, "params": {},
        "input": "req", "trigger_metadata": {}, "trace_parent": "", "trace_state": "",
    }))
    async with aiohttp.ClientSession(headers={"x-ms-invocation-id": invocation}) as session:
        async with session.post(uri + "/chat", json={"input": "hi"}) as response:
            chunks = [chunk async for chunk in response.content.iter_any()]
    await invoking
    return response.status, len(chunks), b"".join(chunks)

async def listening(uri):
    while True:
        try:
            _, writer = await asyncio.open_connection(*uri.removeprefix("http://").split(":"))
            return writer.close()
        except OSError:
            await asyncio.sleep(0.05)

async def main():
    started = await answer({"type": "worker_init", "directory": sys.argv[1]})
    assert started["ok"], started
    functions = (await answer({"type": "functions_metadata"}))["functions"]
    chat = next(one["function_id"] for one in functions if one["name"] == "chat")
    await answer({"type": "function_load", "function_id": chat})
    uri = started["capabilities"]["HttpUri"]
    await listening(uri)
    status, chunks, body = await ask(uri, chat)
    print(json.dumps({
        "loop": type(asyncio.get_running_loop()).__module__.partition(".")[0], "thread": threading.current_thread().name,
        "status": status, "chunks": chunks, "finished": b"event: finished" in body,
    }))
    await asyncio.sleep(2)

thread = threading.Thread(target=lambda: asyncio.run(main()), name="embedded")
thread.start()
thread.join(60)
"""
"""Microsoft's library in a shell of the shape to come: a plain asyncio loop on a thread that is not the main one."""


def test_on_a_loop_that_is_not_on_the_main_thread_the_app_streams_and_says_that_it_cannot_drain(
    simulator: Simulator,
) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "OPENAI_"))}
    env |= simulator.identity_environment | QUICK | {"AZURE_OPENAI_ENDPOINT": simulator.backends["main"]}
    simulator.behave({"tokens": 8, "interval": 0.05, "repeat": True})
    done = subprocess.run(
        [sys.executable, "-c", WORKER_TO_COME, str(ROOT)],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '"loop": "asyncio", "thread": "embedded", "status": 200' in done.stdout, done.stdout + done.stderr
    assert '"finished": true' in done.stdout
    assert int(done.stdout.partition('"chunks": ')[2].partition(",")[0]) > 3
    assert "Patches: own server on; drain on a signal off; bounded waits on" in done.stderr
    (warning,) = [line for line in done.stderr.splitlines() if line.startswith("WARNING shared.hosting")]
    assert warning == (
        "WARNING shared.hosting.installation: Unsupported event loop: cannot drain on a signal; open streams are cut when "
        "the process is stopped; it runs on the thread 'embedded', not on the main one"
    )
