"""Which backend a conversation belongs to, with nothing remembered: weighted rendezvous hashing. Pure.

Every process computes the same order of the same backends for the same key, and when a backend goes, only its own
conversations move. Highest random weight: Thaler and Ravishankar 1998; with weights, score = -weight / ln(u), u in (0, 1).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from math import log

import msgspec

SESSION_HEADERS = ("session_id", "x-session-id", "conversation_id")
"""The headers that name a session, as Codex and others send them; the first that there is counts."""
HASHED_BYTES = 4 * 1024
"""How much is hashed of the instructions, of what precedes the user's first message, and of that message."""
SEARCHED_BYTES = 256 * 1024
"""Where the user's first message has to begin, so that a long history costs nothing; system prompts are shorter."""

_KEY_BYTES = 16
_NAMED_FIELDS = ("prompt_cache_key", "conversation")
_USER = re.compile(rb'"role"\s*:\s*"user"')
"""Never found inside a text, whose quotation marks are escaped."""
_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)
"""A string may be cut off at the end of what is looked at."""
_LIST = re.compile(rb"\s*\[")
_SPACE = re.compile(rb"\s*")
_FIELD = rb'"\w++"\s*:\s*"[^"\\]*+"'
_FIRST_TEXT = re.compile(
    rb"\s*\[\s*\{\s*(?:"
    + _FIELD
    + rb'\s*,\s*)*"content"\s*:\s*(?:\[\s*\{\s*(?:'
    + _FIELD
    + rb'\s*,\s*)?"text"\s*:\s*)?"'
)
"""Up to the text of a list's first message, whose content is a text or begins with one."""
_TEXT_TO_ROLE = re.compile(rb"(?:\s*,\s*" + _FIELD + rb")?\s*(?:\}\s*\]\s*)?,\s*(?:" + _FIELD + rb"\s*,\s*)*")
"""From the end of that text to the role, where the role stands after it."""


def order(key: bytes, weights: Mapping[str, int]) -> list[str]:
    """Return the backends' names, the key's own backend first. `weights`: at least 1, by name."""
    return sorted(weights, key=lambda name: (-_score(key, name, weights[name]), name))


def affinity_key(fields: Mapping[str, msgspec.Raw], headers: Mapping[str, str], caller: str) -> bytes:
    """Return what keeps the requests of one conversation together, the first that there is:

    `prompt_cache_key`, `conversation`, one of `SESSION_HEADERS`, or else caller, instructions, and the messages or input up
    to and including the first of the user. `fields` are the body's, as JSON; `headers` are looked up in lower case.
    """
    for name in _NAMED_FIELDS:
        if value := _id(fields.get(name)):
            return _digest(name.encode(), value)
    for name in SESSION_HEADERS:
        if session := headers.get(name, "").strip():
            return _digest(b"session", _bytes(session))
    instructions = memoryview(fields.get("instructions") or b"")[:HASHED_BYTES]
    said = fields.get("messages") or fields.get("input") or fields.get("prompt")
    return _digest(b"history", _bytes(caller), instructions, *(opening(said) if said else ()))


def texts_key(caller: str, texts: Iterable[bytes | memoryview]) -> bytes:
    """Return the key of a conversation that begins with these texts, as JSON: the system's, then the user's first."""
    return _digest(b"texts", _bytes(caller), *(text[:HASHED_BYTES] for text in texts))


def opening(said: msgspec.Raw) -> list[memoryview]:
    """Return pieces of the JSON of a conversation's beginning, which are the same while it grows at its end.

    Of a text: its beginning. Of a list of messages: what precedes the user's first one, and that one; the first message where
    none is the user's. A list that begins with the user's text gives the same as that text alone: clients send it alone in the
    first turn and within the history from then on. Each piece has `HASHED_BYTES` at most.
    """
    view = memoryview(said)
    is_list = _LIST.match(view)
    if is_list is None:
        space = _SPACE.match(view)
        return [view[space.end() if space else 0 :][:HASHED_BYTES]]
    user = _USER.search(view, 0, SEARCHED_BYTES)
    if user is None:
        return [view[: _end(view, is_list.end(), depth=0)]]
    start, end = user.span()
    if text := _text_of_first(view, start):
        return [text]
    before = max(HASHED_BYTES, start - HASHED_BYTES)  # its text may stand before its role
    return [view[: min(start, HASHED_BYTES)], view[before:start], view[end : _end(view, end, depth=1)]]


def _text_of_first(view: memoryview, user: int) -> memoryview | None:
    """Return the JSON string that the list's first message says, where its role, which is at `user`, is the user's."""
    content = _FIRST_TEXT.match(view)
    if content is None:
        return None
    start = content.end() - 1
    text = _STRING_OR_BRACKET.match(view, start, max(user, start + HASHED_BYTES))
    if text is None or (user > start and not _TEXT_TO_ROLE.fullmatch(view, text.end(), user)):
        return None
    return view[start : text.end()][:HASHED_BYTES]


def _end(view: memoryview, start: int, *, depth: int) -> int:
    """Return where the value at `start`, or around it if `depth` is 1, ends: `HASHED_BYTES` later at most."""
    last = start + HASHED_BYTES
    for token in _STRING_OR_BRACKET.finditer(view, start, last):
        sign = view[token.start()]
        depth += (sign in b"{[") - (sign in b"}]")
        if depth <= 0:
            return token.end()
    return last


def _score(key: bytes, name: str, weight: int) -> float:
    digest = hashlib.blake2b(b"%d:%b%b" % (len(key), key, _bytes(name)), digest_size=8).digest()
    # 52 bits and a half are exact in a float, and neither 0 nor 1.
    u = ((int.from_bytes(digest) >> 12) + 0.5) / (1 << 52)
    return -weight / log(u)


def _id(value: msgspec.Raw | None) -> bytes:
    """Return an id given as a JSON string or as an object that has one, or b'' where there is none."""
    if value is None or len(value) > HASHED_BYTES:
        return b""
    try:
        found = json.loads(bytes(value))
    except (ValueError, RecursionError):
        return b""
    if isinstance(found, dict):
        found = found.get("id")
    return _bytes(found) if isinstance(found, str) else b""


def _digest(*parts: bytes | memoryview) -> bytes:
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(b"%d:" % len(part))
        hashed.update(part)
    return hashed.digest()[:_KEY_BYTES]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
