"""A busy thread lets others run."""

import threading
import time

from shared.telemetry.pace import breathe


def test_another_thread_runs_between_two_pieces_of_work() -> None:
    ran, is_over = [0], threading.Event()

    def other() -> None:
        while not is_over.is_set():
            ran[0] += 1
            time.sleep(0)

    thread = threading.Thread(target=other)
    thread.start()
    before = ran[0]
    for _ in range(100):
        breathe()
    is_over.set()
    thread.join()
    assert ran[0] > before
