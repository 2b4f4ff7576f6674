"""A reply as the bytes of a connection: the head and the framing of its body, each with accidents of its own."""

from random import Random

from tests.fuzz.case import Asked, Case, End, Headers, Pause, Reply, Step, raw, text
from tests.fuzz.setups import ANSWER
from tests.fuzz.upstreams import make_reply

LONGEST_PAUSE = 0.3
MOST_SECONDS = 2.5
"""How long a client stays at most: here time is real."""
UNASKED = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"
_HEADS = (
    "HTTP/1.1 200 OK\nno-cr: 1\n\n", "HTTP/1.1 200\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n", "\r\n\r\n",
    "HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n", "HTTP/1.1 200 OK\r\nx\r\n\r\n", "HTTP/1.1 -1 OK\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/1.1 200 OK\r\nx: \x00\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n" * 50, "HTTP/1.1 200 OK\r\n" + "x: " + "a" * 100_000,
    "HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 " + "r" * 70_000 + "\r\n\r\n", "HTTP/1.1 200 \x01\xff\r\n\r\n",
)  # fmt: skip
_CHUNK_SIZES = ("zz", "-1", "", "FFFFFFFFFFFFFFFFF", "5;" + "e" * 20_000, "0x5", " 5", "5 ")


def make_wire(dice: Random, asked: Asked, setup: str) -> Case:
    """Return a case of the surface `wire`."""
    reply = make_reply(asked.path, setup, dice)
    while reply.fault:
        reply = make_reply(asked.path, setup, dice)
    leaves = dice.choice((0.0, 0.05, 0.5)) if dice.random() < 0.1 else MOST_SECONDS
    asked = Asked(
        method=asked.method,
        path=asked.path,
        query=asked.query,
        headers=asked.headers,
        body=asked.body,
        leaves_after_seconds=leaves,
        leaves_after_bytes=300_000 if reply.end.how == "endless" else None,
    )
    return Case(surface="wire", setup=setup, asked=asked, replies=[framed(reply, dice)])


def framed(reply: Reply, dice: Random) -> Reply:
    """Return the reply as raw bytes; one time in ten its head is none."""
    if dice.random() < 0.1:
        head, body, end = dice.choice(_HEADS).encode("latin-1"), list(reply.steps), reply.end
    else:
        head, body, end = _framed(reply, dice)
    steps: list[Step] = []
    if dice.random() < 0.05:
        steps.append("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
    at = dice.randrange(len(head) + 1) if dice.random() < 0.2 else len(head)
    steps += [text(head[:at]), *([Pause(0.02)] if at < len(head) else []), text(head[at:]), *map(_shortened, body)]
    if end.how == "clean" and dice.random() < 0.1:
        steps += [Pause(dice.choice((0.0, 0.05))), text(UNASKED + b"HTTP/1.1 200 OK\r\n\r\n" + ANSWER.encode())]
    return Reply(status=reply.status, headers=reply.headers, steps=steps, end=end, raw=True)


def _framed(reply: Reply, dice: Random) -> tuple[bytes, list[Step], End]:
    headers: Headers = [
        (name, value)
        for name, value in reply.headers
        if name not in ("transfer-encoding", "content-length", "connection")
    ]
    own = [one for one in reply.headers if one not in headers]
    body, size = list(reply.steps), sum(len(raw(step)) for step in reply.steps if not isinstance(step, Pause))
    roll, end = dice.random(), reply.end
    if own and dice.random() < 0.3:
        headers += own
    elif roll < 0.45:
        headers.append(("transfer-encoding", "chunked"))
        body = _chunks(body, dice, is_complete=end.how == "clean")
    elif roll < 0.85:
        headers.append(("content-length", str(size + (0 if end.how == "clean" else 1 + dice.randrange(10_000)))))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {reply.status} Whatever\r\n{head}\r\n".encode("latin-1"), body, end


def _chunks(body: list[Step], dice: Random, *, is_complete: bool) -> list[Step]:
    steps: list[Step] = []
    for step in body:
        if isinstance(step, Pause):
            steps.append(step)
        elif data := raw(step):
            size = dice.choice(_CHUNK_SIZES) if dice.random() < 0.01 else f"{len(data):x}"
            steps += [f"{size}\r\n", text(data), "\r\n"]
    if is_complete:
        steps.append("0\r\n\r\n" if dice.random() < 0.95 else "0\r\ntrailer: x\r\n\r\n")
    return steps


def _shortened(step: Step) -> Step:
    return Pause(min(step.seconds, LONGEST_PAUSE)) if isinstance(step, Pause) else step
