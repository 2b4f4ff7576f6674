"""Which backend is asked next."""

from collections import Counter
from random import Random

import pytest

from shared.config.backends import Backend
from shared.config.catalog import Target
from shared.upstream.circuit import FIRST_PAUSE_SECONDS
from shared.upstream.pool import BackendPool, Candidate


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def backend(name: str, **more: object) -> Backend:
    return Backend(name=name, base_url=f"https://{name}/", scope="s", **more)  # type: ignore[arg-type]


def pool_of(*backends: Backend) -> tuple[BackendPool, Clock]:
    clock = Clock()
    return BackendPool(backends, clock=clock, rng=Random(7).random), clock


def everywhere(model: str) -> Target:
    return Target(model, dict.fromkeys(("a", "b", "ptu", "spill"), model))


MODEL = everywhere("m")


def order(pool: BackendPool, target: Target = MODEL) -> list[str]:
    tried: set[tuple[str, str]] = set()
    names = []
    while candidate := pool.choose(pool.candidates_for_model(target), tried=tried):
        tried.add(candidate.key)
        names.append(candidate.backend.name)
        pool.abandoned(candidate)
    return names


def test_the_lowest_priority_number_goes_first() -> None:
    pool, _ = pool_of(backend("spill", priority=2), backend("ptu", priority=1))
    assert order(pool) == ["ptu", "spill"]


def test_equals_share_the_work_by_weight() -> None:
    pool, _ = pool_of(backend("a", weight=3), backend("b", weight=1))
    first = Counter(order(pool)[0] for _ in range(2000))
    assert 0.70 < first["a"] / 2000 < 0.80


def test_a_model_is_asked_only_where_it_is_deployed() -> None:
    pool, _ = pool_of(backend("a"), backend("b"), backend("c"))
    candidates = pool.candidates_for_model(Target("m", {"a": "dep-a", "c": "m"}))
    assert [(candidate.backend.name, candidate.deployment) for candidate in candidates] == [("a", "dep-a"), ("c", "m")]


def test_a_cooled_backend_is_skipped_and_tried_last() -> None:
    pool, _ = pool_of(backend("a", priority=1), backend("b", priority=2))
    pool.failed(pool.candidates_for_model(MODEL)[0], pause_seconds=30)
    assert order(pool) == ["b", "a"]


def test_when_all_are_cooled_the_soonest_goes_first() -> None:
    pool, _ = pool_of(backend("a"), backend("b"))
    a, b = pool.candidates_for_model(MODEL)
    pool.failed(a, pause_seconds=30)
    pool.failed(b, pause_seconds=10)
    assert order(pool) == ["b", "a"]


def test_one_probe_at_a_time_brings_a_backend_back() -> None:
    pool, clock = pool_of(backend("a", priority=1), backend("b", priority=2))
    candidates = pool.candidates_for_model(MODEL)
    pool.failed(candidates[0], pause_seconds=30)
    clock.now = 31
    probe = pool.choose(candidates)
    assert probe == candidates[0]
    assert pool.choose(candidates) == candidates[1]  # somebody else is probing
    pool.succeeded(candidates[0])
    assert pool.choose(candidates) == pool.choose(candidates) == candidates[0]


def test_a_probe_whose_client_left_makes_room_for_the_next() -> None:
    pool, clock = pool_of(backend("a", priority=1), backend("b", priority=2))
    candidates = pool.candidates_for_model(MODEL)
    pool.failed(candidates[0], pause_seconds=30)
    clock.now = 31
    assert pool.choose(candidates) == candidates[0]
    pool.abandoned(candidates[0])
    assert pool.choose(candidates) == candidates[0]


def test_without_a_retry_after_the_pause_grows_and_is_bounded() -> None:
    clock = Clock()
    pool = BackendPool([backend("a"), backend("b")], clock=clock, rng=lambda: 0.5)
    candidate = pool.candidates_for_model(MODEL)[0]
    for expected in [1, 2, 4, 8, 16, 32, 60, 60]:
        pool.failed(candidate, pause_seconds=None)
        clock.now += expected * FIRST_PAUSE_SECONDS - 0.01
        assert order(pool)[-1] == "a"
        clock.now += 0.02
        assert sorted(order(pool)) == ["a", "b"]


def test_the_pause_is_kept_per_deployment() -> None:
    pool, _ = pool_of(backend("a"), backend("b", priority=2))
    one, other = Target("m", {"a": "d1", "b": "d"}), Target("n", {"a": "d2", "b": "d"})
    pool.failed(pool.candidates_for_model(one)[0], pause_seconds=30)
    assert (order(pool, one), order(pool, other)) == (["b", "a"], ["a", "b"])


def test_a_stored_response_is_asked_of_everybody_until_its_owner_is_known() -> None:
    pool, _ = pool_of(backend("a"), backend("b"))
    assert [candidate.backend.name for candidate in pool.candidates_for_response("resp_1")] == ["a", "b"]
    pool.record_owner("resp_1", Candidate(backend("b"), "m"))
    assert [candidate.backend.name for candidate in pool.candidates_for_response("resp_1")] == ["b"]


def test_only_the_newest_owners_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.upstream.pool.MAX_REMEMBERED", 2)
    pool, _ = pool_of(backend("a"), backend("b"))
    for number in range(3):
        pool.record_owner(f"resp_{number}", Candidate(backend("b"), "m"))
    assert [len(pool.candidates_for_response(f"resp_{number}")) for number in range(3)] == [2, 1, 1]


def test_what_fails_at_the_same_moment_is_one_failure() -> None:
    clock = Clock()
    pool = BackendPool([backend("a", priority=1), backend("b", priority=2)], clock=clock, rng=lambda: 0.5)
    candidate = pool.candidates_for_model(MODEL)[0]
    for _ in range(50):
        pool.failed(candidate, pause_seconds=None)
    clock.now = FIRST_PAUSE_SECONDS + 0.01
    assert order(pool) == ["a", "b"]


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    pool, clock = pool_of(backend("a", priority=1), backend("b", priority=2))
    candidate = pool.candidates_for_model(MODEL)[0]
    pool.failed(candidate, pause_seconds=30)
    pool.failed(candidate, pause_seconds=None)
    clock.now = 29
    assert order(pool) == ["b", "a"]
    clock.now = 31
    assert order(pool) == ["a", "b"]


def test_circuits_of_names_that_only_ever_failed_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.upstream.pool.MAX_REMEMBERED", 2)
    pool, _ = pool_of(backend("a"), backend("b", priority=9))
    for name in ("m1", "m2", "m3"):
        pool.failed(pool.candidates_for_model(everywhere(name))[0], pause_seconds=30)
    assert [order(pool, everywhere(name))[0] for name in ("m1", "m2", "m3")] == ["a", "b", "b"]
