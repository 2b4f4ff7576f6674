"""A secret in a setting is told to nobody, wherever in the settings it was put by mistake.

The service is made from planted settings and asked in this process at every one of its addresses. What is looked through:
the responses, head and body; the log with its tracebacks; and what `Telemetry` would send to Application Insights.
"""

import asyncio
import hashlib
import json
import logging
import random
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from shared.config.settings import SETTING_NAMES
from shared.hosting import telemetry
from shared.receipt import LOGGER_NAME as RECEIPTS
from shared.service import ConfiguredService, service_from_env
from tests.harness.cells import cells

PIECE_CHARACTERS = 8
CLOSED = "http://127.0.0.1:9"
"""Nothing listens there: a valid configuration fails quickly, and that failure is looked through too."""
BASE = {"AZURE_OPENAI_ENDPOINT": CLOSED, "AZURE_OPENAI_API_KEY": "development", "ATTEMPT_BUDGET_SECONDS": "0.05"}
ENTRY: dict[str, Any] = {
    "name": "east",
    "endpoint": CLOSED,
    "priority": 1,
    "weight": 2,
    "deployments": {"gpt-5": "deployed", "gpt-4": "other"},
    "scope": "https://ai.azure.com/.default",
}
OTHER = {"name": "west", "endpoint": CLOSED, "deployments": {"gpt-5": "there"}}
DIGEST = hashlib.sha256(b"a caller's key").hexdigest()

FREE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/+:@#?!$%&*~;|\\'\" "
"""No comma, since a list is split at it, no dot, since a host may have it, and no equals sign, which separates names."""


def digest_of(number: int) -> bytes:
    return hashlib.sha512(b"%d" % number).digest()


def password(number: int) -> str:
    """One whose characters don't repeat, so that no piece is found by chance; it neither begins nor ends with a blank."""
    return "".join(random.Random(number).sample(FREE.strip(), 16 + 8 * number))


KEYS = (digest_of(1).hex()[:32], "sk-" + digest_of(2).hex()[:48], b64encode(digest_of(3)).decode())
"""In their usual shapes."""
SECRETS = (*KEYS, *map(password, range(3)))
A_FEW = (KEYS[0], password(3))


@dataclass
class Told:
    """Everything that the service said, by where: the path of a response, the name of a logger."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    is_configured: bool = False

    def places_of(self, secret: str) -> set[str]:
        """Where the secret is, or any piece of it of eight characters, in any case of letters."""
        small = secret.lower()
        pieces = {small[at : at + PIECE_CHARACTERS] for at in range(len(small) - PIECE_CHARACTERS + 1)}
        everything = "\n".join(text for _, text in self.texts).lower()
        found = [piece for piece in pieces if piece in everything]
        return {place for place, text in self.texts if any(piece in text.lower() for piece in found)}


class Listener(logging.Handler):
    """Keeps what a log would show and what Application Insights would get of each record."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        shown = logging.Formatter().format(record)
        self._told.texts.append((record.name, f"{shown}\n{telemetry._attributes(record)}"))


def asked(method: str, path: str, **headers: str) -> Request:
    raw = [(b"host", b"app.example"), *((name.encode(), value.encode()) for name, value in headers.items())]
    return Request(
        {"type": "http", "method": method, "path": path, "query_string": b"", "headers": raw, "scheme": "https"}
    )


async def answer(response: Response, body: bytes) -> str:
    said: list[str] = []
    received = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        if (message := next(received, None)) is None:
            await asyncio.Event().wait()
        assert message is not None
        return message

    async def send(message: Message) -> None:
        said.append(repr(message.get("headers", "")) + message.get("body", b"").decode())

    await response({"type": "http"}, receive, send)
    return "".join(said)


CHAT = json.dumps({"input": "hi"}).encode()
COMPLETION = json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}).encode()
TYPED = {"content-type": "application/json", "origin": "https://app.example.com"}


async def ask_everything(env: Mapping[str, str], told: Told) -> None:
    service = service_from_env(env)
    service.announce()
    said: list[tuple[Request, Callable[[Request, str], Response], bytes]] = [
        (asked("GET", "/health"), service.health, b""),
        (asked("GET", "/"), service.home, b""),
        (asked("GET", "/", accept="text/html"), service.home, b""),
        (asked("GET", "/page/app.js"), service.page, b""),
        (asked("OPTIONS", "/chat", origin="https://app.example.com"), service.preflight, b""),
        (asked("GET", "/v1/models"), service.openai, b""),
        (asked("GET", "/v1/models/nothing"), service.openai, b""),
        (asked("POST", "/chat", **TYPED), service.chat, CHAT),
        (asked("POST", "/v1/chat/completions", **TYPED), service.openai, COMPLETION),
        (asked("GET", "/openai/v1/responses/resp_1"), service.openai, b""),
    ]
    for request, handle, body in said:
        told.texts.append((request.url.path, await answer(handle(request, "an-invocation"), body)))
    told.is_configured = isinstance(service, ConfiguredService)
    await service.aclose()


def told_of(env: Mapping[str, str]) -> Told:
    """Everything that a service with these settings says."""
    told = Told()
    listener = Listener(told)
    logging.getLogger().addHandler(listener)
    try:
        asyncio.run(ask_everything(env, told))
    finally:
        logging.getLogger().removeHandler(listener)
    return told


@pytest.fixture(scope="module", autouse=True)
def as_on_the_worker() -> Iterator[None]:
    """The worker's log level, and no command that could fetch a token."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        before = logging.getLogger().level
        logging.getLogger().setLevel(logging.INFO)
        yield
        logging.getLogger().setLevel(before)


PUBLISHED = {
    "/v1/models",
    "/chat",
    "/v1/chat/completions",
    RECEIPTS,
    "shared.upstream.attempts",
    "shared.upstream.attempt_log",
}
"""Where the valid name of a model or a backend stands on purpose: in the list of models, as `x-backend`, in the log."""


@cells("name", SETTING_NAMES)
@cells("secret", SECRETS)
def test_a_secret_in_place_of_any_setting_is_told_to_nobody(name: str, secret: str) -> None:
    told = told_of(BASE | {name: secret})
    assert told.places_of(secret) <= (PUBLISHED if name == "AZURE_OPENAI_DEPLOYMENT" else set())


ADDRESSES: Mapping[str, Callable[[str], str]] = {
    "user": lambda secret: f"https://{secret}@account.openai.azure.com",
    "password": lambda secret: f"https://user:{secret}@account.openai.azure.com",
    "password after a port": lambda secret: f"https://user:1/{secret}@account.openai.azure.com",
    "host without a domain": lambda secret: f"https://{secret}",
    "port": lambda secret: f"https://account.openai.azure.com:{secret}",
    "path": lambda secret: f"https://account.openai.azure.com/{secret}",
    "path of a gateway": lambda secret: f"{CLOSED}/{secret}/v1",
    "query": lambda secret: f"https://account.openai.azure.com/?sig={secret}",
    "fragment": lambda secret: f"https://account.openai.azure.com#{secret}",
    "scheme": lambda secret: f"{secret}://account.openai.azure.com",
    "before": lambda secret: f"{secret} https://account.openai.azure.com",
    "after": lambda secret: f"https://account.openai.azure.com {secret}",
    "scope": lambda secret: f"https://ai.azure.com/{secret}/.default",
    "scope's fragment": lambda secret: f"https://ai.azure.com#{secret}/.default",
    "scope's user": lambda secret: f"https://{secret}@ai.azure.com/.default",
}


@cells("part", ADDRESSES)
@cells("secret", SECRETS)
def test_a_secret_in_any_part_of_an_address_is_told_to_nobody(part: str, secret: str) -> None:
    address = ADDRESSES[part](secret)
    for name in ("AZURE_OPENAI_ENDPOINT", "OPENAI_BASE_URL", "AZURE_OPENAI_SCOPE", "ALLOWED_ORIGINS"):
        env = {"AZURE_OPENAI_ENDPOINT": CLOSED, "ATTEMPT_BUDGET_SECONDS": "0.05", name: address}
        assert told_of(env).places_of(secret) == set(), name
    for key in ("endpoint", "scope"):
        env = {"AZURE_OPENAI_BACKENDS": json.dumps([ENTRY | {key: address}])}
        assert told_of(env).places_of(secret) == set(), key


def planted(value: Any, secret: str, path: str = "") -> Iterator[tuple[str, Any]]:
    """Where it is and the document with the secret once in it: for each value, around each text, as a field's name."""
    yield from ((path, one) for one in (secret, [secret], {"key": secret}))
    if isinstance(value, str):
        yield from ((path, one) for one in (value + secret, secret + value))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for where, one in planted(item, secret, f"{path}[{index}]"):
                yield where, [*value[:index], one, *value[index + 1 :]]
        yield path, [*value, secret]
    elif isinstance(value, dict):
        for name, item in value.items():
            for where, one in planted(item, secret, f"{path}.{name}"):
                yield where, value | {name: one}
            yield path, {secret if one == name else one: kept for one, kept in value.items()}
        for unknown in ({"api_key": secret}, {"key": {"value": [secret]}}, {secret: "x"}):
            yield from ((path, one) for one in (value | unknown, unknown | value))


def slipped(text: str, secret: str) -> Iterator[str]:
    """JSON texts with the secret between any two of their tokens, bare and quoted: none of them is JSON."""
    for token in re.finditer(r'"[^"]*"|[\[\]{},:]', text):
        yield text[: token.end()] + secret + text[token.end() :]
        yield text[: token.end()] + json.dumps(secret) + text[token.end() :]


@pytest.mark.parametrize("secret", A_FEW, ids=range(len(A_FEW)))
def test_a_secret_anywhere_in_the_list_of_backends_is_told_to_nobody(secret: str) -> None:
    for path, document in planted([ENTRY, OTHER], secret):
        told = told_of(BASE | {"AZURE_OPENAI_BACKENDS": json.dumps(document)})
        is_a_name = told.is_configured and re.match(r"\[\d\]\.(name|deployments)", path)
        assert told.places_of(secret) <= (PUBLISHED if is_a_name else set()), (path, document)
    for text in slipped(json.dumps([ENTRY, OTHER]), secret):
        assert told_of(BASE | {"AZURE_OPENAI_BACKENDS": text}).places_of(secret) == set(), text
    almost = json.dumps([ENTRY | {"api_key": secret}])
    for text in (almost[:-1], almost[:-1] + ",]", almost[:-2] + ",}]", almost + "]", almost.replace('"', "'")):
        assert told_of(BASE | {"AZURE_OPENAI_BACKENDS": text}).places_of(secret) == set(), text


@cells("secret", A_FEW)
def test_a_secret_anywhere_in_the_names_of_models_is_told_to_nobody_unless_it_is_a_name(secret: str) -> None:
    for _, document in planted({"gpt-5": "deployed", "gpt-4": "other"}, secret):
        told = told_of(BASE | {"AZURE_OPENAI_MODELS": json.dumps(document)})
        assert told.places_of(secret) <= (PUBLISHED if told.is_configured else set()), document
    for text in slipped('{"gpt-5": "deployed", "gpt-4": "other"}', secret):
        assert told_of(BASE | {"AZURE_OPENAI_MODELS": text}).places_of(secret) == set(), text
    for text in (f"{secret}, a=b", f"a=b, {secret}", f"{secret}=", f"={secret}", f"a=={secret}", f"a={secret}=b"):
        told = told_of(BASE | {"AZURE_OPENAI_MODELS": text})
        assert not told.is_configured
        assert told.places_of(secret) == set(), text


@cells("secret", A_FEW)
def test_a_secret_anywhere_in_the_callers_keys_is_told_to_nobody(secret: str) -> None:
    own = hashlib.sha256(secret.encode()).hexdigest()
    entries = [
        f"alice={secret}",
        f"alice=sha256:{secret}",
        f"alice:{secret}",
        f"{secret}=alice",
        f"{secret}=sha256:{own}",
    ]
    entries += [f"alice=sha256:{DIGEST}{secret}", f"alice={secret}:{DIGEST}", f"{secret} alice=sha256:{DIGEST}"]
    for entry in entries:
        for text in (entry, f"bob=sha256:{DIGEST},{entry}", f"{entry},bob=sha256:{DIGEST}"):
            for mode in ("keys", "function"):
                told = told_of(BASE | {"AUTH_MODE": mode, "CALLER_KEYS": text})
                assert told.places_of(secret) == set(), text
