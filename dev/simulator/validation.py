"""Validation of requests: missing, mistyped and unknown parameters, each named in `param`."""

from typing import Any

from dev.simulator.call import Json, Operation
from dev.simulator.refusals import Refusal, invalid

BESIDE: dict[Operation, frozenset[str]] = {
    "chat": frozenset({"data_sources", "user_security_context"}),
    "responses": frozenset({"client_metadata"}),
    "completions": frozenset(),
    "embeddings": frozenset(),
}
"""Taken beside what the openai package knows: Azure's own parameters, and what Codex sends to every provider."""
SHARED = "model stream stream_options temperature top_p user seed"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


IMAGE = (
    "background complexity frame_count frame_duration_ms model n output_compression output_format partial_images prompt "
    "quality response_format safety_identifier size stream svg user"
)
KNOWN: dict[Operation, frozenset[str]] = {
    "chat": frozenset(
        f"{SHARED} audio data_sources frequency_penalty function_call functions logit_bias logprobs "
        "max_completion_tokens max_tokens messages metadata modalities moderation n parallel_tool_calls prediction "
        "presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention reasoning_effort "
        "response_format safety_identifier service_tier stop store tool_choice tools top_logprobs "
        "user_security_context verbosity web_search_options".split()
    ),
    "responses": frozenset(
        f"{SHARED} access_programs background client_metadata context_management conversation image include input instructions "
        "max_output_tokens max_tool_calls metadata moderation parallel_tool_calls previous_response_id prompt "
        "prompt_cache_key prompt_cache_options prompt_cache_retention reasoning safety_identifier service_tier store "
        "text tool_choice tools top_logprobs truncation".split()
    )
    - {"seed"},
    "completions": frozenset(
        f"{SHARED} best_of echo frequency_penalty logit_bias logprobs max_tokens n presence_penalty prompt stop "
        "suffix".split()
    ),
    "embeddings": frozenset(["dimensions", "encoding_format", "input", "model", "user"]),
    "input_tokens": _names(
        "conversation input instructions model parallel_tool_calls personality previous_response_id reasoning text "
        "tool_choice tools truncation"
    ),
    "compact": _names(
        "image input instructions model previous_response_id prompt_cache_key prompt_cache_options prompt_cache_retention "
        "service_tier"
    ),
    "generations": _names(f"{IMAGE} moderation style"),
    "edits": _names(f"{IMAGE} image input_fidelity markup mask"),
    "speech": _names("input instructions model response_format speed stream_format voice"),
    "transcriptions": _names(
        "chunking_strategy file include known_speaker_names known_speaker_references keywords language languages model "
        "prompt response_format stream temperature timestamp_granularities"
    ),
    "translations": _names("file model prompt response_format temperature"),
}
REQUIRED: dict[Operation, str | None] = {
    "chat": "messages",
    "responses": None,
    "completions": None,
    "embeddings": "input",
    "input_tokens": None,
    "compact": None,
    "generations": "prompt",
    "edits": "prompt",
    "speech": "input",
    "transcriptions": "file",
    "translations": "file",
}
TYPES: dict[str, tuple[type, ...]] = {
    "stream": (bool,),
    "background": (bool,),
    "store": (bool,),
    "n": (int,),
    "max_tokens": (int,),
    "max_completion_tokens": (int,),
    "max_output_tokens": (int,),
    "temperature": (int, float),
    "top_p": (int, float),
    "tools": (list,),
    "stream_options": (dict,),
    "reasoning": (dict,),
    "text": (dict,),
}
NAMES = {bool: "a boolean", int: "an integer", float: "a decimal", list: "an array", dict: "an object", str: "a string"}
STREAM_OPTIONS: dict[Operation, frozenset[str]] = {
    "chat": frozenset({"include_usage", "include_obfuscation"}),
    "completions": frozenset({"include_usage", "include_obfuscation"}),
    "responses": frozenset({"include_obfuscation"}),
    "embeddings": frozenset(),
    "input_tokens": frozenset(),
    "compact": frozenset(),
    "generations": frozenset(),
    "edits": frozenset(),
    "speech": frozenset(),
    "transcriptions": frozenset(),
    "translations": frozenset(),
}
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
REASONING_MODELS = ("o1", "o3", "o4", "gpt-5")


def check(operation: Operation, body: Json) -> Refusal | None:
    for problem in (_unknown, _required, _types, _ranges, _stream_options, _messages, _combinations):
        refusal = problem(operation, body)
        if refusal is not None:
            return refusal
    return None


def _unknown(operation: Operation, body: Json) -> Refusal | None:
    for name in body:
        if name not in KNOWN[operation]:
            return invalid(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    return None


def _required(operation: Operation, body: Json) -> Refusal | None:
    name = REQUIRED[operation]
    if name is not None and body.get(name) is None:
        return invalid(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
    needs_input = operation == "responses" and not any(
        body.get(one) for one in ("input", "prompt", "previous_response_id")
    )
    if needs_input:
        message = "One of 'input' or 'previous_response_id' or 'prompt' must be provided."
        return invalid(message, param="input", code="missing_required_parameter")
    return None


def _types(_: Operation, body: Json) -> Refusal | None:
    for name, types in TYPES.items():
        value = body.get(name)
        if value is None or (isinstance(value, types) and (bool in types or not isinstance(value, bool))):
            continue
        return _mistyped(name, NAMES[types[0]], value)
    return None


def _mistyped(name: str, wanted: str, value: Any) -> Refusal:
    got = NAMES.get(type(value), "null")
    message = f"Invalid type for '{name}': expected {wanted}, but got {got} instead."
    return invalid(message, param=name, code="invalid_type")


def _ranges(_: Operation, body: Json) -> Refusal | None:
    for name, low, high in (("temperature", 0, 2), ("top_p", 0, 1), ("n", 1, 128)):
        value = body.get(name)
        if value is not None and not low <= value <= high:
            side, code = (
                ("below minimum", "integer_below_min_value")
                if value < low
                else ("above maximum", "integer_above_max_value")
            )
            if name != "n":
                code = code.replace("integer", "decimal")
            message = (
                f"Invalid '{name}': {side} value. Expected a value between {low} and {high}, but got {value} instead."
            )
            return invalid(message, param=name, code=code)
    return None


def _stream_options(operation: Operation, body: Json) -> Refusal | None:
    options = body.get("stream_options")
    if options is None:
        return None
    if body.get("stream") is not True:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return invalid(message, param="stream_options", code=None)
    for name in options:
        if name not in STREAM_OPTIONS[operation]:
            name = f"stream_options.{name}"
            return invalid(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    return None


def _messages(operation: Operation, body: Json) -> Refusal | None:
    if operation != "chat":
        return None
    messages = body["messages"]
    if not isinstance(messages, list):
        return _mistyped("messages", "an array of objects", messages)
    if not messages:
        message = (
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        return invalid(message, param="messages", code="empty_array")
    for number, one in enumerate(messages):
        if not isinstance(one, dict):
            return _mistyped(f"messages[{number}]", "an object", one)
        if one.get("role") not in ROLES:
            name = f"messages[{number}].role"
            if "role" not in one:
                return invalid(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
            message = f"Invalid value: '{one['role']}'. Supported values are: {', '.join(map(repr, ROLES))}."
            return invalid(message, param=name, code="invalid_value")
    return None


def _combinations(operation: Operation, body: Json) -> Refusal | None:
    if (
        operation == "chat"
        and body.get("max_tokens") is not None
        and str(body.get("model")).startswith(REASONING_MODELS)
    ):
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        return invalid(message, param="max_tokens", code="unsupported_parameter")
    if operation == "responses" and body.get("background") is True and body.get("store") is False:
        return invalid("Background mode requires 'store' to be true.", param="background", code="invalid_value")
    return None
