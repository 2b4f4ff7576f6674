"""The worker process from start to end, shaped like Azure's: uvloop, one task for each message, logs to the host.

It installs no signal handler: on SIGTERM the app's uvicorn drains and then lets the signal end the process, as in Azure.
"""

import asyncio
import contextlib
import ctypes
import io
import logging
import os
import signal
import sys
from typing import TextIO

import uvloop

from dev.functions_worker.channel import Channel
from dev.functions_worker.invocation_task import task_factory
from dev.functions_worker.library import answer
from dev.functions_worker.log_handler import HostLogHandler
from dev.wire import Message

PR_SET_PDEATHSIG = 1


def run(descriptor: int, app: str) -> None:
    """Serve the host at the other end of the inherited socket until one of the two ends."""
    _die_with_parent()
    for stream in (sys.stdout, sys.stderr):
        write_whole_lines(stream)
    os.chdir(app)
    # At the end, as in Azure: an app cannot shadow an installed package.
    sys.path.append(app)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_dispatch_forever(descriptor))


def write_whole_lines(stream: TextIO) -> None:
    """Have the stream write each line at once and in one piece, for the host writes to the same file.

    The real host reads what its worker writes line by line. Under PYTHONUNBUFFERED `print` would write a line and its end
    apart.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(line_buffering=True, write_through=False)


async def _dispatch_forever(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    loop.set_task_factory(task_factory)
    channel = Channel(
        descriptor,
        lambda message: loop.call_soon_threadsafe(loop.create_task, _dispatch(channel, message)),
    )
    _log_to(channel)
    channel.open()
    await loop.create_future()


async def _dispatch(channel: Channel, message: Message) -> None:
    channel.send(await answer(message))


def _log_to(channel: Channel) -> None:
    debug = os.environ.get("PYTHON_ENABLE_DEBUG_LOGGING", "").strip().lower() in {"1", "true", "t", "yes", "y"}
    root = logging.getLogger()
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    root.addHandler(HostLogHandler(channel))


def _die_with_parent() -> None:
    """End with the host even where its end of the channel stays open; only Linux can."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
