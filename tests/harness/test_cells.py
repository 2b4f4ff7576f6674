"""A test of many cells: all of them run, and those that fail are named."""

import pytest

from tests.harness.cells import cells


def test_every_cell_runs_and_the_names_of_those_that_fail_are_in_the_failure() -> None:
    ran = []

    @cells("left", [1, 2, 3])
    @cells(("right", "is_even"), [("one", False), ("two", True)], ids=["odd", "even"])
    def case(left: int, right: str, is_even: bool) -> None:
        ran.append((left, right))
        assert is_even or left != 2
        if left == 3:
            pytest.fail("three")

    with pytest.raises(BaseExceptionGroup) as raised:
        case()
    assert sorted(ran) == sorted((left, right) for left in (1, 2, 3) for right in ("one", "two"))
    assert raised.value.message == "3 of 6 cells failed:\n  [odd-2]\n  [odd-3]\n  [even-3]\n"
    assert [error.__notes__ for error in raised.value.exceptions] == [
        [f"Cell: {name}"] for name in ("odd-2", "odd-3", "even-3")
    ]


@cells("number", [1, 2])
def test_what_is_no_axis_is_a_fixture(number: int, request: pytest.FixtureRequest) -> None:
    assert request.node.name == "test_what_is_no_axis_is_a_fixture"
    assert number in (1, 2)


def test_one_cell_can_run_alone_and_a_name_that_none_has_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    @cells("word", ["first", "second", pytest.param("third", id="last")])
    def case(word: str) -> None:
        ran.append(word)

    monkeypatch.setenv("CELL", "last")
    case()
    assert ran == ["third"]
    monkeypatch.setenv("CELL", "third")
    with pytest.raises(AssertionError, match="no cell is named third"):
        case()


def test_a_table_without_rows_and_a_cell_with_a_mark_are_errors() -> None:
    with pytest.raises(ValueError, match="0 rows"):
        cells("word", [])
    with pytest.raises(AssertionError, match="marks"):
        cells("word", [pytest.param("first", marks=pytest.mark.slow)])
