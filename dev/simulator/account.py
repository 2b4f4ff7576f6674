"""What only one account has: encrypted reasoning, output items, files and the like, deployments, a cache of prompts.

All of it is off until the control API turns it on (`PUT /accounts`). The words for items, encrypted content and vector stores
were seen at the service; those for other kinds of object follow the latter and are unverified.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from dev.simulator.answer import CHARACTERS_PER_TOKEN
from dev.simulator.behaviour import BehaviourError, Part
from dev.simulator.call import Json, content_text
from dev.simulator.refusals import Refusal, invalid
from dev.simulator.stored import Store

ENCRYPTED = "reasoning.encrypted_content"
CACHE_BLOCK_TOKENS = 128
CACHE_MINIMUM_TOKENS = 1024
"""https://platform.openai.com/docs/guides/prompt-caching#requirements"""


class Account(Part, frozen=True, omit_defaults=True):
    """Every field can be combined with any other."""

    encrypts: bool = False
    """Reasoning items carry `encrypted_content` where a request includes it, and another account's is refused."""
    unverified_code: Literal["invalid_encrypted_content"] | None = None
    """The code of that refusal; it was seen with and without."""
    knows_items: bool = False
    """A reference to an item is refused unless the item was stored here."""
    item_delay: float = 0.0
    """A stored item is found only so many seconds after its answer has ended."""
    objects: list[str] | None = None
    """The files, vector stores, containers, conversations and prompts that are here; None asks about none."""
    deployments: list[str] | None = None
    """In place of the simulator's own."""
    caches: bool = False
    """Fills `cached_tokens` with how much of the prompt's beginning was asked here before."""


def account(value: Any) -> Account:
    try:
        return msgspec.convert(value, Account)
    except msgspec.ValidationError as error:
        raise BehaviourError(f"not an account: {error}") from error


class AccountState:
    """One account's settings, and which prompts it has in its cache. Its items are those of its stored responses."""

    def __init__(self, name: str, settings: Account | None = None) -> None:
        self.settings = settings or Account()
        self._name = name
        self._prefixes: set[bytes] = set()

    def check(self, body: Json, store: Store) -> None:
        """Raise the `Refusal` of a body that names what this account does not have."""
        for item in _items(body):
            if self.settings.encrypts and isinstance(item.get("encrypted_content"), str):
                self._check_encrypted(item)
            if self.settings.knows_items and item.get("type") == "item_reference":
                self._check_reference(str(item.get("id")), store)
        if self.settings.objects is not None:
            for kind, object_id in _named_objects(body):
                if object_id not in self.settings.objects:
                    quoted = f"[{object_id}]" if kind == "Vector store" else f"'{object_id}'"
                    error = invalid(f"{kind} with id {quoted} not found.", param=None, code=None)
                    raise Refusal(404, error.body)

    def encrypted(self, body: Json) -> str | None:
        """Return the encrypted content of a new reasoning item, or None where there is to be none."""
        if not self.settings.encrypts or ENCRYPTED not in (body.get("include") or []):
            return None
        sealed = f"{self._name}\0{secrets.token_hex(24)}".encode()
        return "gAAAA" + base64.urlsafe_b64encode(sealed).decode()

    def cached_tokens(self, deployment: str, body: Json) -> int:
        """Return how many tokens of the prompt's beginning were asked here before, and remember all of it."""
        if not self.settings.caches:
            return 0
        block = CACHE_BLOCK_TOKENS * CHARACTERS_PER_TOKEN
        text = "\0".join(_prompt(body)).encode(errors="replace")
        running, cached = hashlib.blake2b(deployment.encode(errors="replace"), digest_size=16), 0
        for number, start in enumerate(range(0, len(text) - block + 1, block), 1):
            running.update(text[start : start + block])
            prefix = running.digest()
            if prefix in self._prefixes:
                cached = number * CACHE_BLOCK_TOKENS
            self._prefixes.add(prefix)
        return cached if cached >= CACHE_MINIMUM_TOKENS else 0

    def _check_encrypted(self, item: Json) -> None:
        sealed = str(item["encrypted_content"])
        try:
            owner = base64.urlsafe_b64decode(sealed.removeprefix("gAAAA")).partition(b"\0")[0].decode()
        except ValueError:
            owner = ""
        if owner != self._name:
            what = f"for item {item['id']}" if item.get("id") else f"{sealed[:4]}...{sealed[-4:]}"
            code = self.settings.unverified_code
            raise invalid(f"The encrypted content {what} could not be verified.", param=None, code=code)

    def _check_reference(self, item_id: str, store: Store) -> None:
        ended = store.item_ended_at(item_id)
        if ended is None or time.time() - ended < self.settings.item_delay:
            raise invalid(f"Item with id '{item_id}' not found.", param="input", code=None)


def _items(body: Json) -> Iterator[Json]:
    for name in ("input", "messages"):
        found = body.get(name)
        yield from (item for item in found if isinstance(item, dict)) if isinstance(found, list) else ()


def _prompt(body: Json) -> Iterator[str]:
    yield str(body.get("instructions") or "")
    for item in _items(body):
        yield content_text(item.get("content"))
    yield from (body[name] for name in ("input", "prompt") if isinstance(body.get(name), str))


def _named_objects(body: Json) -> Iterator[tuple[str, str]]:
    for name, kind in (("conversation", "Conversation"), ("prompt", "Prompt")):
        found = body.get(name)
        named = found.get("id") if isinstance(found, dict) else found if kind == "Conversation" else None
        if named:
            yield kind, str(named)
    for tool in body.get("tools") or []:
        yield from (("Vector store", str(one)) for one in tool.get("vector_store_ids") or [])
        container = tool.get("container")
        if isinstance(container, str):
            yield "Container", container
        elif isinstance(container, dict):
            yield from (("File", str(one)) for one in container.get("file_ids") or [])
    for item in _items(body):
        content = item.get("content")
        for part in content if isinstance(content, list) else []:
            file_id = (part.get("file") or part).get("file_id") if isinstance(part, dict) else None
            if file_id:
                yield "File", str(file_id)
