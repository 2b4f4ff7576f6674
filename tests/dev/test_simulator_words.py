"""What the simulated model says and makes up, without a process: words, schemas, vectors."""

import math

import pytest

from dev.simulator import schema, words
from dev.simulator.embeddings import vector


@pytest.mark.parametrize("prompt", ["", "Hello", "How do I write a list of Python code?", "x" * 100, "🌤️ ü\n\t—"])
def test_pieces_joined_are_the_text(prompt: str) -> None:
    text = words.answer(prompt) + prompt
    assert "".join(words.pieces(text)) == text


def test_as_many_pieces_as_asked_for() -> None:
    assert [len(words.some_pieces("Why?", count)) for count in (0, 1, 500)] == [0, 1, 500]


def test_a_recursive_schema_with_references_ends() -> None:
    node = {"type": "object", "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/node"}}}
    made = schema.example({"$ref": "#/$defs/node", "$defs": {"node": node}})
    assert made["name"] == "simulated"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"const": 5}, 5),
        ({"enum": ["a", "b"]}, "a"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"type": ["null", "integer"], "minimum": 9}, 9),
        ({"type": "number", "exclusiveMaximum": 1}, 0.5),
        ({"type": "string", "minLength": 12}, "simulatedxxx"),
        ({"type": "string", "format": "date"}, "2026-01-02"),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 3}, [True, True, True]),
        ({"allOf": [{"properties": {"a": {"type": "boolean"}}}, {"type": "object"}]}, {"a": True}),
        ({"type": "null"}, None),
    ],
)
def test_a_made_up_value_fits_its_schema(given: schema.Schema, expected: object) -> None:
    assert schema.example(given) == expected


def test_a_vector_has_length_one_and_depends_on_the_text_alone() -> None:
    assert math.isclose(sum(value * value for value in vector("a", 64)), 1)
    assert vector("a", 64) == vector("a", 64) != vector("b", 64)
