"""Forms, read by Python's own parser of messages, so that the app's is not tested against itself."""

import hashlib
from email.parser import BytesParser
from email.policy import HTTP

from dev.simulator.call import Json

BOOLEANS = {"true": True, "false": False}
NUMBERS = ("n", "partial_images", "temperature")


def read_form(content_type: str, body: bytes) -> Json | None:
    """Return the fields of multipart/form-data, with a file as its name, size and digest; None where it is no such form."""
    if not content_type.lower().startswith("multipart/form-data"):
        return None
    message = BytesParser(policy=HTTP).parsebytes(
        b"content-type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body
    )
    found: Json = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            return None
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        filename = part.get_filename()
        value = _value(name, data.decode(errors="replace")) if filename is None else _file(filename, data)
        if name.endswith("[]"):
            found.setdefault(name.removesuffix("[]"), []).append(value)
        else:
            found[name.partition("[")[0]] = value
    return found


def _file(filename: str, data: bytes) -> Json:
    return {"filename": filename, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _value(name: str, text: str) -> object:
    if name in NUMBERS and text.replace(".", "", 1).isdigit():
        return float(text) if "." in text else int(text)
    return BOOLEANS.get(text.lower(), text)
