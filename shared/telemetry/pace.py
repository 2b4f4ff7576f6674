"""How a thread with much to do lets the event loop go first."""

import time

PAUSE_SECONDS = 0.0001


def breathe() -> None:
    """Let other threads run, between two pieces of work.

    The interpreter takes a busy thread off only after 5 ms, which every stream would wait for each time the loop wakes up.
    """
    time.sleep(PAUSE_SECONDS)
