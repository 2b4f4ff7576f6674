"""The parameters that the simulated service takes, compared with those that the openai package sends."""

from typing import get_args, get_type_hints

import pytest
from openai.types import CompletionCreateParams, EmbeddingCreateParams
from openai.types.chat import CompletionCreateParams as ChatCompletionCreateParams
from openai.types.responses import ResponseCreateParams

from dev.simulator.call import Operation
from dev.simulator.validation import BESIDE, KNOWN, check

TYPES: dict[Operation, object] = {
    "chat": ChatCompletionCreateParams,
    "responses": ResponseCreateParams,
    "completions": CompletionCreateParams,
    "embeddings": EmbeddingCreateParams,
}


def parameters(types: object) -> set[str]:
    """Of a typed dictionary, or of a union of some."""
    return {name for one in get_args(types) or (types,) for name in get_type_hints(one)}


@pytest.mark.parametrize("operation", TYPES)
def test_no_parameter_of_the_package_is_unknown_and_no_other_is_known_without_being_named(operation: Operation) -> None:
    assert KNOWN[operation] - BESIDE[operation] == parameters(TYPES[operation])
    assert BESIDE[operation] <= KNOWN[operation]


def test_codexs_own_parameter_is_taken() -> None:
    assert check("responses", {"model": "m", "input": "hi", "client_metadata": {"x": "1"}}) is None
