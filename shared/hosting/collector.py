"""The garbage collector, kept away from what stays."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the garbage collector, then freeze what was created (`gc.freeze`), so that full collections skip it.

    The modules imported here are a hundred thousand objects: a full collection takes about 40 ms, and every stream waits.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
