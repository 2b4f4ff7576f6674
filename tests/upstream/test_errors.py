"""What an error response of an upstream means, and which of several is reported."""

import json
import time
from email.utils import formatdate
from typing import Any

from shared.config.settings import Settings
from shared.errors import (
    ErrorObject,
    UpstreamErrorResponse,
    UpstreamIdentityRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from shared.upstream.errors import error_from_event, error_from_status, is_json, read_error, retry_after_seconds
from shared.upstream.failover import choose_error, retry_delay
from tests.harness.cells import cells


@cells("status", [401, 403, 408, 409, 429, 500, 502, 503, 504, 529])
def test_another_backend_may_not_share_these(status: int) -> None:
    assert refused(status, b"").is_retryable


@cells("status", [400, 404, 405, 413, 415, 422])
def test_these_are_the_callers_own(status: int) -> None:
    assert not refused(status, b"").is_retryable


@cells(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "9"}, 9.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, 3600.0),
        ({"retry-after": "Sat, 01 Jan 2000 00:00:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


def test_retry_after_may_be_a_date() -> None:
    seconds = retry_after_seconds({"retry-after": formatdate(time.time() + 60, usegmt=True)})
    assert seconds is not None
    assert 55 < seconds <= 60


def refused(status: int, body: Any, **headers: str) -> UpstreamErrorResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_from_status(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def test_code_param_and_body_are_kept() -> None:
    body = {"error": {"message": "filtered", "type": None, "param": "prompt", "code": "content_filter", "status": 400}}
    refusal = refused(400, body, content_type="application/json")
    assert (refusal.status, refusal.code, refusal.param, refusal.message) == (
        400,
        "content_filter",
        "prompt",
        "filtered",
    )
    assert json.loads(refusal.raw_body or b"") == body


@cells("body", [b"", b"<html>502</html>", b"\xff", b"[1]", b'{"error": null}', b'{"error": 5}'])
def test_a_body_that_explains_nothing_still_gives_a_sentence(body: bytes) -> None:
    assert refused(502, body).message == "The model's service refused the request with HTTP status 502."


def test_azures_code_429_becomes_the_code_that_clients_know() -> None:
    refusal = refused(429, {"error": {"code": "429", "message": "busy"}})
    assert (refusal.code, refusal.type) == ("rate_limit_exceeded", "rate_limit_error")


@cells("status", [101, 302, 307])
def test_a_redirect_is_a_bad_gateway_in_our_own_words(status: int) -> None:
    refusal = refused(status, b"<html>moved</html>")
    assert (refusal.status, refusal.code, refusal.raw_body) == (502, "upstream_failed", None)


@cells("status", [500, 502, 503, 529])
def test_a_failure_without_a_code_has_ours(status: int) -> None:
    assert refused(status, {"error": {"message": "oops"}}).code == "upstream_failed"
    assert error_from_event(ErrorObject("oops", "server_error", None)).code == "upstream_failed"
    assert refused(400, {"error": {"message": "bad"}}).code is None


@cells(
    ("code", "kind", "status"),
    [
        ("rate_limit_exceeded", "too_many_requests", 429),
        (None, "too_many_requests", 429),
        ("content_filter", "x", 400),
        ("503", "x", 503),
        ("server_error", "server_error", 502),
        (None, "upstream_error", 502),
    ],
)
def test_an_error_events_code_tells_its_status(code: str | None, kind: str, status: int) -> None:
    assert error_from_event(ErrorObject("m", kind, code)).status == status


LIMIT_9 = refused(429, b"", retry_after="9")
LIMIT_2 = refused(429, b"", retry_after_ms="2000")
DOWN_1 = refused(503, b"", retry_after="1")


def test_the_most_useful_refusal_is_told_with_the_soonest_retry_after() -> None:
    told = choose_error([UpstreamUnreachable("x"), refused(429, b"", retry_after="9"), DOWN_1, UpstreamTimeout("x")])
    assert (told.status, told.headers["retry-after"], told.headers["retry-after-ms"]) == (429, "1", "1000")
    assert choose_error([UpstreamIdentityRefused("x"), UpstreamUnreachable("y")]).code == "upstream_unreachable"
    assert choose_error([LIMIT_9, LIMIT_2]) is LIMIT_2
    assert LIMIT_9.headers == {"retry-after": "9"}, "an error that was raised is never changed"


def test_a_single_refusal_is_told_as_it_came() -> None:
    assert choose_error([LIMIT_9]).headers == {"retry-after": "9"}


SETTINGS = Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", "COMMIT_SECONDS": "5"})


@cells(
    ("failures", "backends", "elapsed", "pause"),
    [
        ([LIMIT_2], 1, 0.0, 2.0),
        ([LIMIT_2], 1, 4.0, None),
        ([LIMIT_9], 1, 0.0, None),
        ([LIMIT_2], 2, 0.0, None),
        ([LIMIT_2, LIMIT_2], 1, 0.0, None),
        ([refused(500, b"")], 1, 0.0, None),
        ([UpstreamUnreachable("x")], 1, 0.0, 0.1),
    ],
)
def test_a_lone_backend_is_asked_once_more_where_its_retry_after_fits(
    failures: Any, backends: int, elapsed: float, pause: float | None
) -> None:
    assert retry_delay(failures, backends, elapsed, SETTINGS) == pause


@cells("code", ["²", "4²9", "9" * 5000, "429.0", ""])
def test_a_code_that_only_resembles_a_status_is_none(code: str) -> None:
    assert error_from_event(ErrorObject("m", "x", code)).status == 502


def test_the_soonest_retry_after_is_told_though_only_another_had_one() -> None:
    told = choose_error([refused(429, b"", x_request_id="r"), DOWN_1])
    assert (told.status, told.headers["retry-after"], told.headers["x-request-id"]) == (429, "1", "r")


@cells("other", [refused(503, b""), UpstreamUnreachable("x"), UpstreamTimeout("x")])
def test_what_one_does_not_have_another_that_did_not_answer_may_have(other: Any) -> None:
    missing = refused(404, {"error": {"message": "no such response"}})
    assert choose_error([missing, other]) is other
    assert choose_error([missing, missing]) is missing


@cells(
    "date",
    [
        "Mon, 01 Jan 2020 00:00:00 +99999999999999",
        "Mon, 01 Jan 2020 00:00:00 -99999999999999",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 99 Foo 2020 99:99:99 GMT",
        "Mon,",
        "\x00",
        "9" * 5000,
    ],
)
def test_an_impossible_date_is_no_failure_of_ours(date: str) -> None:
    seconds = retry_after_seconds({"retry-after": date})
    assert seconds is None or 0 <= seconds <= 3600
    assert refused(429, b"{}", retry_after=date).is_retryable


@cells("kind", ["application/json", "application/JSON; charset=utf-8", "application/problem+json"])
def test_json_is_known_by_its_label(kind: str) -> None:
    assert is_json(kind)


@cells("kind", ["text/html", "application/json, text/html", "application/xhtml+xml", "json", ""])
def test_what_is_labelled_otherwise_is_no_json(kind: str) -> None:
    assert not is_json(kind)


def test_an_error_body_with_a_lone_surrogate_is_read() -> None:
    body = b'{ "error" : {"message":"Nein\\ud800","code":"content_filter"} }'
    kept = refused(400, body, content_type="application/json")
    assert (kept.raw_body, kept.code, kept.message) == (body, "content_filter", "Nein\ufffd")


@cells("status", [100, 199, 304, 399, 600, 999])
def test_a_status_that_no_client_knows_is_a_bad_gateway(status: int) -> None:
    assert (refused(status, b"{}").status, refused(status, b"{}").is_retryable) == (502, True)


def test_everything_of_an_error_object_is_bounded_where_it_is_read() -> None:
    long = "\x1b[31m\nFORGED\u202e" + "x" * 5_000_000
    error = refused(400, {"error": {"message": long, "code": long, "type": long, "param": long}}).error_object()
    assert (error.code or "").isprintable()
    assert (error.code or "").isascii()
    assert (error.code, error.type) == ("[31mFORGED" + "x" * 54, "[31mFORGED" + "x" * 54)
    assert (len(error.message), len(error.param or "")) == (4096, 256)
    assert len(read_error(long, fallback="f").message) == 4096
    assert read_error({"code": "\x1b\u202e", "message": 10**5000}, fallback="f") == ErrorObject(
        "f", "upstream_error", None
    )


def test_the_log_gets_the_status_and_the_media_type_and_the_caller_does_not() -> None:
    failure = refused(404, b"404 page not found", content_type="Text/Plain; charset=utf-8")
    assert failure.cause == "404 text/plain"
    assert b"text/plain" not in failure.body()
    assert refused(404, b"", content_type="a\n\x1b" * 9).cause == "404 with an invalid content type"
    assert failure.with_pause(1).cause == failure.cause


@cells(
    ("value", "told"),
    [
        ("No.", ("No.", "upstream_error", None)),
        ({"error": "No."}, ("No.", "upstream_error", None)),
        (7, ("fallback", "upstream_error", None)),
        ({"error": None}, ("fallback", "upstream_error", None)),
        ({"type": "error", "message": "No.", "code": 429}, ("No.", "upstream_error", "429")),
        ({"error": {"type": "too_many_requests"}}, ("fallback", "rate_limit_error", "rate_limit_exceeded")),
        ({"error": {"code": True, "message": ["x"]}}, ("fallback", "upstream_error", None)),
    ],
)
def test_an_error_object_is_read_in_whatever_shape_it_comes(value: object, told: tuple[str, str, str | None]) -> None:
    error = read_error(value, fallback="fallback")
    assert (error.message, error.type, error.code) == told
