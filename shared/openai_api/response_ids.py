"""The ids of stored responses in an answer of the OpenAI API: signed where its frames and bodies have them."""

import msgspec

from shared.errors import InvalidJson
from shared.http.json_body import decode_value, parse_fields
from shared.sse import with_data
from shared.state.caller_ids import CallerIds
from shared.state.stored_ids import PREFIX

SIGNED_FIELDS = ("id", "previous_response_id", "first_id", "last_id")
"""Of a response object, and of a page of its items; only where the value is a response's id."""


class ResponseIds(CallerIds):
    """One request's ids, and those in its answer."""

    def sign_event(self, frame: bytes, data: bytes) -> bytes:
        """Return the frame of an event that carries a response object, with that object's ids signed. `data` is its data."""
        fields = _fields(data)
        response = self._signed(_fields(bytes(fields.get("response", b""))))
        if response is None:
            return frame
        return with_data(frame, msgspec.json.encode({**fields, "response": response}))

    def sign_body(self, body: bytes) -> bytes:
        """Return a body, with the ids of its response object signed; unchanged where it is none."""
        signed = self._signed(_fields(body))
        return body if signed is None else bytes(signed)

    def _signed(self, fields: dict[str, msgspec.Raw]) -> msgspec.Raw | None:
        """Return the object with its ids signed, or None where there is nothing to sign, or no key."""
        signed: dict[str, msgspec.Raw] = {}
        for name in SIGNED_FIELDS:
            value = decode_value(fields[name]) if name in fields else None
            if self._ids is not None and isinstance(value, str) and value.startswith(PREFIX):
                signed[name] = msgspec.Raw(msgspec.json.encode(self.sign(value)))
        return msgspec.Raw(msgspec.json.encode({**fields, **signed})) if signed else None


def _fields(data: bytes) -> dict[str, msgspec.Raw]:
    """Return an object's fields; none where it is not an object, or not read by every JSON parser."""
    try:
        return parse_fields(data)
    except InvalidJson:
        return {}
