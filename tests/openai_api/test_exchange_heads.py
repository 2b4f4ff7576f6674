"""Which of an upstream's headers go down, and under which label its bytes do."""

import asyncio
from collections.abc import Mapping

from starlette.requests import Request

from shared.config.settings import Settings
from shared.http.context import RequestContext
from shared.openai_api.exchange import InferenceExchange
from shared.openai_api.paths import Inference
from shared.openai_api.relay import BodyRelay
from shared.openai_api.response_ids import ResponseIds
from shared.receipt import Receipt
from shared.state.signing_key import KeyRing
from shared.upstream.attempts import Upstream
from shared.upstream.client import OpenAIClients
from shared.upstream.errors import error_from_status
from shared.upstream.pool import BackendPool
from shared.upstream.reading import Reader
from shared.upstream.stream import Stream
from tests.harness.cells import cells
from tests.harness.keys import MemoryKeys

NOT_A_PAGE = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'; sandbox"}


def exchange() -> InferenceExchange:
    settings = Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com"})
    upstream = Upstream(OpenAIClients(settings), BackendPool(settings.backends), settings)
    request = Request({"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": []})
    context = RequestContext(request, "i1", "r1", {"access-control-allow-origin": "https://page.example"})
    address = Inference("chat/completions")
    receipt = Receipt(id="r1", invocation_id="i1", api="openai")
    ids = ResponseIds(KeyRing(MemoryKeys), settings.backends, "")
    return InferenceExchange(
        settings=settings, upstream=upstream, context=context, receipt=receipt, address=address, ids=ids, headers_up={}
    )


def test_an_error_response_in_json_goes_down_as_it_came() -> None:
    headers = {"content-type": "application/json", "x-request-id": "up", "x-ratelimit-limit-tokens": "7", "server": "x"}
    page = exchange().error_page(error_from_status(400, headers, b'{"error":{}}'))
    assert page.body == b'{"error":{}}'
    expected = {name: value for name, value in headers.items() if name != "server"}
    assert page.headers == {**expected, "access-control-allow-origin": "https://page.example"}


@cells(
    "label",
    [
        "text/html",
        "TEXT/HTML; charset=utf-8",
        "application/json, text/html",
        "text/event-stream; x=y, text/html",
        "text/\x01html",
        "image/svg+xml",
        "",
    ],
)
def test_an_error_response_in_html_goes_down_as_it_came_and_cannot_run_as_a_page(label: str) -> None:
    html = b"<script>alert(1)</script>"
    page = exchange().error_page(error_from_status(502, {"content-type": label}, html))
    assert (page.status, page.headers["content-type"], page.body) == (502, label, html)
    assert page.headers.items() >= NOT_A_PAGE.items()


def test_an_answer_under_a_label_of_the_upstreams_cannot_run_as_a_page() -> None:
    class HtmlBody:
        async def read(self) -> bytes:
            return b""

        def at_end(self) -> bool:
            return True

        def hang_up(self) -> None:
            """Nobody is there."""

        def close(self) -> None:
            """Nothing is open."""

    async def head() -> Mapping[str, str]:
        reader = Reader(HtmlBody(), BodyRelay())
        stream = Stream(reader, b"", status=200, headers={"content-type": "text/html"})
        return exchange().head(stream)

    sent = asyncio.run(head())
    assert sent["content-type"] == "text/html"
    assert sent.items() >= NOT_A_PAGE.items()


def test_what_is_ours_comes_first_in_a_head_so_that_it_is_not_what_is_left_out() -> None:
    many = {"content-type": "application/json"} | {f"x-ratelimit-{number}": "1" for number in range(512)}
    page = exchange().error_page(error_from_status(429, many, b"{}"))
    assert set(list(page.headers)[:3]) == {"content-type", "x-request-id", "access-control-allow-origin"}
