"""The tree of errors: each has a status, a code and OpenAI's shape, and says nothing of an exception."""

import json

from shared import errors
from shared.errors import AnswerError, BadRequest, InternalError, UpstreamErrorResponse, UpstreamFailure
from tests.harness.cells import cells


def tree(kind: type[AnswerError]) -> list[type[AnswerError]]:
    return [kind, *(one for child in kind.__subclasses__() for one in tree(child))]


# An error response is made from the upstream's own.
KINDS = [kind for kind in tree(AnswerError) if kind.__module__ == errors.__name__ and kind is not UpstreamErrorResponse]


@cells("kind", KINDS)
def test_every_error_has_a_status_a_code_and_the_openai_shape(kind: type[AnswerError]) -> None:
    error = kind("It is so.")
    assert 400 <= error.status < 600
    found = json.loads(error.body())["error"]
    assert found.keys() == {"message", "type", "code", "param"}
    assert (found["code"], found["param"]) == (error.code, None)
    assert found["type"]
    assert found["code"]


def test_an_error_names_the_field_that_it_is_about() -> None:
    assert json.loads(BadRequest("No.", param="model").body())["error"]["param"] == "model"


def test_each_code_belongs_to_one_status() -> None:
    found = {(kind.code, kind.status) for kind in KINDS}
    assert len({code for code, _ in found}) == len(found)


def test_what_is_the_callers_own_is_a_4xx_and_what_is_an_upstreams_a_5xx() -> None:
    assert {kind.status // 100 for kind in tree(BadRequest) if kind in KINDS} == {4}
    assert {kind.status // 100 for kind in tree(UpstreamFailure) if kind in KINDS} == {5}


def test_our_own_bug_is_told_by_the_id_under_which_the_log_has_the_cause() -> None:
    error = InternalError.with_id("req_1")
    assert (error.status, error.code) == (500, "internal_error")
    assert "req_1" in error.message


def test_the_headers_of_an_error_are_its_own() -> None:
    headers = {"retry-after": "1"}
    error = BadRequest("No.", headers=headers)
    headers["retry-after"] = "2"
    assert error.headers == {"retry-after": "1"}
    assert BadRequest("No.").headers == {}
