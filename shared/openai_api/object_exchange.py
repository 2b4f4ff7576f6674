"""One request about a file, a vector store, a conversation or a batch: the call that it becomes. See `exchange`.

An object is in one account, where everything about it is asked; a caller's new ones go to the same account while it is well.
"""

import asyncio
import hashlib
import re
from dataclasses import dataclass, replace
from functools import partial

from shared.errors import AnswerError
from shared.http.forwarded import query_up
from shared.http.outbound import ErrorPage
from shared.http.spool import Spool
from shared.openai_api.batches import NOT_AGAIN, may_be_made, open_new_batch
from shared.openai_api.exchange import RelayExchange
from shared.openai_api.form import FormReader
from shared.openai_api.media_exchange import Form
from shared.openai_api.media_relay import SoundRelay
from shared.openai_api.object_ids import ObjectIds
from shared.openai_api.objects import KINDS, ObjectAddress
from shared.openai_api.relay import SignedBodyRelay
from shared.state.stored_ids import FILE
from shared.translation import Translation
from shared.upstream.attempts import Answer
from shared.upstream.call import UpstreamCall

_CURSORS = frozenset({"after", "before"})
"""The parameters that name where a page of files begins or ends."""
_PART = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectExchange(RelayExchange):
    """A request whose body is JSON, or that has none."""

    ids: ObjectIds
    address: ObjectAddress

    def prepare(self, body: bytes) -> Answer:
        """Return the answer of the account that has the object, or is to have it."""
        return self._answer(self._call(resolve=partial(self._opened, body)))

    def error_page(self, error: AnswerError) -> ErrorPage:
        """Return the page as every relay does; where a batch may run that nobody has the id of, with a word against repeats."""
        page = RelayExchange.error_page(self, error)
        if self.address.api.makes_batch and may_be_made(error):
            return replace(page, headers={**page.headers, **NOT_AGAIN})
        return page

    def _call(self, **fields: object) -> UpstreamCall:
        request, api = self.context.request, self.address.api
        self.ids.signs = api.signs
        self.receipt.format = "whole"
        method = "GET" if request.method == "HEAD" else request.method  # read in one piece, of which the head is sent
        call = UpstreamCall(
            method=method,
            path=api.path,
            query=query_up(self.settings, request.query_params, is_complete=True),
            headers=self.headers_up,
            streams=False,
            conversation=self._place,
            signing=self.ids,
            owner_param="id",
            asks_once=api.makes_batch,
        )
        return replace(call, **fields)  # type: ignore[arg-type]

    def _answer(self, call: UpstreamCall) -> Answer:
        return Answer(call, self._translation, self.upstream, self.receipt)

    def _translation(self) -> Translation:
        return FileRelay() if self.address.api.is_raw else SignedBodyRelay(self.ids, may_be_empty=True)

    def _place(self) -> bytes:
        """Return what keeps a caller's objects in one account: a vector store and its files must be in the same."""
        return hashlib.sha256(b"objects:" + self.ids.caller.encode("utf-8", "surrogatepass")).digest()[:16]

    async def _opened(self, body: bytes, call: UpstreamCall) -> UpstreamCall:
        """Return the call with the ids that the account knows: in the path, the query and the body."""
        ids = self.ids
        await ids.load()
        path = _PART.sub(self._part, call.path)
        query = [(name, self._cursor(name, value)) for name, value in call.query]
        sent = await asyncio.to_thread(self._opened_body, body)
        return replace(call, path=path, query=query, body=lambda _backend, _deployment: sent, owner=ids.owner)

    def _opened_body(self, body: bytes) -> bytes | None:
        if self.address.api.makes_batch:
            return open_new_batch(self.ids, body)
        return self.ids.open_own(body) if body else None

    def _part(self, match: re.Match[str]) -> str:
        value = self.address.parts[match[1]]
        return self.ids.open(KINDS[match[1]], value, param="id") if match[1] in KINDS else value

    def _cursor(self, name: str, value: str) -> str:
        is_file = name in _CURSORS and self.address.api.signs.get("id") is FILE
        return self.ids.open(FILE, value, param=name) if is_file else value


@dataclass(frozen=True, slots=True, kw_only=True)
class FileUploadExchange(ObjectExchange):
    """A new file, in a form. No field of it is read: `reader` only makes sure that it is one."""

    reader: FormReader

    def feed(self, piece: bytes) -> None:
        """Read the next piece of the form. Raise `BadRequest`."""
        self.reader.feed(piece)

    def prepare_upload(self, spool: Spool) -> Answer:
        """Return the answer that the complete form asks for. Raise `BadRequest`."""
        self.reader.end()
        form = Form(spool, self.context.request.headers["content-type"], None)
        return self._answer(self._call(upload=lambda _backend, _deployment: form, resolve=self._loaded))

    async def _loaded(self, call: UpstreamCall) -> UpstreamCall:
        await self.ids.load()  # without a usable id the file would be kept and lost
        return call


class FileRelay(SoundRelay):
    """A file's bytes, which are not looked at; it may be empty."""

    def end(self) -> bytes:
        """Note that the file is complete: the transport has checked its length."""
        self.progress.end()
        self.progress.end_of_body()
        return b""
