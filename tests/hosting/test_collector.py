"""The garbage collector around slow imports."""

import gc

from shared.hosting.collector import gc_paused


def test_what_is_created_while_the_collector_is_paused_is_never_looked_through_again() -> None:
    frozen_before = gc.get_freeze_count()
    with gc_paused():
        assert not gc.isenabled()
        made = [[number] for number in range(100)]
    try:
        assert gc.isenabled()
        assert gc.get_freeze_count() >= frozen_before + len(made)
    finally:
        gc.unfreeze()
