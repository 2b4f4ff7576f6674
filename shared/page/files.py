"""The chat page's files, read once: from a path to what to answer. Knows HTTP's words, and no web framework.

The page itself is at `/`, everything else at `/page/<file>`. In the page's HTML those addresses carry a version,
`page/<version>/<file>`, which changes with any file, so that browsers keep them for good and a deployment never mixes with
an older one. The modules refer to each other relatively, and so stay within their version.
"""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent
INDEX = "index.html"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served at all; licences, type declarations and notes stay at home."""

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types dompurify",
    ]
)
SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), clipboard-read=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"
_SMALLEST_COMPRESSED = 1024


@dataclass(frozen=True, slots=True)
class PageResponse:
    """What to answer; a body that the browser has already is empty, with status 304."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    compressed: bytes | None
    media_type: str
    digest: str


def page_response(path: str, *, if_none_match: str = "", accept_encoding: str = "") -> PageResponse | None:
    """Return the response to a GET of `/` or `/page/…`; None where no such file exists.

    The other two are the request's headers of those names.
    """
    name, is_versioned = _name(path)
    if name not in _files():
        return None
    file = _read(name)
    compressed = file.compressed if _accepts_gzip(accept_encoding) else None
    etag = f'"{file.digest}{"-gzip" if compressed is not None else ""}"'
    headers = {
        **SECURITY_HEADERS,
        "content-type": file.media_type,
        "cache-control": _FOR_GOOD if is_versioned else _ASK_EACH_TIME,
        "etag": etag,
        "vary": "accept, accept-encoding" if name == INDEX else "accept-encoding",
    }
    if _names(if_none_match, etag):
        return PageResponse(304, b"", headers)
    if compressed is not None:
        headers["content-encoding"] = "gzip"
    return PageResponse(200, file.body if compressed is None else compressed, headers)


def _name(path: str) -> tuple[str, bool]:
    """Return the file's name, '' for none, and whether the address has the current version."""
    if path == "/":
        return INDEX, False
    if not path.startswith("/page/"):
        return "", False
    name = path.removeprefix("/page/")
    current = version() + "/"
    plain = name.removeprefix(current)
    return "" if plain == INDEX else plain, plain != name


@cache
def version() -> str:
    """Return a digest that changes when any of the files does."""
    digest = hashlib.sha256()
    for name, path in sorted(_files().items()):
        digest.update(f"{name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _files() -> Mapping[str, Path]:
    return {path.relative_to(ROOT).as_posix(): path for path in ROOT.rglob("*") if path.suffix in _TYPES}


@cache
def _read(name: str) -> _File:
    path = _files()[name]
    body = path.read_bytes()
    if name == INDEX:
        body = body.replace(b'"page/', f'"page/{version()}/'.encode())
    compressed = gzip.compress(body, mtime=0) if len(body) >= _SMALLEST_COMPRESSED else None
    return _File(body, compressed, _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:20])


def _accepts_gzip(accept_encoding: str) -> bool:
    """https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3; nothing is lost when this says no."""
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _names(if_none_match: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or "*" in tags
