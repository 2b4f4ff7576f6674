"""`make reference`: write docs/reference.md, the settings and error codes, from the code that declares them."""

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from shared import errors
from shared.config.declarations import Declaration
from shared.config.settings import DECLARATIONS
from shared.http.forwarded import CHOOSING, DOWN, DOWN_FAMILIES, QUERY, UP

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference.md"

_SETTINGS = """\
# Reference

`make reference` writes this page from the code, and a test fails when the two differ.

## Settings

Settings are read once, at start. While one is invalid, every request is answered with its name and what is allowed. What was
found is for the log alone, redacted: a short number, a misspelled word, an address by scheme and host; of anything else, which
may be a key, the length. Names of models, backends and callers are not secret: the list of models, `x-backend` and the receipts
contain them. In addition to these, `AzureWebJobsDisableHomepage=true` lets the app answer at `/`.

The model's service and the search are asked through a forward proxy where the platform's variables name one: `HTTPS_PROXY`
(for plain http `HTTP_PROXY`, for both `ALL_PROXY`), an address such as `http://user:password@proxy.example:3128`. `NO_PROXY`
lists what is asked directly: hosts, suffixes such as `.example.com`, either with a port, or `*`. Lower case wins. What is on
this machine, the identity endpoint among it, is always asked directly. A proxy that refuses is a 502 `upstream_unreachable`;
the log has the cause.

Receipts, warnings, errors, traces and metrics go to Application Insights where the platform's
`APPLICATIONINSIGHTS_CONNECTION_STRING` is set, as the identity that `APPLICATIONINSIGHTS_AUTHENTICATION_STRING` names; and to
`OTEL_EXPORTER_OTLP_ENDPOINT`.
"""

_FORWARDED = """\
## What travels

Between caller and model's service, besides the body. All other headers of a request end here, as all others of a response do.
`PASS_HEADERS` lets further ones go up. Where telemetry is on, each call has a `traceparent` of its own, in the caller's trace.
The chat API's answers are its own: no header of the service comes down with them.
"""

_ERRORS = """\
## Error codes

Every error is `{"error": {"message", "type", "code", "param"}}`: the body of an HTTP status, or the error ending of the format.
`x-request-id` is on every response; where a model was to be called, it is the `id` of a record in the log.
"""

_UPSTREAM = """\
An error response of Azure OpenAI keeps its status, message and code; the OpenAI API returns it byte for byte. Two codes are
frequent: `content_filter` (400), where the prompt was blocked, and `rate_limit_exceeded` (429), where every backend is at its
limit; `retry-after` and `retry-after-ms` say how long to wait.
"""


def reference_page() -> str:
    """Return the whole page."""
    settings = _table(("name", "default", "allowed", "meaning"), map(_setting_row, DECLARATIONS.values()))
    forwarded = _table(("what", "name", "meaning"), _forwarded_rows())
    codes = _table(("code", "status", "meaning"), map(_error_row, error_kinds()))
    return "\n".join((_SETTINGS, settings, _FORWARDED, forwarded, _ERRORS, codes, _UPSTREAM))


def error_kinds() -> list[type[errors.AnswerError]]:
    """Return the errors with a code of their own, in the order of shared/errors.py."""
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.AnswerError)]
    return [kind for kind in kinds if kind not in (errors.AnswerError, errors.UpstreamErrorResponse)]


def _forwarded_rows() -> Iterator[tuple[str, ...]]:
    for name, reason in UP.items():
        yield "header up", f"`{name}`", reason
    for name, choice in CHOOSING.items():
        yield (
            "header up",
            f"`{name}`",
            f"Chooses {choice}: only where `PASS_HEADERS` names it; a 400 that names it otherwise.",
        )
    for name, reason in QUERY.items():
        yield "query up", name if " else" in name else ", ".join(f"`{one}`" for one in name.split(", ")), reason
    for name, reason in DOWN.items():
        yield "header down", f"`{name}`", reason
    for name, reason in DOWN_FAMILIES.items():
        yield "header down", f"`{name}…`", reason


def _setting_row(declaration: Declaration) -> tuple[str, ...]:
    kind, meaning = declaration.kind, declaration.meaning
    if declaration.instead_in_azure:
        meaning += f" For development only: in Azure the app uses {declaration.instead_in_azure}."
    return f"`{declaration.name}`", f"`{kind.default}`" if kind.default else "", kind.allowed, meaning


def _error_row(kind: type[errors.AnswerError]) -> tuple[str, ...]:
    sentence = re.split(r"(?<=\.)\s", inspect.getdoc(kind) or "", maxsplit=1)[0]
    return f"`{kind.code}`", str(kind.status), sentence


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("|" + "".join(map(_cell, line)) + "\n" for line in lines)


def _cell(text: str) -> str:
    """Return Markdown that shows the text: no end of the cell and no HTML in it."""
    escaped = re.sub(r"[|<]", r"\\\g<0>", text)
    return f" {escaped} |" if escaped else " |"


if __name__ == "__main__":
    PAGE.write_text(reference_page(), encoding="utf-8")
