"""The JSON of one event, or of what a format makes of it, on one line for every reader.

U+2028, U+2029 and U+0085 may stand in JSON as they are, but readers that split lines as Unicode does (Python's
`str.splitlines`, and with it httpx's `iter_lines`) would cut an event in two there. So they go out escaped.
"""

import msgspec

_encode = msgspec.json.Encoder().encode


def event_json(event: object) -> bytes:
    """Return the JSON without a line end."""
    data = _encode(event)
    if b"\xe2\x80" in data or b"\xc2\x85" in data:
        data = (
            data.replace(b"\xe2\x80\xa8", b"\\u2028")
            .replace(b"\xe2\x80\xa9", b"\\u2029")
            .replace(b"\xc2\x85", b"\\u0085")
        )
    return data
