"""What of a request's head goes up to the model's service, and what of a response's head comes down, with the reasons.

Everything else stays here: keys and cookies are this app's, and what a client says of itself is nobody's business upstream.
The tables are a part of docs/reference.md (`make reference`).
"""

from collections.abc import Iterator, Mapping

from starlette.datastructures import Headers, QueryParams

from shared.config.settings import Settings
from shared.errors import BadRequest, HeaderNotAllowed

UP: Mapping[str, str] = {
    "extra-parameters": "What the service does with parameters that the model does not know.",
    "openai-beta": "Switches on a part of the API that is in beta.",
    "x-client-request-id": "The caller's own id of the request, for the service's log.",
    "x-ms-client-request-id": "The same, as Azure's clients call it.",
    "x-ms-oai-image-generation-deployment": "The deployment that draws; the service refuses image tools without it.",
}
"""Headers of a request that go up, in lower case."""

CHOOSING: Mapping[str, str] = {
    "x-ms-spillover-deployment": "a deployment",
    "x-policy-id": "a content filter",
}
"""What a header lets its sender choose: it goes up only where PASS_HEADERS names it, and is refused by name otherwise."""

DOWN: Mapping[str, str] = {
    "apim-request-id": "The id of the request at the service's gateway, for Azure's support.",
    "azure-openai-deployment-utilization": "How busy a provisioned deployment is.",
    "content-type": "What the body is.",
    "ms-azureml-model-error-reason": "Why the model failed.",
    "ms-azureml-model-error-statuscode": "The status of that failure.",
    "openai-processing-ms": "How long the service worked.",
    "retry-after": "When to try again.",
    "retry-after-ms": "The same in milliseconds; OpenAI's clients prefer it.",
    "x-ms-client-request-id": "The caller's own id again.",
    "x-ms-deployment-name": "The deployment that answered.",
    "x-ms-rai-invoked": "Whether a content filter looked at prompt and answer.",
    "x-ms-region": "The region that answered.",
    "x-request-id": "The id of the request at the service; this app's own where the service gave none.",
    "x-should-retry": "Whether OpenAI's clients are to retry an error, whatever its status.",
}
"""Headers of a response that come down on the OpenAI API, in lower case."""

DOWN_FAMILIES: Mapping[str, str] = {
    "x-ms-spillover-": "Which provisioned deployment passed the request on, and why.",
    "x-ratelimit-": "What is left of the deployment's limits.",
}
"""Beginnings of the names of others."""

_VERSIONS = frozenset({"preview", "latest", "v1"})
"""What `api-version` may be on the service's current surface; a date belongs to the older one."""
_KEPT_BACK = frozenset({"api-version", "code", "clientid"})

QUERY: Mapping[str, str] = {
    "api-version": f"Goes up where it is {', '.join(sorted(_VERSIONS))}: the current surface has previews too. "
    "A date belongs to the older surface, which this app calls for images and audio alone: it counts at a deployment's "
    "address there, and is passed over elsewhere.",
    "code, clientId": "Never go up: they are the Functions host's key and its id.",
    "everything else": "Goes up with requests about stored responses, whose API has parameters; no other address has any.",
}
"""Parameters of the query."""


def headers_up(settings: Settings, headers: Headers) -> dict[str, str]:
    """Return the headers of a request that go up. Raise `HeaderNotAllowed` for one that the operator keeps to himself.

    Only ASCII can go up: a value of anything else is left out where it only informs, and refused where it chooses something.
    """
    found = {name: ", ".join(headers.getlist(name)) for name in (*UP, *settings.pass_headers) if headers.get(name)}
    for name, choice in CHOOSING.items():
        if headers.get(name) and name not in settings.pass_headers:
            raise HeaderNotAllowed(
                f"The header {name!r} is not allowed: it chooses {choice}, which this service does not leave to its callers.",
                param=name,
            )
        if not found.get(name, "").isascii():
            raise BadRequest(f"The header {name!r} is not valid; expected ASCII.", param=name)
    return {name: value for name, value in found.items() if value.isascii()}


def query_up(settings: Settings, query: QueryParams, *, is_complete: bool = False) -> tuple[tuple[str, str], ...]:
    """Return the parameters that go up, in their order. `is_complete`: the address has some of its own, which go up too."""
    return tuple(_query_up(settings, query, is_complete=is_complete))


def _query_up(settings: Settings, query: QueryParams, *, is_complete: bool) -> Iterator[tuple[str, str]]:
    for name, value in query.multi_items():
        is_version = name.lower() == "api-version" and value.lower() in _VERSIONS and not settings.openai_base_url
        if is_version or (is_complete and name.lower() not in _KEPT_BACK):
            yield name, value


def headers_down(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of the service's response that come down, with their names in lower case."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return {name: value for name, value in lowered.items() if name in DOWN or name.startswith(tuple(DOWN_FAMILIES))}
