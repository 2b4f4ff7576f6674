"""Hostile upstreams: what Azure OpenAI sends, in each of its APIs, then a few accidents to it."""

import json
from random import Random
from typing import Any

from tests.fuzz.case import Asked, Case, End, Headers, Pause, Repeat, Reply, Step, text
from tests.fuzz.odd import BROKEN, cut, damaged, mutated, written
from tests.fuzz.setups import SETUPS
from tests.fuzz.upstream_parts import (
    CONTENT_TYPES,
    ERRORS,
    EXTRA,
    MEDIA,
    OBJECTS,
    ODD_FRAMES,
    ODD_HEADERS,
    PASSED_ON,
    RETRY_AFTERS,
    STATUSES,
    STREAMS,
    VALUES,
    WHOLES,
)


def make_upstream(dice: Random, asked: Asked) -> Case:
    """Return a case of the surface `upstream`: this request, and replies of which none needs to be sane."""
    setup = dice.choice(list(SETUPS))
    replies = [make_reply(asked.path, setup, dice) for _ in range(dice.choice((1, 1, 2)))]
    leaves, after = None, None
    if any(reply.end.how == "endless" for reply in replies):
        leaves, after = 300.0, dice.choice((1, 5_000, 300_000))
    elif dice.random() < 0.1:
        leaves = dice.choice((0.0, 0.01, 0.5, 30.0))
    asked = Asked(
        method=asked.method,
        path=asked.path,
        query=asked.query,
        headers=asked.headers,
        body=asked.body,
        leaves_after_seconds=leaves,
        leaves_after_bytes=after,
        seconds_per_block=dice.choice((0.0, 0.0, 0.0, 0.2, 2.0)),
    )
    return Case(surface="upstream", setup=setup, asked=asked, replies=replies)


def good_reply(path: str, setup: str, dice: Random) -> Reply:
    """Return an answer that is as it should be. Where a whole answer was asked for, it will do as one, or be refused."""
    if dice.random() < 0.2 and not path.endswith(("/chat", "/stream")):
        return Reply(headers=[("content-type", "application/json")], steps=[json.dumps(dice.choice(WHOLES))])
    events = STREAMS[_api(path, setup)]
    return Reply(headers=[("content-type", "text/event-stream")], steps=[text(b"".join(_frame(one) for one in events))])


def media_reply(path: str, dice: Random) -> Reply:
    """Return an answer about an image, a sound or an object that is as it should be: a stream, JSON or bytes."""
    kind = next((kind for word, kind in MEDIA.items() if word in path), None)
    roll = dice.random()
    if kind is not None and roll < 0.6:
        frames = [_frame(one) for one in STREAMS[kind]]
        return Reply(headers=[("content-type", "text/event-stream")], steps=[text(b"".join(frames))])
    if roll < 0.7:
        return Reply(headers=[("content-type", "audio/mpeg")], steps=[text(bytes(range(256)))])
    return Reply(headers=[("content-type", "application/json")], steps=[json.dumps(dice.choice(OBJECTS))])


def make_reply(path: str, setup: str, dice: Random) -> Reply:
    """Return one reply with accidents."""
    roll = dice.random()
    if roll < 0.04:
        return Reply(fault=dice.choice(("unreachable", "timeout", "identity")))
    status = dice.choice(STATUSES) if roll < 0.35 else 200
    if roll < 0.35 and dice.random() < 0.8:
        headers = [("content-type", dice.choice(CONTENT_TYPES[2:]) if dice.random() < 0.5 else "application/json")]
        data = written(dice.choice(ERRORS), dice)
    elif roll < 0.45:
        headers = [("content-type", "application/json")]
        data = written(mutated(dice.choice(WHOLES), dice), dice)
    else:
        headers = [("content-type", "text/event-stream")]
        data = _stream(_api(path, setup), dice)
    if dice.random() < 0.3:
        data = damaged(data, dice) if data else data
    return Reply(status=status, headers=_odd_headers(headers, dice), steps=_reads(data, dice), end=_end(dice))


def _api(path: str, setup: str) -> str:
    if path.startswith(("/v1", "/openai")):
        if kind := next((kind for word, kind in MEDIA.items() if word in path), None):
            return kind
        if "responses" in path:
            return "responses"
        return "completions" if path.endswith("/completions") and "chat" not in path else "chat"
    return SETUPS[setup].get("AZURE_OPENAI_API", "chat")


def _frame(event: Any, end: str = "\n") -> bytes:
    data = event if isinstance(event, str) else json.dumps(event)
    named = isinstance(event, dict) and isinstance(event.get("type"), str)
    name = f"event: {event['type']}{end}".encode("utf-8", "surrogatepass") if named else b""
    return name + f"data: {data}{end}{end}".encode("utf-8", "surrogatepass")


def _stream(api: str, dice: Random) -> bytes:
    events = list(STREAMS[api])
    for _ in range(dice.randrange(4)):
        at = dice.randrange(len(events) + 1)
        roll = dice.random()
        if roll < 0.35:
            events.insert(at, dice.choice(EXTRA[api]))
        elif roll < 0.7 and at < len(events):
            events[at] = mutated(events[at], dice)
        elif roll < 0.8:
            del events[at : at + dice.choice((1, 1, 9))]
        elif roll < 0.9:
            dice.shuffle(events)
        else:
            events[at:at] = [dice.choice(STREAMS[api])] * dice.choice((2, 100))
    end = dice.choice(("\n", "\n", "\n", "\r\n", "\r"))
    frames = [_written_frame(event, end, dice) for event in events]
    if dice.random() < 0.2:
        odd = dice.choice((*ODD_FRAMES, b"data:" + dice.choice(BROKEN).encode() + b"\n\n"))
        frames.insert(dice.randrange(len(frames) + 1), odd)
    return b"".join(frames)


def _written_frame(event: Any, end: str, dice: Random) -> bytes:
    if isinstance(event, str):
        return _frame(event, end)
    name = event.get("type", "") if isinstance(event, dict) else ""
    data = written(event, dice).replace(b"\n", b" ")
    shown = name.encode("utf-8", "replace") if type(name) is str else b""
    head = b"event: " + shown.replace(b"\n", b" ").replace(b"\r", b" ") + end.encode() if shown else b""
    return head + b"data: " + data + end.encode() * 2


def _reads(data: bytes, dice: Random) -> list[Step]:
    steps: list[Step] = []
    for piece in cut(data, dice):
        steps.append(text(piece))
        if dice.random() < 0.1:
            steps.append(Pause(dice.choice((0.0, 0.1, 3.0, 30.0, 150.0))))
    if dice.random() < 0.01:
        filler = dice.choice(("x", "data: ", ": c\n\n", "\n", "\r", 'data: {"choices":[]}\n\n', "[", "\\"))
        steps.insert(dice.randrange(len(steps) + 1), Repeat(filler, dice.choice((1000, 100_000)) // len(filler)))
    return steps


def _end(dice: Random) -> End:
    roll = dice.random()
    if roll < 0.55:
        return End("clean")
    if roll < 0.85:
        return End("cut")
    return End("hang" if roll < 0.95 else "endless")


def _odd_headers(headers: Headers, dice: Random) -> Headers:
    if dice.random() < 0.4:
        return headers
    found = list(headers)
    for _ in range(dice.randrange(1, 4)):
        roll = dice.random()
        if roll < 0.35:
            found.append((dice.choice(PASSED_ON), dice.choice(VALUES)))
        elif roll < 0.55:
            found.append((dice.choice(("retry-after", "retry-after-ms")), dice.choice(RETRY_AFTERS)))
        elif roll < 0.7:
            found = [("content-type", dice.choice(CONTENT_TYPES)), *found[1:]]
        elif roll < 0.97:
            found.append(dice.choice(ODD_HEADERS))
        else:
            found += [(f"x-ratelimit-{number}", "v" * 100) for number in range(400)]
    return found
