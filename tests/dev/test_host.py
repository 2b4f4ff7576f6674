"""The development host before a small app: what a client and a worker can tell from the real one."""

import contextlib
import http.client
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dev.functions_worker.process import write_whole_lines
from tests.dev.host_process import HostProcess, eventually, get, gone, rest, until, write_app

STILL = 10
"""Looks that see the same: nothing moves any more."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with HostProcess(write_app(tmp_path_factory.mktemp("app"))) as process:
        yield process.ready()


def test_the_functions_are_listed_before_the_one_line_that_says_listening(host: HostProcess) -> None:
    assert f"  chat: [GET,POST] {host.url}/chat" in host.output
    assert f"  optional: [GET] {host.url}/optional/{{name?}}" in host.output
    assert host.output[-1] == f"Listening on {host.url}"


def test_a_reserved_route_is_refused_at_load(host: HostProcess) -> None:
    assert "The function 'refused' is not served: the specified route conflicts" in host.log
    assert host.get("/administration").status_code == 404


def test_each_chunk_reaches_the_client_when_the_worker_sends_it(host: HostProcess) -> None:
    with host.raw(get("/chat?gated&name=apart")) as connection:
        first = until(connection, b"data: one\n\n\r\n")
        host.get("/open/apart")
        second = until(connection, b"0\r\n\r\n")

    assert b"transfer-encoding: chunked" in first
    assert second == b"b\r\ndata: two\n\n\r\n0\r\n\r\n"


def test_headers_of_the_response_pass_and_hop_by_hop_ones_do_not(host: HostProcess) -> None:
    headers = host.get("/chat").headers

    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "connection" not in headers
    assert "x-app" not in headers  # named by the app's connection header


def test_the_head_waits_for_the_first_byte_of_the_body(host: HostProcess) -> None:
    with host.raw(get("/held")) as connection:
        eventually(host.seen("head sent"))
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(10)
        host.get("/open/held")
        answer = until(connection, b"0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\n4\r\nlate\r\n" in answer


def test_a_client_that_leaves_mid_stream_closes_the_workers_connection(host: HostProcess) -> None:
    with host.raw(get("/chat?gated&name=leaver")) as connection:
        until(connection, b"data: one\n\n")

    eventually(host.seen("leaver closed"))


def test_a_client_that_leaves_before_the_head_closes_the_workers_connection(host: HostProcess) -> None:
    with host.raw(get("/waiting")):
        eventually(host.seen("waiting"))

    eventually(host.seen("left before the head"))


@pytest.mark.parametrize("path", ["/cut", "/cut?sized"])
def test_a_response_that_the_worker_cuts_is_cut_for_the_client(host: HostProcess, path: str) -> None:
    with host.raw(get(path)) as connection:
        answer = rest(connection)

    assert b"half" in answer
    assert not answer.endswith(b"0\r\n\r\n")


def test_a_slow_reader_holds_up_the_worker(host: HostProcess) -> None:
    counts = ["sent 0"]

    def stalled() -> bool:
        counts.append(host.get("/notes").json()[-1])
        return counts[-1] != "sent 0" and len(counts) > STILL and len(set(counts[-STILL:])) == 1

    with host.connect(receive_buffer=65536) as connection:
        connection.sendall(get("/flood").replace("\n", "\r\n").encode())
        until(connection, b"\r\n\r\n")
        eventually(stalled)
        sent = int(counts[-1].removeprefix("sent "))
        rest_of_it = sum(len(connection.recv(65536)) for _ in range(200))

    assert sent < 32_000_000
    assert rest_of_it > 0
    eventually(host.seen("flood closed"))


def test_a_client_that_leaves_while_it_reads_slowly_is_noticed(host: HostProcess) -> None:
    closed = host.get("/notes").json().count("flood closed")
    with host.connect(receive_buffer=65536) as connection:
        connection.sendall(get("/flood").replace("\n", "\r\n").encode())
        until(connection, b"\r\n\r\n")

    eventually(lambda: host.get("/notes").json().count("flood closed") > closed)


def test_route_parameters_reach_the_handler(host: HostProcess) -> None:
    answer = host.get("/items/7/a%20b/c").json()

    assert answer["path_params"] == {"id": "7", "rest": "a b/c"}
    assert answer["path"] == "/items/7/a b/c"
    assert host.get("/items/7").json()["path_params"] == {"id": "7"}
    assert host.get("/items/seven").status_code == 404
    assert host.get("/optional").json() == {}
    assert host.get("/optional/x").json() == {"name": "x"}


def test_an_encoded_slash_reaches_the_worker_encoded_and_the_query_as_it_was_written(host: HostProcess) -> None:
    answer = host.get("/items/7/a%2Fb/%41?q=%C3%A9&code=1").json()

    assert answer["path_params"] == {"id": "7", "rest": "a%2Fb/A"}
    assert answer["path"] == "/items/7/a%2Fb/A"
    assert answer["query"] == "q=%C3%A9&code=1"


def test_an_invocation_has_an_activity_of_the_hosts_own_in_the_callers_trace(host: HostProcess) -> None:
    trace, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    headers = {"traceparent": f"00-{trace}-{caller}-01", "tracestate": "a=1"}
    parent, state = host.get("/items/7", headers=headers).json()["trace"]
    assert re.fullmatch(rf"00-{trace}-(?!{caller})[0-9a-f]{{16}}-01", parent)
    assert state == "a=1"
    begun, state = host.get("/items/7").json()["trace"]
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", begun)
    assert state == ""


@pytest.mark.parametrize("path", ["/items/1/%00", "/items/1#a", "http://other.example/items/1", "/items/1/caf\u00e9"])
def test_a_target_that_kestrel_does_not_take_is_a_400(host: HostProcess, path: str) -> None:
    with host.raw(get(path)) as connection:
        assert rest(connection).startswith(b"HTTP/1.1 400 ")


def test_a_doubled_slash_matches_nothing_where_a_segment_is_expected(host: HostProcess) -> None:
    assert host.get("/items/7//a").status_code == 404
    assert host.get("//items/7").status_code == 404
    assert host.get("/items/7/a//b").status_code == 200


def test_the_host_overwrites_what_only_it_may_say(host: HostProcess) -> None:
    lies = {"x-forwarded-for": "1.2.3.4", "x-forwarded-host": "evil", "x-forwarded-proto": "https"}
    lies |= {"x-ms-invocation-id": "mine", "host": "shop.example"}

    answer = host.get("/items/7", headers=lies).json()

    headers = answer["headers"]
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-host"] == "shop.example"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-ms-invocation-id"] == answer["invocation"] != "mine"
    assert headers["host"].startswith("127.0.0.1:")
    assert headers["host"] != "shop.example"


def test_a_wrong_method_or_path_is_an_empty_404(host: HostProcess) -> None:
    for answer in (host.request("DELETE", "/chat"), host.request("OPTIONS", "/chat"), host.get("/nothing")):
        assert (answer.status_code, answer.content) == (404, b"")
    assert host.request("HEAD", "/chat").status_code == 404


def test_head_is_answered_without_a_body_where_it_is_listed(host: HostProcess) -> None:
    connection = http.client.HTTPConnection(*host.address, timeout=10)
    with contextlib.closing(connection):
        for _ in range(2):
            connection.request("HEAD", "/items/7")
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"")
            assert int(answer.headers["content-length"]) > 0


def test_a_connection_serves_one_request_after_the_other(host: HostProcess) -> None:
    with host.raw(get("/items/1") + get("/chat") + get("/items/2", "connection: close")) as connection:
        answer = rest(connection)

    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.index(b'"id":"1"') < answer.index(b"data: two") < answer.index(b'"id":"2"')


def test_a_client_of_http_1_0_gets_a_body_that_the_connections_end_ends(host: HostProcess) -> None:
    with host.raw("GET /chat HTTP/1.0\nhost: example\n\n") as connection:
        answer = rest(connection)

    assert b"transfer-encoding" not in answer
    assert answer.endswith(b"\r\n\r\ndata: one\n\ndata: two\n\n")


def test_a_request_of_http_1_0_without_a_host_is_a_500(host: HostProcess) -> None:
    with host.raw("GET /chat HTTP/1.0\n\n") as connection:
        assert rest(connection).startswith(b"HTTP/1.1 500 ")


def test_a_sized_body_arrives_whole_and_the_worker_hears_nothing_before(host: HostProcess) -> None:
    with host.raw("POST /upload HTTP/1.1\nhost: example\ncontent-length: 10\n\n12345") as connection:
        begun = host.get("/notes").json().count("upload began")
        connection.sendall(b"67890")
        answer = until(connection, b"}")

    assert answer.endswith(b'{"size": 10}')
    assert host.get("/notes").json().count("upload began") == begun + 1


def test_a_chunked_body_is_passed_on_as_it_comes(host: HostProcess) -> None:
    before = host.get("/notes").json().count("upload began")
    with host.raw("POST /upload HTTP/1.1\nhost: example\ntransfer-encoding: chunked\n\n5\n12345\n") as connection:
        eventually(lambda: host.get("/notes").json().count("upload began") > before)
        connection.sendall(b"3\r\n678\r\n0\r\n\r\n")
        answer = until(connection, b"}")

    assert answer.endswith(b'{"size": 8}')


def test_a_large_body_arrives_whole(host: HostProcess) -> None:
    size = 3_000_000

    assert host.request("POST", "/upload", content=b"x" * size).json() == {"size": size}
    pieces = (b"x" * 100_000 for _ in range(30))
    assert host.request("POST", "/upload", content=pieces).json() == {"size": size}


@pytest.mark.parametrize(
    ("framing", "first", "then"),
    [
        ("content-length: 10", "", b"1234567890"),
        ("content-length: 10", "1234567890", b""),
        ("content-length: 10", "12345", b"67890"),
        ("transfer-encoding: chunked", "5\n12345\n", b"5\r\n67890\r\n0\r\n\r\n"),
    ],
)
def test_a_wish_for_http_2_is_passed_over_and_the_body_is_read(
    host: HostProcess, framing: str, first: str, then: bytes
) -> None:
    wish = (
        "connection: Upgrade, HTTP2-Settings\nupgrade: h2c\nhttp2-settings: AAMAAABkAAQAAP__"  # as Java's client does
    )
    with host.raw(f"POST /upload HTTP/1.1\nhost: example\n{wish}\n{framing}\n\n{first}") as connection:
        connection.sendall(then)
        answer = until(connection, b"}")

    assert answer.endswith(b'{"size": 10}')


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(host: HostProcess) -> None:
    head = "POST /upload HTTP/1.1\nhost: example\ncontent-length: 2\nexpect: 100-continue\n\n"
    with host.raw(head) as connection:
        assert until(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hi")
        assert until(connection, b"}").endswith(b'{"size": 2}')


def test_an_address_too_long_for_the_host_is_a_414_and_never_reaches_the_worker(host: HostProcess) -> None:
    # The worker's server would refuse a very long one by itself, and leave the invocation hanging.
    assert host.get(f"/echo?{'x' * 60_000}").status_code == 414


def test_what_is_not_http_is_a_400(host: HostProcess) -> None:
    with host.raw("nonsense\n\n") as connection:
        assert rest(connection).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("value", [b"a\0b", b"caf\xe9", b"a\r\n folded", b"a\rb"])
def test_a_header_value_that_kestrel_does_not_take_is_a_400_and_starts_no_invocation(
    host: HostProcess, value: bytes
) -> None:
    tasks = host.status()["worker_tasks"]
    with host.connect() as connection:
        connection.sendall(b"GET /items/1 HTTP/1.1\r\nhost: example\r\nx-user: " + value + b"\r\n\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 400 ")

    eventually(lambda: host.status()["worker_tasks"] <= tasks)


def test_a_tab_in_a_header_value_is_passed_on(host: HostProcess) -> None:
    assert host.get("/items/1", headers={"x-user": "a\tb"}).json()["headers"]["x-user"] == "a\tb"


def test_a_handler_that_raises_is_a_500_and_its_traceback_is_in_the_log(host: HostProcess) -> None:
    assert host.get("/fail").status_code == 500
    eventually(lambda: "RuntimeError: of the handler" in host.log)
    assert "The function 'fail' failed" in host.log


def test_a_log_record_of_no_running_invocation_is_not_shown_and_what_is_printed_is(tmp_path: Path) -> None:
    for options, shown in (((), False), (("--verbose",), True)):
        with HostProcess(write_app(tmp_path, code=LOGGING_APP), *options) as host:
            assert host.ready().get("/late").text == "logged"
            eventually(lambda: "ERROR shop: within the handler" in host.log)
            eventually(lambda: "printed after the handler returned" in host.log)
            assert "printed while importing" in host.log
            if shown:  # a record and what is printed come on two ways
                eventually(lambda: "ERROR shop: after the handler returned" in host.log)
            else:
                assert "ERROR shop: after the handler returned" not in host.log
            assert ("ERROR shop: while importing" in host.log) is shown


def test_a_log_record_is_one_line_with_level_and_logger_and_its_json_intact(host: HostProcess) -> None:
    host.get("/log")

    line = eventually(lambda: next((one for one in host.log.splitlines() if " shop.receipt: " in one), ""))
    prefix, _, message = line.partition(": ")
    assert prefix == "INFO shop.receipt"
    assert json.loads(message) == {"event": "answer", "text": "a\nb"}
    eventually(lambda: "printed" in host.log)
    assert "never seen" not in host.log


@pytest.mark.parametrize("unbuffered", [True, False])
def test_what_the_worker_prints_is_written_line_by_line_and_in_one_piece_each(*, unbuffered: bool) -> None:
    class Written(io.RawIOBase):
        """Notes each write, as the system would get it."""

        pieces: ClassVar[list[bytes]] = []

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.pieces.append(bytes(data))
            return len(data)

    Written.pieces.clear()
    raw = Written()
    # As Python makes its standard output, with PYTHONUNBUFFERED and without.
    stream = io.TextIOWrapper(raw if unbuffered else io.BufferedWriter(raw), "utf-8", write_through=unbuffered)  # type: ignore[type-var]
    write_whole_lines(stream)
    print("printed", file=stream)
    print("and", "more", file=stream)
    assert raw.pieces == [b"printed\n", b"and more\n"]


def test_the_librarys_own_chatter_is_not_shown(host: HostProcess) -> None:
    host.get("/items/7")

    assert "azure.functions" not in host.log


def test_a_function_at_the_root_is_preferred_to_the_hosts_home_page(host: HostProcess) -> None:
    assert host.get("/").text == "the app's own home"


def test_without_keys_everyone_may_call(host: HostProcess) -> None:
    assert host.get("/locked").text == "in"


def test_the_status_names_the_worker(host: HostProcess) -> None:
    status = host.status()

    assert status["state"] == "Running"
    assert not gone(status["worker_pid"])
    assert "chat" in status["functions"]
    assert host.get("/admin/other").status_code == 404


def test_what_the_host_does_not_know_below_admin_reaches_a_catch_all(tmp_path: Path) -> None:
    with HostProcess(write_app(tmp_path, code=CATCH_ALL_APP)) as host:
        assert host.ready().get("/admin/x").text == "caught"
        assert host.status()["functions"] == ["catch_all"]


def test_the_worker_runs_in_the_apps_folder_with_the_settings_of_the_command(tmp_path: Path) -> None:
    app = write_app(tmp_path, prefix="api")
    values = '{"IsEncrypted": false, "Values": {"FROM_FILE": "file", "CHANGED": "file"}}'
    (app / "local.settings.json.example").write_text(values)
    options = ("--keys", "secret", "--set", "CHANGED=set", "--set", "AzureWebJobsDisableHomepage=true")
    with HostProcess(app, *options, "--set", "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT=100") as host:
        host.ready()

        assert host.get("/api/environment/FROM_FILE").json() == {"value": "file", "folder": str(app)}
        assert host.get("/api/environment/CHANGED").json()["value"] == "set"
        assert host.get("/environment/CHANGED").status_code == 404
        assert "the settings are those of local.settings.json.example" in host.log
        # Keys
        assert "Key: secret" in host.output
        assert (host.get("/api/locked").status_code, host.get("/api/locked").content) == (401, b"")
        assert host.get("/api/locked", headers={"x-functions-key": "wrong"}).status_code == 401
        twice = [("x-functions-key", "secret"), ("x-functions-key", "secret")]
        assert host.get("/api/locked", headers=twice).status_code == 401
        assert host.get("/api/locked?code=wrong").status_code == 401
        assert host.get("/api/locked", headers={"authorization": "Bearer secret"}).status_code == 401
        assert host.get("/api/locked", headers={"x-functions-key": "secret"}).text == "in"
        assert host.get("/api/locked?code=secret").text == "in"
        assert host.get("/api/chat").status_code == 200
        # The home page, switched off, with no function at the root
        assert host.get("/").status_code == 204
        assert host.get("/api").text == "the app's own home"
        # The limit of bodies
        assert host.request("POST", "/api/upload", content=b"x" * 100).status_code == 200
        assert host.request("POST", "/api/upload", content=b"x" * 101).status_code == 500
        assert host.request("POST", "/api/upload", content=iter([b"x" * 101])).status_code == 500


def test_without_a_function_at_the_root_it_is_the_hosts_home_page(tmp_path: Path) -> None:
    with HostProcess(write_app(tmp_path, prefix="api")) as host:
        answer = host.ready().get("/")
        assert answer.status_code == 200
        assert "home page of the development host" in answer.text


def test_a_key_is_made_and_printed_when_none_is_given(tmp_path: Path) -> None:
    with HostProcess(write_app(tmp_path), "--keys", "--set", "AzureWebJobsDisableHomepage=true") as host:
        key = next(one for one in host.ready().output if one.startswith("Key: ")).removeprefix("Key: ")

        assert len(key) > 40
        assert host.get("/locked").status_code == 401
        assert host.get("/locked", headers={"x-functions-key": key}).text == "in"
        assert host.get("/").text == "the app's own home"


@pytest.mark.parametrize("delay", ["0", "0.3"])
def test_for_tests_the_http_half_can_come_after_the_invocation(tmp_path: Path, delay: str) -> None:
    with HostProcess(write_app(tmp_path), "--http-delay", delay) as host:
        assert host.ready().get("/items/1").json()["path_params"] == {"id": "1"}
        assert host.request("POST", "/upload", content=iter([b"hi"])).json() == {"size": 2}


LOGGING_APP = """
import logging
import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
log = logging.getLogger("shop")
log.error("while importing")
print("printed while importing", flush=True)


class Late(Response):
    async def __call__(self, scope, receive, send):
        await super().__call__(scope, receive, send)
        log.error("after the handler returned")
        print("printed after the handler returned", flush=True)


@app.route(route="late", methods=["GET"])
async def late(req: Request) -> Response:
    log.error("within the handler")
    return Late("logged")
"""

CATCH_ALL_APP = """
import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="{*path}", methods=["GET"])
async def catch_all(req: Request) -> Response:
    return Response("caught")
"""
