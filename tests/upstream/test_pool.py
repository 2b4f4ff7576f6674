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


def test_a_stored_response_is_asked_of_its_owner_alone() -> None:
    pool, _ = pool_of(backend("a"), backend("b"))
    assert [candidate.backend.name for candidate in pool.candidates_for_object("b")] == ["b"]
    assert pool.candidates_for_object("gone") == []
    assert [candidate.backend.name for candidate in pool.candidates_for_model(MODEL, owner="b")] == ["b"]
    assert pool.candidates_for_model(Target("m", {"a": "m"}), owner="b") == []


def chosen(pool: BackendPool, conversation: bytes, *, tried: tuple[str, ...] = ()) -> str:
    candidate = pool.choose(
        pool.candidates_for_model(MODEL), tried={(name, "m") for name in tried}, conversation=conversation
    )
    assert candidate is not None
    pool.abandoned(candidate)
    return candidate.backend.name


KEYS = [b"%d" % number for number in range(10_000)]
WEIGHTED = (backend("a", weight=3), backend("b", weight=1), backend("ptu", weight=2), backend("spill", priority=9))


def test_conversations_share_the_backends_by_weight_and_each_stays_at_one() -> None:
    pool, _ = pool_of(*WEIGHTED)
    first = {key: chosen(pool, key) for key in KEYS}
    shares = Counter(first.values())
    for name, weight in (("a", 3), ("b", 1), ("ptu", 2)):
        assert abs(shares[name] / len(KEYS) - weight / 6) < 0.02
    other, _ = pool_of(*WEIGHTED)  # another process, with dice of its own
    assert all(chosen(other, key) == name for key, name in first.items())


def test_a_cooled_backend_moves_its_own_conversations_alone_and_gets_them_back() -> None:
    pool, clock = pool_of(*WEIGHTED)
    before = {key: chosen(pool, key) for key in KEYS[:1000]}
    pool.failed(Candidate(WEIGHTED[0], "m"), pause_seconds=30)
    during = {key: chosen(pool, key) for key in before}
    assert {key for key in before if before[key] != during[key]} == {key for key in before if before[key] == "a"}
    assert set(during.values()) == {"b", "ptu"}
    clock.now = 31
    assert {key: chosen(pool, key) for key in before} == before


def test_a_conversation_that_moved_is_asked_for_where_it_is_whatever_its_priority() -> None:
    pool, clock = pool_of(*WEIGHTED)
    pool.remember(b"moved", Candidate(WEIGHTED[3], "m"))
    assert chosen(pool, b"moved") == "spill"
    assert chosen(pool, b"another") != "spill"
    assert chosen(pool, b"moved", tried=("spill",)) != "spill"
    pool.failed(Candidate(WEIGHTED[3], "m"), pause_seconds=30)
    assert chosen(pool, b"moved") != "spill"
    clock.now = 31
    assert chosen(pool, b"moved") == "spill"


def test_only_the_newest_moves_are_remembered_and_use_makes_them_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.upstream.pool.MAX_REMEMBERED", 2)
    pool, _ = pool_of(*WEIGHTED)
    for key in (b"one", b"two"):
        pool.remember(key, Candidate(WEIGHTED[3], "m"))
    assert chosen(pool, b"one") == "spill"
    pool.remember(b"three", Candidate(WEIGHTED[3], "m"))
    assert [chosen(pool, key) == "spill" for key in (b"one", b"two", b"three")] == [True, False, True]


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


def test_a_backend_is_ready_unless_a_deployment_of_it_is_cooling_down() -> None:
    pool, clock = pool_of(backend("a"), backend("b"))
    assert pool.readiness() == {"a": True, "b": True}
    pool.failed(Candidate(backend("a"), "m"), pause_seconds=10)
    assert pool.readiness() == {"a": False, "b": True}
    clock.now = 11.0
    assert pool.readiness() == {"a": True, "b": True}
