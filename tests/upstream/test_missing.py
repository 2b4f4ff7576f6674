"""Which failures say no more than that one account does not have it."""

from shared.config.backends import Backend
from shared.errors import ErrorObject, UpstreamErrorResponse, UpstreamTimeout
from shared.upstream.errors import error_from_event, error_from_status
from shared.upstream.missing import Missing, missing_here
from tests.harness.cells import cells

ANY = Backend(name="a", base_url="https://a/", scope="s")
LISTING = Backend(name="a", base_url="https://a/", scope="s", deployments={"m": "m"})
DEPLOYMENT = (
    "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, …"
)
HEADERS = {"x-request-id": "theirs"}
SAID = [
    (400, "The encrypted content for item rs_7 could not be verified.", None, Missing.ENCRYPTED_CONTENT),
    (
        400,
        "The encrypted content gAAA...DQ== could not be verified.",
        "invalid_encrypted_content",
        Missing.ENCRYPTED_CONTENT,
    ),
    (400, "Anything", "invalid_encrypted_content", Missing.ENCRYPTED_CONTENT),
    (400, "Item with id 'rs_1' not found.", None, Missing.ITEM),
    (404, "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.", None, Missing.ITEM),
    (404, "Vector store with id [vs_1] not found.", None, Missing.OBJECT),
    (400, "File with id 'assistant-1' not found.", None, Missing.OBJECT),
    (404, "File cfile_6 not found on container cntr_6.", None, Missing.OBJECT),
    (400, "No such File object: file-1", None, Missing.OBJECT),
    (404, "Container with id 'cntr_1' not found.", None, Missing.OBJECT),
    (404, "Conversation with id 'conv_1' not found.", None, Missing.OBJECT),
    (404, "Prompt with id 'pmpt_1' not found.", None, Missing.OBJECT),
    (400, "Previous response with id 'resp_1' not found.", "previous_response_not_found", Missing.RESPONSE),
    (404, "Response with id 'resp_1' not found.", None, Missing.RESPONSE),
    (404, DEPLOYMENT, "DeploymentNotFound", Missing.DEPLOYMENT),
]
NOT_SAID = [
    (400, "The image was not found.", None),
    (400, "Vector store with id [vs_1] not found.", "content_filter"),
    (404, "Resource not found", "404"),
    (404, "The model `m` does not exist or you do not have access to it.", "model_not_found"),
    (422, "Item with id 'rs_1' not found.", None),
    (429, "Item with id 'rs_1' not found.", None),
    (400, "x" * 2000 + "Item with id 'rs_1' not found.", None),
]


def response(status: int, message: str, code: str | None) -> UpstreamErrorResponse:
    error = ErrorObject(message, "invalid_request_error", code)
    return UpstreamErrorResponse(status=status, error=error, raw_body=b"own", headers=HEADERS)


@cells(("status", "message", "code", "missing"), SAID)
def test_what_an_account_does_not_have_is_recognised(
    status: int, message: str, code: str | None, missing: Missing
) -> None:
    found = missing_here(response(status, message, code), ANY)
    assert found is not None
    assert (found.missing, found.is_retryable) == (missing, False)
    assert (found.status, found.message, found.code, found.raw_body) == (status, message, code, b"own")
    assert found.headers == HEADERS


@cells(("status", "message", "code", "missing"), SAID)
@cells("kind", ["invalid_request_error", ""])
def test_an_error_event_says_the_same_and_becomes_an_error_about_the_request(
    status: int, message: str, code: str | None, missing: Missing, kind: str
) -> None:
    event = error_from_event(ErrorObject(message, kind, code))
    found = missing_here(event, ANY)
    assert found is not None
    assert (found.missing, found.status, found.message, found.code) == (missing, 400, message, code)


@cells(("status", "message", "code"), NOT_SAID)
def test_anything_else_is_no_such_failure(status: int, message: str, code: str | None) -> None:
    assert missing_here(response(status, message, code), ANY) is None


@cells("status", [302, 502])
def test_a_response_with_another_status_is_no_such_failure(status: int) -> None:
    body = b'{"error": {"message": "Gone", "code": "previous_response_not_found"}}'
    assert missing_here(error_from_status(status, HEADERS, body), ANY) is None


def test_a_failure_of_the_connection_says_nothing_of_the_kind() -> None:
    assert missing_here(UpstreamTimeout("Item with id 'rs_1' not found."), ANY) is None


def test_a_backend_that_lists_its_deployments_lacks_none_for_a_moment() -> None:
    error = error_from_status(404, {}, b'{"error":{"code":"DeploymentNotFound","message":"no"}}')
    assert missing_here(error, LISTING) is None
    assert missing_here(error, ANY) is not None


@cells("length", [10_000, 1_000_000])
def test_a_message_of_any_length_is_read_in_bounded_time(length: int) -> None:
    for beginning in ("encrypted content ", "file with id ", "item with id "):
        assert missing_here(response(400, beginning * length, None), ANY) is None
