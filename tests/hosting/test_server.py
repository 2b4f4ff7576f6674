"""The worker's mending, without a server."""

import gc
import logging
import sys

import pytest

from shared.hosting import server


@pytest.mark.parametrize(("path", "seen"), [("/chat", "/chat"), ("*", "/*"), ("", "/"), ("/a\nb", "/a%0Ab")])
def test_every_path_is_one_that_the_frameworks_route_matches(path: str, seen: str) -> None:
    assert server.routable(path) == seen


def test_a_worker_library_without_the_known_memory_is_told_once_and_harms_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "azure_functions_runtime.http_v2", raising=False)
    server._say_that_requests_are_kept.cache_clear()
    with caplog.at_level(logging.WARNING, "shared.hosting.server"):
        server.forget_invocation("1")
        server.forget_invocation("2")
    assert [record.message for record in caplog.records] == [
        "The worker library has changed: it keeps about 2 KB of every request for ever"
    ]


def test_what_is_made_while_importing_is_never_looked_through_again() -> None:
    frozen_before = gc.get_freeze_count()
    with server.importing():
        assert not gc.isenabled()
        made = [[number] for number in range(100)]
    try:
        assert gc.isenabled()
        assert gc.get_freeze_count() >= frozen_before + len(made)
    finally:
        gc.unfreeze()
