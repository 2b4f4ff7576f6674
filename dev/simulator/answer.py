"""The answer to a call, independent of the wire format: text, pieces, finish reason, usage."""

import json
from dataclasses import dataclass, replace
from typing import Any

from msgspec import structs

from dev.simulator import schema, words
from dev.simulator.behaviour import ToolCall, Usage, without_mark
from dev.simulator.call import Call, Json, all_text, newest_text
from dev.simulator.grounded import grounded, quote, wanted_query

CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Answer:
    pieces: tuple[str, ...]
    reasoning: tuple[str, ...]
    refusal: tuple[str, ...]
    calls: tuple[ToolCall, ...]
    finish_reason: str
    usage: Usage | None
    """None if it is never sent."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def size(self) -> int:
        """Estimate the number of pieces of its stream."""
        arguments = sum(len(words.pieces(one.arguments_text)) for one in self.calls)
        return len(self.pieces) + len(self.reasoning) + len(self.refusal) + arguments

    @property
    def prompt_tokens(self) -> int:
        return (self.usage.prompt or 0) if self.usage else 0

    @property
    def completion_tokens(self) -> int:
        return (self.usage.completion or 0) if self.usage else 0


def compose(call: Call, *, number: int = 0) -> Answer:
    """Compute the answer; `number` is the index of the choice."""
    call = _after_tools(call)
    behaviour = call.behaviour
    calls = tuple(behaviour.calls) or _asked_calls(call)
    refusal = tuple(words.pieces(behaviour.refusal or ""))
    pieces = () if calls or refusal else _padded(_pieces(call, number), behaviour.event_bytes)
    reasoning = tuple(words.pieces(_reasoning(call)))
    finish = "tool_calls" if calls else "stop"
    most = _most_tokens(call.body)
    if most is not None and len(pieces) > most:
        pieces, finish = pieces[:most], "length"
    answer = Answer(pieces, reasoning, refusal, calls, behaviour.finish_reason or finish, None)
    return replace(answer, usage=_usage(call, answer))


def _pieces(call: Call, number: int) -> tuple[str, ...]:
    behaviour = call.behaviour
    around = newest_text(call.body)
    query, found = wanted_query(around), grounded(around)
    if query is not None:
        return tuple(words.pieces(without_mark(query)))
    is_own = behaviour.text is None and behaviour.tokens is None
    if found is not None and is_own and not words.GREETING.search(found.question):
        return tuple(words.pieces(quote(found)))
    prompt = call.prompt if number == 0 else f"{call.prompt} ({number})"
    if isinstance(behaviour.tokens, list):
        return tuple(behaviour.tokens)
    text = behaviour.text
    if text is None:
        wanted = _format(call.body)
        if wanted is not None:
            text = json.dumps(wanted, ensure_ascii=False)
    if behaviour.tokens is not None:
        pieces = words.pieces(text) if text else words.some_pieces(prompt, behaviour.tokens)
        return tuple(pieces[index % len(pieces)] for index in range(behaviour.tokens)) if pieces else ()
    return tuple(words.pieces(words.answer(prompt) if text is None else text))


def _padded(pieces: tuple[str, ...], size: int | None) -> tuple[str, ...]:
    return pieces if size is None else ("x" * size, *pieces[1:])


def _format(body: Json) -> Any:
    """Return the value requested by `response_format` (chat) or `text.format` (responses)."""
    asked: Json = body.get("response_format") or (body.get("text") or {}).get("format") or {}
    if asked.get("type") == "json_object":
        return {"answer": "This is a simulated model, speaking JSON."}
    if asked.get("type") != "json_schema":
        return None
    return schema.example(asked.get("json_schema", asked).get("schema") or {})


def _reasoning(call: Call) -> str:
    if call.behaviour.reasoning is not None:
        return call.behaviour.reasoning
    asked = call.body.get("reasoning")
    return words.REASONING if isinstance(asked, dict) and asked.get("summary") else ""


def _after_tools(call: Call) -> Call:
    """Return the call with the text that its behaviour has for a request that brings the tools' results."""
    text = call.behaviour.after_tools
    if text is None or not _answers_tools(call.body):
        return call
    return replace(call, behaviour=structs.replace(call.behaviour, tool_call=None, text=text))


def _answers_tools(body: Json) -> bool:
    """Return whether the newest message is a tool's result."""
    newest = (body.get("messages") or body.get("input") or [None])[-1]
    return isinstance(newest, dict) and (
        newest.get("role") == "tool" or str(newest.get("type")).endswith("_call_output")
    )


def _asked_calls(call: Call) -> tuple[ToolCall, ...]:
    """Return a tool call if the request forces one, or if the prompt names the tool or contains "tool" or "function"."""
    if call.behaviour.text is not None or call.behaviour.tokens is not None:
        return ()
    if _answers_tools(call.body):
        return ()
    choice = call.body.get("tool_choice", "auto")
    prompt = call.prompt.lower()
    for tool in call.body.get("tools") or []:
        function = tool.get("function", tool) if isinstance(tool, dict) else {}
        name = function.get("name")
        if not isinstance(name, str):
            continue
        forced = (
            choice.get("function", choice).get("name") == name if isinstance(choice, dict) else choice == "required"
        )
        spoken = any(word in prompt for word in (name.lower(), name.lower().replace("_", " "), " tool", " function"))
        if forced or (choice == "auto" and spoken):
            arguments = schema.example(function.get("parameters") or {"type": "object"}, text="simulated")
            return (ToolCall(name=name, arguments=arguments if isinstance(arguments, dict) else {}),)
    return ()


def _most_tokens(body: Json) -> int | None:
    for name in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        if isinstance(body.get(name), int):
            return int(body[name])
    return None


def _usage(call: Call, answer: Answer) -> Usage | None:
    wanted = call.behaviour.usage
    if wanted is False:
        return None
    told = wanted if isinstance(wanted, Usage) else Usage(reasoning=len(answer.reasoning))
    prompt = sum(len(text) // CHARACTERS_PER_TOKEN + 4 for text in all_text(call.body))
    return Usage(
        prompt=prompt if told.prompt is None else told.prompt,
        completion=answer.size if told.completion is None else told.completion,
        cached=told.cached or call.cached_tokens,
        reasoning=told.reasoning,
    )
