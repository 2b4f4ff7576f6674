"""A hostile model: whatever it writes, nothing runs and nothing is fetched; it is only displayed as text."""

import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dev.simulator.control import Simulator
from tests.page.conftest import OpenPage

pytestmark = pytest.mark.browser

CORPUS = Path(__file__).with_name("hostile.md")
"""EVIL and EVIL_HOST in it stand for a server of another origin."""

FORBIDDEN = (
    "script, img, svg:not(.icon), iframe, object, embed, video, audio, link, style, base, meta, form, input, "
    "math:not(.math > math), template, dialog, details details"
)


# Of formulas too; what is inside of one is in test_page_formulas.py.
ATTRIBUTES = """(top) => {
  const elements = [...top.querySelectorAll(":not(.math *)")];
  return [...new Set(elements.flatMap((element) => element.getAttributeNames()))].sort();
}"""


class Evil:
    """A server of another origin that records requests."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.host = f"127.0.0.1:{server.server_port}"
        self.url = f"http://{self.host}"
        self.called: list[str] = []


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # browsers keep idle connections open


@pytest.fixture
def evil() -> Iterator[Evil]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            counter.called.append(self.path)
            self.send_response(200)
            self.send_header("access-control-allow-origin", "*")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = Server(("127.0.0.1", 0), Handler)
    counter = Evil(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield counter
    server.shutdown()
    server.server_close()
    thread.join()


def corpus(evil: Evil) -> str:
    return CORPUS.read_text(encoding="utf-8").replace("EVIL_HOST", evil.host).replace("EVIL", evil.url)


@pytest.mark.parametrize("way", ["streamed", "complete", "line by line", "as reasoning"])
def test_a_hostile_answer_has_no_effect(open_page: OpenPage, simulator: Simulator, evil: Evil, way: str) -> None:
    page = open_page(reduced_motion="no-preference")
    text = corpus(evil)
    before = page.page.url
    page.page.on("dialog", lambda dialog: page.problems.append(f"dialog {dialog.message}"))
    page.page.context.on("page", opened := lambda other: page.problems.append(f"opened {other.url}"))
    if way == "complete":
        page.set_streaming(on=False)
    answers = [line for line in text.split("\n") if line] if way == "line by line" else [text]
    if way == "as reasoning":
        simulator.behave(main={"reasoning": text, "text": "Done."})
    elif way == "line by line":
        simulator.behave(main={"text": "\n\n".join(answers)})
    else:
        simulator.behave(
            main={"tokens": [text[start : start + 23] for start in range(0, len(text), 23)], "interval": 0.002}
        )
    page.ask_and_wait("be evil")
    if way == "as reasoning":
        page.answer.locator("summary").click()
        page.answer.locator(".reasoning").get_by_text("cover").wait_for()
    page.page.wait_for_timeout(300)
    page.page.context.remove_listener("page", opened)

    assert page.page.evaluate("window.ran") is None
    assert evil.called == []
    assert [url for url in page.requested if not url.startswith(page.url)] == []
    assert page.page.url == before
    shown = page.answer.locator(".reasoning" if way == "as reasoning" else ".text")
    assert shown.locator(FORBIDDEN).count() == 0
    attributes = shown.evaluate(ATTRIBUTES)
    allowed = {
        "align",
        "aria-hidden",
        "aria-label",
        "class",
        "data-source",
        "dir",
        "href",
        "open",
        "rel",
        "role",
        "start",
        "tabindex",
        "target",
        "title",
        "type",
    }
    assert set(attributes) <= allowed
    assert shown.locator("[dir]:not([dir=auto])").count() == 0, "the page's own, on top-level blocks"
    links = shown.evaluate(
        "(top) => [...top.querySelectorAll('a[href]')].map((a) => [a.getAttribute('href'), a.rel, a.target])"
    )
    assert links
    for href, rel, target in links:
        assert href.startswith(("http://", "https://", "mailto:"))
        assert (rel, target) == ("noopener noreferrer", "_blank")


def test_what_the_corpus_tries_would_work_elsewhere(browser: Browser, evil: Evil) -> None:
    """Check that the server records requests, and that the same text is harmful without the defences."""
    urllib.request.urlopen(f"{evil.url}/counted").close()
    assert evil.called == ["/counted"]
    bare = browser.new_page()
    bare.set_content(f"<!doctype html><title>bare</title>{corpus(evil)}", wait_until="commit")
    deadline = time.monotonic() + 5
    while "/script" not in evil.called and time.monotonic() < deadline:
        bare.wait_for_timeout(20)
    bare.close()
    assert "/script" in evil.called, "a script of the corpus ran and called"


def test_the_policy_holds_without_the_sanitiser(open_page: OpenPage, evil: Evil) -> None:
    page = open_page()
    blocked = page.page.evaluate(
        """async (evil) => {
          const blocked = [];
          addEventListener("securitypolicyviolation", (event) => blocked.push(event.effectiveDirective));
          try { document.body.innerHTML += "<p>"; } catch { blocked.push("innerHTML"); }
          try { trustedTypes.createPolicy("mine", { createHTML: (html) => html }); } catch { blocked.push("policy"); }
          const add = (tag, attributes) => document.body.append(Object.assign(document.createElement(tag), attributes));
          add("img", { src: evil + "/img" });
          add("iframe", { src: evil + "/frame" });
          add("link", { rel: "stylesheet", href: evil + "/css" });
          const style = document.createElement("style"); style.append("body { color: red }"); document.body.append(style);
          await fetch(evil + "/fetch").catch(() => blocked.push("fetch"));
          const form = document.createElement("form"); form.action = evil + "/form"; document.body.append(form); form.submit();
          const patience = performance.now() + 4000;
          while (!blocked.includes("form-action") && performance.now() < patience) {
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          return blocked;
        }""",
        evil.url,
    )
    assert {"innerHTML", "policy", "img-src", "frame-src", "style-src-elem", "fetch", "form-action"} <= set(blocked)
    assert evil.called == []
    page.problems.clear()  # expected in this test
