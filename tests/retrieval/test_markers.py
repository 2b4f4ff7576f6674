"""`[1]` in the words of a model: a citation where it is one, however it is cut, and never in code."""

import random

from shared.events import Citation, Delta
from shared.retrieval.code_spans import CodeSpans
from shared.retrieval.markers import MarkerReader
from tests.harness.cells import cells


def cited(*pieces: str, count: int = 3, names: dict[int, str] | None = None) -> tuple[str, list[str]]:
    """The words that left, and the piece of them that each citation refers to, after its source."""
    reader = MarkerReader(count, names)
    events = [event for piece in pieces for event in reader.read(piece)] + reader.end()
    words = "".join(event.text for event in events if isinstance(event, Delta))
    return words, [f"{one.source}:{words[one.start : one.end]}" for one in events if isinstance(one, Citation)]


@cells(
    ("text", "citations"),
    [
        ("It waits [1].", ["1:[1]"]),
        ("Both [1][2].", ["1:[1]", "2:[2]"]),
        ("[3]", ["3:[3]"]),
        ("Grüße 😀 [2]", ["2:[2]"]),
        ("[[1]]", ["1:[1]"]),
        ("[1[2]", ["2:[2]"]),
        ("[0] [4] [00] [99]", []),
        ("[] [a] [ 1] [1 ] [1", []),
        ("[123] [-1] [¹] [١]", []),
        ("a[", []),
    ],
)
def test_a_marker_is_a_source_s_number_in_brackets(text: str, citations: list[str]) -> None:
    assert cited(text) == (text, citations)


CODE = [
    ("`a[1]` and [1]", ["1:[1]"]),
    ("``a`[1]`` [2]", ["2:[2]"]),
    ("```python\nx = a[1]\n```\n[2]", ["2:[2]"]),
    ("~~~\na[1]\n~~~\n[2]", ["2:[2]"]),
    ("````\n```\na[1]\n````\n[2]", ["2:[2]"]),
    ("text ```a[1]``` [2]", ["2:[2]"]),
    ("```a[1]``` [2]", ["2:[2]"]),
    ("  ```\na[1]\n  ```\n[2]", ["2:[2]"]),
    ("```\na[1] ``` [1]\n```\n[2]", ["2:[2]"]),
    ("`never closed [1]\nstill [1]\n\nnow [2]", ["2:[2]"]),
    ("~ [1] ~~ [2]", ["1:[1]", "2:[2]"]),
    ("```\nnever closed [1]", []),
]


@cells(("text", "citations"), CODE)
def test_brackets_in_code_are_brackets(text: str, citations: list[str]) -> None:
    assert cited(text) == (text, citations)


@cells(("text", "citations"), [*CODE, ("a [1][22][2] [1", ["1:[1]", "2:[2]"])])
def test_it_makes_no_difference_where_the_words_are_cut(text: str, citations: list[str]) -> None:
    assert cited(*text) == (text, citations)
    rng = random.Random(7)
    for _ in range(20):
        cuts = sorted(rng.choices(range(len(text) + 1), k=4))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert cited(*pieces) == (text, citations)


def test_at_most_six_characters_are_held_back() -> None:
    for number in ("[", "[1", "[12", "[123", "[[[[[[[1", "`[1"):
        reader = MarkerReader(50)
        left = "".join(event.text for event in reader.read(number) if isinstance(event, Delta))
        assert len(number) - len(left) <= 6
    assert MarkerReader(1).read("no bracket") == [Delta("no bracket")]


def test_a_citation_comes_right_after_its_marker() -> None:
    reader = MarkerReader(1)
    assert reader.read("a [1") == [Delta("a ")]
    assert reader.read("] b") == [Delta("[1]"), Citation("1", 2, 5), Delta(" b")]
    assert reader.end() == []


def test_names_take_the_place_of_numbers_and_are_what_is_cited() -> None:
    names = {1: "Guide", 2: "Notes (2)"}
    assert cited("a [1] b [2] `[1]` [3]", count=2, names=names) == (
        "a [Guide] b [Notes (2)] `[1]` [3]",
        ["1:[Guide]", "2:[Notes (2)]"],
    )


def test_code_is_known_character_by_character() -> None:
    spans = CodeSpans()
    assert (
        "".join("#" if spans.is_code(character) else "." for character in "a `b` c\n```\nd\n```\ne")
        == "..###...#########.."
    )
