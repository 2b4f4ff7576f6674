"""The bench of answers with sources: what it counts as the app's own, and what it calls met."""

from bench.retrieval import Measured


def test_what_is_neither_the_search_s_nor_the_model_s_is_the_app_s() -> None:
    found = Measured(first_step=4.0, first_word=360.0, plain_word=205.0, search=153.0)
    assert found.added == 2.0
    assert found.meets_the_goals
    assert "added by the app      +2.0 ms (goal: 3)" in found.report()


def test_beyond_a_goal_it_fails() -> None:
    assert not Measured(first_step=51.0, first_word=350.0, plain_word=200.0, search=150.0).meets_the_goals
    assert not Measured(first_step=4.0, first_word=354.0, plain_word=200.0, search=150.0).meets_the_goals
