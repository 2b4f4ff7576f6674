"""`GET /` for who is no browser: a short text that shows how to ask."""

from starlette.requests import Request

_PAGE = """This endpoint streams a model's answers, token by token. Ask it:

  curl -N {url}/chat -H 'content-type: application/json' -d '{{"input": "hello"}}'{key}
"""


def home_text(request: Request, *, needs_key: bool) -> bytes:
    """Return the text, with the address that the client sees: behind the host, only the forwarded headers have it."""
    headers = request.headers
    host = headers.get("x-forwarded-host") or headers.get("host") or "localhost"
    scheme = headers.get("x-forwarded-proto") or "http"
    url = f"{scheme.split(',')[0].strip()}://{host.split(',')[0].strip()}"
    return _PAGE.format(url=url, key=" -H 'x-functions-key: KEY'" if needs_key else "").encode()
