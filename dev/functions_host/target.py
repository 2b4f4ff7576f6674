"""A request's target as the host reads it, and as it writes it again for the worker. Pure.

Kestrel decodes the path and resolves its dots; the forwarder (YARP) encodes the result again. So an encoded slash, which
Kestrel leaves encoded, and bytes that are not UTF-8 arrive encoded twice: `%2F` as `%252F`, `%E9` as `%25E9`. Measured on
host 4.1037; the query was passed on nearly as sent, and is passed on as sent here.
"""

import re
from urllib.parse import quote

UNENCODED = "!$&'()*+,-./:;=@_~"
"""Beside letters and digits: what the host writes into a path as it is."""
_ENCODED = re.compile(rb"(?:%(?!2[Ff])[0-9A-Fa-f]{2})+")
_FIRST_PRINTABLE, _LAST_PRINTABLE = 0x21, 0x7E


def split_target(target: bytes, host: bytes | None) -> tuple[bytes, bytes]:
    """Return path and query of a target in origin or absolute form, both as sent.

    Raise ValueError for one that Kestrel answers with 400: a byte outside printable ASCII, a fragment, another host's address.
    """
    if b"#" in target or not all(_FIRST_PRINTABLE <= byte <= _LAST_PRINTABLE for byte in target):
        raise ValueError("the target has a fragment or a byte outside printable ASCII")
    if not target.startswith(b"/"):
        scheme, separator, rest = target.partition(b"://")
        authority, slash, rest = rest.partition(b"/")
        if not separator or scheme.lower() not in {b"http", b"https"} or authority.lower() != (host or b"").lower():
            raise ValueError("the target is no path, and no address of this host")
        target = slash + rest or b"/"
    path, _, query = target.partition(b"?")
    return path, query


def decode_path(path: bytes) -> str:
    """Return the path that routes are matched with: decoded but for encoded slashes, then without dot segments.

    Raise ValueError for an encoded NUL.
    """
    text = _ENCODED.sub(_decode, path).decode()
    if "\0" in text:
        raise ValueError("the path has a NUL")
    return _resolve_dots(text)


def encode_path(path: str) -> bytes:
    """Return the path as the worker gets it: a percent sign is encoded too."""
    return quote(path, safe=UNENCODED).encode()


def _decode(run: re.Match[bytes]) -> bytes:
    """Decode the UTF-8 in a run of encoded bytes; what is not UTF-8 stays encoded, as it was written."""
    raw = bytes.fromhex(run[0].replace(b"%", b"").decode())
    decoded, position = b"", 0
    while position < len(raw):
        try:
            return decoded + raw[position:].decode().encode()
        except UnicodeDecodeError as error:
            start, end = position + error.start, position + error.end
            decoded += raw[position:start] + run[0][3 * start : 3 * end]
            position = end
    return decoded


def _resolve_dots(path: str) -> str:
    kept: list[str] = []
    *folders, last = path.split("/")[1:]
    for segment in folders:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if last == "..":
        kept = kept[:-1]
    return "/" + "".join(f"{one}/" for one in kept) + ("" if last in {".", ".."} else last)
