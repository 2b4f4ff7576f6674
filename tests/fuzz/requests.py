"""Hostile requests: templates of every schema of both APIs, then a few accidents to each."""

from random import Random
from typing import Any

from tests.fuzz.case import Asked, Case, Headers, Pause, Repeat, Step, text
from tests.fuzz.odd import TEXTS, cut, damaged, mutated, written
from tests.fuzz.request_parts import (
    ACCEPTS,
    AZURE,
    CHAT_BODIES,
    CONTENT_TYPES,
    HUGE,
    KEY_HEADERS,
    METHODS,
    MODEL_PATHS,
    NAMES,
    OPENAI_BODIES,
    OTHER_HEADERS,
    PLAIN_PATHS,
    QUERIES,
    STORED,
)
from tests.fuzz.setups import CALLER_KEY, SETUPS
from tests.fuzz.upstreams import good_reply


def make_request(dice: Random) -> Case:
    """Return a case of the surface `requests`: before an upstream that does nothing odd."""
    setup = dice.choice(list(SETUPS))
    asked = huge_request(dice) if dice.random() < 0.002 else make_asked(dice)
    return Case(surface="requests", setup=setup, asked=asked, replies=[good_reply(asked.path, setup, dice)])


def make_asked(dice: Random) -> Asked:
    """Return a request with one to three accidents."""
    method, path, body = _template(dice)
    headers: Headers = []
    if body is not None:
        headers.append(("content-type", "application/json"))
    if dice.random() < 0.8:
        headers.append(dice.choice(KEY_HEADERS[:3]))
    data = b""
    accidents = dice.choices(("body", "bytes", "headers", "address"), (5, 2, 2, 1), k=dice.randrange(1, 4))
    if body is not None:
        for _ in range(accidents.count("body")):
            body = mutated(body, dice, names=NAMES)
        data = written(body, dice)
        if "bytes" in accidents:
            data = damaged(data, dice)
    if "headers" in accidents:
        headers = _odd_headers(headers, dice)
    elif dice.random() < 0.5:
        headers.append(("accept", dice.choice(ACCEPTS[:6])))
    query = dice.choice(QUERIES) if dice.random() < 0.15 else ""
    if "address" in accidents:
        method, path, query = _odd_address(method, path, dice)
    leaves = dice.choice((0.0, 0.05, 2.0)) if dice.random() < 0.03 else None
    return Asked(
        method=method,
        path=path,
        query=query,
        headers=headers,
        body=_pieces(data, dice),
        is_chunked=dice.random() < 0.3,
        leaves_after_seconds=leaves,
        seconds_per_block=0.3 if dice.random() < 0.02 else 0.0,
    )


def good_asked(dice: Random) -> Asked:
    """Return a request that nothing is wrong with, for either API."""
    method, path, body = _inference(dice)
    headers = [("content-type", "application/json"), ("api-key", CALLER_KEY)]
    if path.endswith(("/chat", "/stream")):
        headers.append(("accept", dice.choice(ACCEPTS[:6])))
    data: list[Step] = [text(written(body, dice))] if body is not None else []
    return Asked(method=method, path=path, headers=headers, body=data)


def huge_request(dice: Random, most_bytes: int = 1_000_000) -> Asked:
    """Return a request with very many of something; one in ten near the limit of 16 MiB."""
    path, before, again, after = dice.choice(HUGE)
    size = 16_000_000 if dice.random() < 0.1 and most_bytes >= 1_000_000 else dice.randrange(10_000, most_bytes)
    body: list[Step] = [before, Repeat(again, size // len(again)), after]
    headers = [("content-type", "application/json"), ("api-key", CALLER_KEY)]
    return Asked(path=path, headers=headers, body=body)


def _template(dice: Random) -> tuple[str, str, Any]:
    roll = dice.random()
    if roll < 0.85:
        return _inference(dice)
    if roll < 0.9:
        return "GET", dice.choice(PLAIN_PATHS), None
    if roll < 0.93:
        return "GET", dice.choice(MODEL_PATHS), None
    if roll < 0.95:
        return "OPTIONS", "/chat", None
    return dice.choice(("GET", "POST", "DELETE")), dice.choice(STORED), None


def _inference(dice: Random) -> tuple[str, str, Any]:
    if dice.random() < 0.5:
        return "POST", dice.choice(("/chat", "/chat", "/stream", "/chat/stream")), dice.choice(CHAT_BODIES)
    path = dice.choice(("chat/completions", *OPENAI_BODIES))
    prefixes = ("/v1/", "/v1/", "/openai/v1/", *(("/openai/deployments/gpt/",) if path in AZURE else ()))
    return "POST", dice.choice(prefixes) + path, dice.choice(OPENAI_BODIES[path])


def _odd_headers(headers: Headers, dice: Random) -> Headers:
    roll = dice.random()
    if roll < 0.25:
        return [*headers, ("accept", dice.choice(ACCEPTS))]
    if roll < 0.45:
        return [one for one in headers if one[0] != "content-type"] + [("content-type", dice.choice(CONTENT_TYPES))]
    if roll < 0.65:
        return [("content-type", "application/json"), dice.choice(KEY_HEADERS), ("accept", dice.choice(ACCEPTS))]
    if roll < 0.95:
        return [*headers, *dice.sample(OTHER_HEADERS, dice.randrange(1, 4))]
    return [*headers, *((f"x-{number}", "v") for number in range(300))]


def _odd_address(method: str, path: str, dice: Random) -> tuple[str, str, str]:
    roll = dice.random()
    if roll < 0.4:
        return dice.choice(METHODS), path, ""
    if roll < 0.6:
        return method, path, dice.choice(QUERIES)
    odd = text(dice.choice(TEXTS).encode("utf-8", "surrogatepass")).replace(" ", "%20").replace("\n", "%0A")[:300]
    kept = "".join(character for character in odd if character > " " and character not in "?#\x7f")
    return method, dice.choice((path + "/" + kept, path.replace("/v1/", "/v1/" + kept), path + kept)), ""


def _pieces(data: bytes, dice: Random) -> list[Step]:
    if dice.random() < 0.7:
        return [text(data)]
    pieces: list[Step] = []
    for piece in cut(data, dice):
        pieces.append(text(piece))
        if dice.random() < 0.2:
            pieces.append(Pause(dice.choice((0.0, 0.01, 1.0))))
    return pieces
