"""Error responses with the texts of Azure OpenAI and of the plain OpenAI surface.

Texts collected from public reports of the service; clients may rely on status and code, but not on the texts.
"""

from dataclasses import dataclass, field
from typing import Any

from dev.simulator.behaviour import Behaviour
from dev.simulator.call import Json, Surface

HTML = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    "<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)
BLOCKED = {"filtered": True, "severity": "medium"}
SAFE = {"filtered": False, "severity": "safe"}
CONTENT_FILTER: Json = {
    "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
    "Please modify your prompt and retry.",
    "type": None,
    "param": "prompt",
    "code": "content_filter",
    "status": 400,
    "innererror": {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {"hate": SAFE, "self_harm": SAFE, "sexual": SAFE, "violence": BLOCKED},
    },
}
USUAL: dict[int, Json] = {
    400: {
        "code": "bad_request",
        "message": "Simulated: the request is not acceptable.",
        "type": "invalid_request_error",
    },
    401: {"code": "401", "message": "Access denied due to invalid subscription key or wrong API endpoint."},
    403: {"code": "403", "message": "Access denied due to Virtual Network/Firewall rules."},
    404: {"code": "404", "message": "Resource not found"},
    408: {"code": "Timeout", "message": "The operation was timeout."},
    409: {"code": "Conflict", "message": "The operation conflicts with another one on the same deployment."},
    413: {"code": "RequestEntityTooLarge", "message": "The request is too large."},
    422: {
        "code": "UnprocessableEntity",
        "message": "The request cannot be processed.",
        "type": "invalid_request_error",
    },
    429: {
        "code": "429",
        "message": "Requests to the ChatCompletions_Create Operation have exceeded call rate limit of your current "
        "pricing tier. Please retry after 1 second.",
    },
    500: {"code": "InternalServerError", "message": "The server had an error while processing your request."},
    503: {"code": "ServiceUnavailable", "message": "The service is temporarily unable to process your request."},
    504: {"code": "GatewayTimeout", "message": "The upstream did not answer in time."},
}
RETRY_AFTER = {"retry-after": "1", "retry-after-ms": "1000"}
UNKNOWN_DEPLOYMENT = (
    "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
    "please wait a moment and try again."
)
BAD_TOKEN = (
    "Unauthorized. Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), "
    "or have expired."
)
BAD_KEY = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    status: int
    body: Json | str
    headers: dict[str, str] = field(default_factory=dict)


def simulated(behaviour: Behaviour) -> Refusal:
    """Return the error response that a behaviour specifies by `status` and `error`."""
    status = behaviour.status or 500
    headers = dict(RETRY_AFTER) if status == 429 else {}
    error = behaviour.error
    if status == 502 and error is None:
        return Refusal(502, HTML)
    if isinstance(error, dict):
        return Refusal(status, error if "error" in error else {"error": error}, headers)
    usual = USUAL.get(status, {"code": str(status), "message": f"Simulated: status {status}."})
    if error == "content_filter":
        usual = CONTENT_FILTER
    elif error is not None:
        usual = {**usual, "code": error}
    return Refusal(status, {"error": usual}, headers)


def in_stream(behaviour: Behaviour) -> Refusal:
    """Return an in-stream error as an error response, for an answer that is not streamed."""
    error = behaviour.in_stream_error
    assert error is not None
    limited = "rate" in (error.code or "") or "too_many" in (error.type or "")
    body = {"error": {"message": error.message, "type": error.type, "param": None, "code": error.code}}
    return Refusal(429 if limited else 500, body, dict(RETRY_AFTER) if limited else {})


def invalid(message: str, *, param: str | None, code: str | None) -> Refusal:
    error: dict[str, Any] = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Refusal(400, {"error": error})


def not_json() -> Refusal:
    return invalid(
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
        "correctly. The API expects a JSON payload.)",
        param=None,
        code=None,
    )


def unauthorized(surface: Surface, *, token: bool) -> Refusal:
    if surface.azure:
        return Refusal(401, {"error": {"code": "401", "message": BAD_TOKEN if token else BAD_KEY}})
    message = "Incorrect API key provided."
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
    return Refusal(401, {"error": error})


def unknown_deployment(surface: Surface, name: str) -> Refusal:
    if surface.azure:
        return Refusal(404, {"error": {"code": "DeploymentNotFound", "message": UNKNOWN_DEPLOYMENT}})
    message = f"The model `{name}` does not exist or you do not have access to it."
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "model_not_found"}
    return Refusal(404, {"error": error})


def unknown_response(response_id: str) -> Refusal:
    message = f"Response with id '{response_id}' not found."
    error = {"message": message, "type": "invalid_request_error", "param": "id", "code": None}
    return Refusal(404, {"error": error})


def nothing_here() -> Refusal:
    return Refusal(404, {"error": {"code": "404", "message": "Resource not found"}})
