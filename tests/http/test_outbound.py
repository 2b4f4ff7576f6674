"""The head of a response: whatever the headers say, the bytes that leave are ones that every hop accepts."""

from collections.abc import Mapping
from typing import Any

from shared.http.outbound import ErrorPage, Outbound
from shared.receipt import Receipt
from tests.harness.cells import cells
from tests.harness.virtual_time import run


def sent(headers: Mapping[str, str], *, status: int = 200, body: bytes | None = None) -> tuple[dict[str, Any], Receipt]:
    """The first message of a response with these headers; with a body it is an error page."""

    async def case() -> dict[str, Any]:
        messages: list[Any] = []

        async def send(message: Any) -> None:
            messages.append(message)

        out = Outbound(send, receipt)
        await (out.commit(status, headers) if body is None else out.send_error_page(ErrorPage(status, headers, body)))
        return dict(messages[0])

    receipt = Receipt(id="r1", invocation_id="i1", api="openai")
    return run(case()), receipt


def test_a_head_leaves_as_bytes_without_what_a_hop_refuses() -> None:
    message, receipt = sent({"x-request-id": "a\x01b\xe9", "x-ms-region": "S\x7f\x1bweden\r\nx: y"})
    assert message["headers"] == [(b"x-request-id", b"ab"), (b"x-ms-region", b"Swedenx: y")]
    assert receipt.id == "ab", "the log can be searched for what the caller got"


@cells("value", ["\x01", "x" * 70_000, "\u6f22"])
def test_a_request_id_that_cannot_leave_is_replaced_by_ours(value: str) -> None:
    message, receipt = sent({"x-request-id": value})
    assert (message["headers"], receipt.id) == ([(b"x-request-id", b"r1")], "r1")


@cells(("status", "leaves"), [(200, 200), (299, 299), (599, 599), (600, 502), (999, 502), (101, 502)])
def test_a_status_that_no_server_can_write_is_a_bad_gateway(status: int, leaves: int) -> None:
    message, receipt = sent({"x-request-id": "a"}, status=status)
    assert (message["status"], receipt.status) == (leaves, leaves)


def test_an_error_page_has_its_own_length_whatever_the_upstream_said_of_it() -> None:
    message, _ = sent({"x-request-id": "a", "content-length": "999"}, status=500, body=b"12345")
    assert (b"content-length", b"5") in message["headers"]
    assert len(message["headers"]) == 2
