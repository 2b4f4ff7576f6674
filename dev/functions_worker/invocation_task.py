"""Which invocation a log record belongs to, as the production shell finds it: by task, and else by thread.

The second is a guess there as here: a record written after its handler returned, in a task that uvicorn started, is pinned
on the invocation that began last.
"""

import asyncio
import threading
from typing import Any

_last_by_thread: dict[int, str] = {}


class InvocationTask(asyncio.Task[Any]):
    """A task that inherits the invocation of the task that starts it."""

    invocation_id: str | None = None

    def __init__(self, coro: Any, **options: Any) -> None:
        super().__init__(coro, **options)
        parent = asyncio.current_task(options["loop"])
        if parent is not None:
            self.invocation_id = getattr(parent, "invocation_id", None)


def task_factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> InvocationTask:
    """For `loop.set_task_factory`."""
    return InvocationTask(coro, loop=loop, **options)


def enter_invocation(invocation_id: str) -> None:
    """The running task, and what it starts, works for this invocation from here on."""
    task = asyncio.current_task()
    if isinstance(task, InvocationTask):
        task.invocation_id = invocation_id
    _last_by_thread[threading.get_ident()] = invocation_id


def current_invocation() -> str | None:
    """The best guess for the code that is running."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return getattr(task, "invocation_id", None) or _last_by_thread.get(threading.get_ident())
