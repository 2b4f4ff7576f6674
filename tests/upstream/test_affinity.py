"""Which backend a conversation belongs to."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.upstream.affinity import HASHED_BYTES, SEARCHED_BYTES, affinity_key, opening, order, texts_key
from tests.harness.cells import cells

WEIGHTS = {"east": 3, "west": 1, "north": 2}
KEYS = [b"%d" % number for number in range(10_000)]
FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
TEXT = st.text(max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXT | st.sampled_from(["role", "content"]), inner, max_size=4)
    ),
    max_leaves=6,
)


def key(body: dict[str, Any], *, caller: str = "me", **headers: str) -> bytes:
    return affinity_key(FIELDS.decode(json.dumps(body)), headers, caller)


def said(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


# The order.


def test_each_backend_is_first_for_its_share_of_the_keys() -> None:
    first = Counter(order(one, WEIGHTS)[0] for one in KEYS)
    for name, weight in WEIGHTS.items():
        assert abs(first[name] / len(KEYS) - weight / 6) < 0.02


def test_the_second_choices_share_what_a_missing_backend_leaves_by_weight() -> None:
    second = Counter(order(one, WEIGHTS)[1] for one in KEYS if order(one, WEIGHTS)[0] == "east")
    assert abs(second["north"] / second.total() - 2 / 3) < 0.02


@cells("gone", list(WEIGHTS))
def test_a_backend_that_goes_moves_its_own_keys_alone(gone: str) -> None:
    left = {name: weight for name, weight in WEIGHTS.items() if name != gone}
    for one in KEYS[:1000]:
        assert order(one, left) == [name for name in order(one, WEIGHTS) if name != gone]


def test_a_weight_that_grows_only_draws_keys_to_itself() -> None:
    for one in KEYS[:1000]:
        before, after = order(one, WEIGHTS)[0], order(one, WEIGHTS | {"west": 2})[0]
        assert after in (before, "west")


@cells(
    ("one", "expected"),
    [
        (b"", ["north", "east", "west"]),
        (b"session-1", ["east", "west", "north"]),
        (b"session-2", ["east", "west", "north"]),
        (b"session-3", ["west", "east", "north"]),
        (bytes(range(256)), ["west", "east", "north"]),
    ],
)
def test_the_order_is_the_same_in_every_process_and_release(one: bytes, expected: list[str]) -> None:
    assert order(one, WEIGHTS) == expected
    assert order(one, dict(reversed(WEIGHTS.items()))) == expected


# The key.


def test_a_conversation_keeps_its_key_in_every_process_and_release() -> None:
    assert key({"prompt_cache_key": "session-1"}).hex() == "8e9162fe16f86ff6948b58f49029c49b"
    body = {"instructions": "Be brief.", "input": [said("user", "Hello")]}
    assert key(body).hex() == "23bddc2b0bee607b7ccfe23481d0876e"


def test_what_names_the_conversation_comes_before_what_was_said() -> None:
    named: dict[str, Any] = {"prompt_cache_key": "p", "conversation": "c"}
    everything = named | {"input": "Hello"}
    headers = {"session_id": "s", "x-session-id": "x", "conversation_id": "i"}
    keys = [key(everything, **headers)]
    del everything["prompt_cache_key"]
    keys.append(key(everything, **headers))
    assert keys[0] == key({"prompt_cache_key": "p", "input": "Other"}, caller="other")
    assert keys[1] == key({"conversation": {"id": "c"}, "input": "Other"}, caller="other")
    del everything["conversation"]
    for name in list(headers):
        keys.append(key(everything, **headers))
        assert keys[-1] == key({"input": "Other"}, caller="other", **{name: headers.pop(name)})
    keys.append(key(everything))
    assert len(set(keys)) == 6


@cells("nothing", [None, "", 7, [], {}, {"id": None}, {"id": ""}])
def test_a_name_that_is_none_is_passed_over(nothing: Any) -> None:
    body = {"input": "Hello"}
    assert key({"prompt_cache_key": nothing, "conversation": nothing} | body, session_id=" ") == key(body)


@cells("name", ["messages", "input"])
@cells(
    "start",
    [
        [said("user", "Hello")],
        [{"content": "Hello", "role": "user"}],
        [said("system", "You are kind. " * 2000), said("user", "Hello")],
        [said("user", "x" * 3 * HASHED_BYTES)],
        [said("user", '}]"role":"user"}')],
        [said("user", [{"type": "input_text", "text": "Hello"}, {"type": "input_image", "image_url": "x" * 9000}])],
        [{"type": "message", "role": "user", "content": "Hello", "metadata": {"a": [1, {"b": "]"}]}}],
        [said("developer", "No question yet")],
        [{"type": "function_call_output", "call_id": "c", "output": "{}"}],
    ],
)
def test_a_history_that_grows_keeps_its_key(name: str, start: list[Any]) -> None:
    grown = [
        *start,
        said("assistant", "Hi"),
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "id": "f"},
    ]
    assert key({name: start}) == key({name: grown})
    assert key({name: grown}) == key({name: [*grown, said("assistant", "And?"), {"content": [{}]}]})


@cells("text", ["Hello", "", '"}]\\', "Größe 😀\n" * 2 * HASHED_BYTES], ids=["short", "empty", "signs", "long"])
@cells(
    "first",
    [
        lambda text: said("user", text),
        lambda text: {"type": "message", "role": "user", "content": text},
        lambda text: {"content": text, "role": "user"},
        lambda text: {"content": text, "role": "user", "type": "message"},
        lambda text: said("user", [{"type": "input_text", "text": text}]),
        lambda text: said("user", [{"text": text, "type": "input_text"}]),
        lambda text: {"type": "message", "content": [{"text": text, "type": "input_text"}], "id": "m", "role": "user"},
    ],
)
@cells("indent", [None, 2])
def test_a_text_has_the_key_of_the_history_that_begins_with_it(
    text: str, first: Callable[[str], Any], indent: int | None
) -> None:
    def key_of(said: Any) -> bytes:
        return affinity_key(FIELDS.decode(json.dumps({"input": said}, indent=indent)), {}, "me")

    assert key_of(text) == key_of([first(text)]) == key_of([first(text), said("assistant", "Hi"), first("More")])
    assert key_of(text) != key_of([first(text + "!")]) or len(text) > HASHED_BYTES


@cells(
    "start",
    [
        [said("system", "Hello"), said("user", "Hi")],
        [{"content": "Hello", "role": "system"}, {"content": "Hi", "role": "user"}],
        [{"type": "item_reference", "id": "rs_1"}, said("user", "Hello")],
    ],
)
def test_a_history_that_begins_otherwise_is_no_text(start: list[Any]) -> None:
    assert key({"input": start}) not in (key({"input": "Hello"}), key({"input": "Hi"}))


def test_the_texts_of_a_conversations_beginning_are_its_key() -> None:
    keys = [
        texts_key(*one)
        for one in (("me", [b"a", b"b"]), ("me", [b"ab", b""]), ("you", [b"a", b"b"]), ("me", [b"a", b"c"]))
    ]
    assert len(set(keys)) == 4
    assert texts_key("me", [b"x" * HASHED_BYTES]) == texts_key("me", [b"x" * 2 * HASHED_BYTES])


@given(st.lists(JSON, max_size=3), JSON, JSON, st.lists(JSON, max_size=3))
def test_whatever_is_added_behind_the_users_first_message_changes_nothing(
    before: list[Any], content: Any, metadata: Any, after: list[Any]
) -> None:
    start = [*before, {"metadata": metadata, "role": "user", "content": content}]
    assert key({"input": start}) == key({"input": start + after})


def test_what_the_user_says_first_tells_conversations_apart_even_behind_a_long_system_prompt() -> None:
    system = said("system", "You are kind. " * 10_000)
    assert len(json.dumps(system)) < SEARCHED_BYTES
    for is_role_last in (False, True):
        users = [said("user", f"Question {number}") for number in range(40)]
        users = [dict(reversed(user.items())) if is_role_last else user for user in users]
        assert len({key({"messages": [system, user]}) for user in users}) == 40


def test_brackets_in_a_long_text_do_not_end_it() -> None:
    keys = {key({"input": [said("user", f"}}]}} {number}" + "x" * 2 * HASHED_BYTES)]}) for number in range(9)}
    assert len(keys) == 9


def test_callers_instructions_and_texts_tell_conversations_apart() -> None:
    body = {"input": "Hello", "instructions": "Be brief."}
    assert len({key(body), key(body, caller="other"), key(body | {"input": "Bye"}), key({"input": "Hello"})}) == 4


def test_a_boundary_between_parts_cannot_be_moved() -> None:
    assert key({"input": "b"}, caller="a") != key({"input": ""}, caller="ab")


@given(
    st.dictionaries(
        st.sampled_from(["messages", "input", "prompt", "instructions", "prompt_cache_key", "conversation"]), JSON
    ),
    st.text(),
)
def test_any_body_has_a_key(body: dict[str, Any], caller: str) -> None:
    assert len(key(body, caller=caller)) == 16


@cells("raw", [b"", b" ", b"[", b'["', b'[{"role":"user"', b'[{"role":"user","content":"\\', b"[}]"])
def test_bytes_that_are_no_json_are_hashed_as_they_are(raw: bytes) -> None:
    assert affinity_key({"input": msgspec.Raw(raw)}, {}, "\ud800")


def test_what_is_hashed_is_bounded() -> None:
    for body in ("x" * 10**6, [said("user", "x" * 10**6)], [said("system", "x" * 10**5), said("user", "y" * 10**6)]):
        pieces = opening(msgspec.Raw(json.dumps(body).encode()))
        assert all(len(piece) <= HASHED_BYTES for piece in pieces)
