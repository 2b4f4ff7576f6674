"""Odd values, and JSON as nobody should write it. All randomness comes from the dice that are given."""

import json
from itertools import pairwise
from random import Random
from typing import Any


class Verbatim(str):
    """JSON that is written as it stands."""

    __slots__ = ()


TEXTS = (
    "", " ", "\x00", "\x1b[31mred", "a\nb", "a\r\nb", "\u2028", "\u202e", "\ufeff", "é", "日本", "\U0001f600", "ﬀ",
    "null", "true", "0", "-1", "1e400", "../..", "%00", "%2e%2e", "{{7*7}}", "${jndi:x}", "<script>alert(1)</script>",
    "data:image/png;base64,AAAA", "https://example.com/a.png", "javascript:alert(1)", "user", "assistant", "system",
    "tool", "text", "image_url", "resp_1", "a" * 257, "x" * 5000, "\ud7ff", "\U0010ffff", "gpt", "gpt-5", "m",
)  # fmt: skip
NUMBERS = tuple(
    map(
        Verbatim,
        ("0", "-0", "1", "-1", "0.5", "1e5", "1E+2", "1e400", "-1e400", "1e-400", "2.0", "9" * 400, "1" * 5000,
         "9223372036854775807", "9223372036854775808", "-9223372036854775809", "0.1e1", "3.0000000000000000001"),
    )
)  # fmt: skip
LITERALS = tuple(
    map(
        Verbatim,
        ("null", "true", "false", "[]", "{}", "[[]]", '""', r'"\ud800"', r'"\udc00\ud800"', r'"a\ud83d"',
         r'"\ud83d\ude00"', r'{"\ud800":1}', r'[{"\udfff":"\ud800"}]', r'"\u0000"', '[null]', '{"a":{"b":{"c":1}}}',
         '{"a":1,"a":2}', '[1,"a",null,{}]', "[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900),
    )
)  # fmt: skip
BROKEN = tuple(
    map(
        Verbatim,
        ("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x10", "'a'", '"a', "nul", "[1,]", '{"a":1,}', "{a:1}",
         '"\\x"', '"\\ud8"', '"\n"', '"\x01"', "/**/1", "undefined", "", ",", "}", "]", "\x00", "[" * 20_000),
    )
)  # fmt: skip


def value(dice: Random) -> Any:
    """Return a value that JSON allows."""
    return dice.choice(dice.choice((TEXTS, NUMBERS, LITERALS)))


def broken_or_value(dice: Random) -> Any:
    """Return a value; one time in ten something that is no JSON."""
    return dice.choice(BROKEN) if dice.random() < 0.1 else value(dice)


def mutated(template: Any, dice: Random, *, names: tuple[str, ...] = ()) -> Any:
    """Return a copy of the value with one place of it replaced, removed, repeated or added to. `names`: fields to add."""
    if isinstance(template, dict) and template and dice.random() < 0.75:
        name = dice.choice(list(template))
        if dice.random() < 0.45:
            return template | {name: mutated(template[name], dice, names=names)}
        return _of_object(template, name, dice, names)
    if isinstance(template, list) and template and dice.random() < 0.75:
        index = dice.randrange(len(template))
        kept = list(template)
        roll = dice.random()
        if roll < 0.6:
            kept[index] = mutated(kept[index], dice, names=names)
        elif roll < 0.7:
            del kept[index]
        elif roll < 0.85:
            kept[index:index] = [kept[index]] * dice.choice((1, 2, 30))
        else:
            kept.insert(index, broken_or_value(dice))
        return kept
    return broken_or_value(dice)


def _of_object(template: dict[str, Any], name: str, dice: Random, names: tuple[str, ...]) -> Any:
    roll = dice.random()
    if roll < 0.4:
        return template | {name: broken_or_value(dice)}
    if roll < 0.6:
        return {kept: one for kept, one in template.items() if kept != name}
    if roll < 0.85:
        return template | {dice.choice(names + TEXTS): value(dice)}
    # The same name twice: what stands in it is the name, spelled so that Python takes it for another.
    return template | {name + "\0twice": broken_or_value(dice)}


def written(data: Any, dice: Random) -> bytes:
    """Return JSON in one of the spellings that JSON has. A text may come out as bytes that are not UTF-8."""
    escapes = dice.random() < 0.3
    space = dice.choice(("", "", " ", "\n\t"))
    return _write(data, escapes=escapes, space=space).encode("utf-8", "surrogatepass")


def _write(data: Any, *, escapes: bool, space: str) -> str:
    if isinstance(data, Verbatim):
        return str(data)
    if isinstance(data, dict):
        fields = (
            f"{json.dumps(name.partition(chr(0) + 'twice')[0], ensure_ascii=escapes)}:{space}"
            f"{_write(one, escapes=escapes, space=space)}"
            for name, one in data.items()
        )
        return "{" + space + ("," + space).join(fields) + "}"
    if isinstance(data, list):
        return "[" + ",".join(_write(one, escapes=escapes, space=space) for one in data) + "]"
    return json.dumps(data, ensure_ascii=escapes)


def damaged(data: bytes, dice: Random) -> bytes:
    """Return the bytes with one accident: cut, flipped, doubled, in another encoding."""
    at = dice.randrange(len(data) + 1)
    roll = dice.randrange(9)
    if roll == 0:
        return data[:at]
    if roll == 1:
        return data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
    if roll == 2:
        return data + data
    if roll == 3:
        return b"\xef\xbb\xbf" + data
    if roll == 4:
        return data.decode("utf-8", "replace").encode("utf-16")
    if roll == 5:
        return (
            data[:at]
            + dice.choice((b"\x00", b"\xff", b"\xed\xa0\x80", b"\xc3", b"\xf4\x90\x80\x80", b"\\ud800"))
            + data[at:]
        )
    if roll == 6:
        return b" " * dice.choice((1, 1000)) + data + b"\n" * 3
    if roll == 7:
        return dice.choice((b"", b"null", b"[]", b"0", b'"a"', b"{", b"{}", b"\xff\xfe", b"[" * 100_000))
    return data + dice.choice((b",", b"}", b"x", b"\x00"))


def cut(data: bytes, dice: Random, most: int = 6) -> list[bytes]:
    """Return the same bytes in pieces; now and then one byte each."""
    if 0 < len(data) <= 300 and dice.random() < 0.1:
        return [data[at : at + 1] for at in range(len(data))]
    places = sorted(dice.randrange(len(data) + 1) for _ in range(dice.randrange(most)))
    edges = [0, *places, len(data)]
    return [data[start:end] for start, end in pairwise(edges) if end > start]
