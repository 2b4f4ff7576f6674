"""What can be asked of the backend that has a background response: its stream from a number on, all of it, its end."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.config.backends import Backend
from shared.errors import UpstreamFrameTooLarge, UpstreamMalformed
from shared.translation import MAX_BUFFERED_BYTES
from shared.upstream.call import UpstreamCall, UpstreamClients, UpstreamResponse

OPENING_SECONDS = 30.0
"""How long a request for a stream may take up to its head, and one for the whole response to its end."""
GONE = frozenset({400, 404, 409, 410})
"""The statuses with which a service refuses a stream that it does not take up any more."""
STREAM_FIELDS = frozenset({"include", "include[]", "include_obfuscation"})
"""The parameters of a stream that its continuation has too, besides the version of the API."""
_UPSTREAM_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,255}")
"""It becomes a part of a path: one that begins with a dot would climb to another."""


def is_usable_id(response_id: str) -> bool:
    """Return whether a response can be asked for by its id."""
    return _UPSTREAM_ID.fullmatch(response_id) is not None


@dataclass(frozen=True, slots=True)
class Link:
    """The way to one backend. `query`: the parameters that its stream was asked for with. Each method raises `AnswerError`."""

    clients: UpstreamClients
    backend: Backend
    headers: Mapping[str, str]
    query: Sequence[tuple[str, str]] = ()

    @property
    def _version(self) -> list[tuple[str, str]]:
        return [one for one in self.query if one[0].lower() == "api-version"]

    async def stream(self, response_id: str, after: int) -> UpstreamResponse:
        """Return the response's events with numbers above `after`; its own end is the body's."""
        numbers = [("starting_after", str(after))] if after >= 0 else []
        kept = [one for one in self.query if one[0] in STREAM_FIELDS]
        query = [*self._version, *kept, ("stream", "true"), *numbers]
        call = UpstreamCall(method="GET", path=f"responses/{response_id}", query=query, headers=self.headers)
        return await self.clients.open(self.backend, call, "")

    async def whole(self, response_id: str) -> dict[str, Any]:
        """Return the response as it is now."""
        path = f"responses/{response_id}"
        return await self._object(
            UpstreamCall(method="GET", path=path, query=self._version, headers=self.headers, streams=False)
        )

    async def cancel(self, response_id: str) -> None:
        """End the response; one that has ended stays as it is."""
        path = f"responses/{response_id}/cancel"
        await self._object(UpstreamCall(path=path, query=self._version, headers=self.headers, streams=False))

    async def _object(self, call: UpstreamCall) -> dict[str, Any]:
        response = await self.clients.open(self.backend, call, "")
        try:
            whole = bytearray()
            while data := await response.body.read():
                whole += data
                if len(whole) > MAX_BUFFERED_BYTES:
                    raise UpstreamFrameTooLarge("The response is too large to be read in one piece.")
            found = msgspec.json.decode(bytes(whole))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = None
        finally:
            response.body.close()
        if not isinstance(found, dict):
            raise UpstreamMalformed("The model's service returned a response that is not a JSON object.")
        return found
