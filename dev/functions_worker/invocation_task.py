"""The invocation that a log record belongs to, as Azure's worker process finds it: by task, else by thread.

The second is a guess there as here: a record written after its handler has returned, in a task that uvicorn started, is
attributed to the invocation that began last.
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
    """Return a task for `loop.set_task_factory`."""
    return InvocationTask(coro, loop=loop, **options)


def enter_invocation(invocation_id: str) -> None:
    """Attribute the running task, and the tasks that it starts, to this invocation."""
    task = asyncio.current_task()
    if isinstance(task, InvocationTask):
        task.invocation_id = invocation_id
    _last_by_thread[threading.get_ident()] = invocation_id


def current_invocation() -> str | None:
    """Return the invocation of the running code, as far as it is known."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return getattr(task, "invocation_id", None) or _last_by_thread.get(threading.get_ident())
