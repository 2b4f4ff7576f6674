"""The page as the tests use it: what a user does and sees."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, Route, ViewportSize

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
BROWSERS = (
    "chromium-headless-shell",  # first: it takes less than half of the time
    "chromium",
    "chromium-browser",
    "google-chrome",
    "microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
FLAGS = (
    "--no-sandbox",
    "--process-per-site",  # or each tab costs the start of a process, and compiles the page's modules anew
    "--in-process-gpu",
    "--enable-features=NetworkServiceInProcess2",
)
DESKTOP: ViewportSize = {"width": 1200, "height": 800}
PHONE: ViewportSize = {"width": 320, "height": 640}
AXE = Path(__file__).with_name("vendor") / "axe.min.js"

FRAME_MS = 33

START_OVER = """() => {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  document.getElementById("options-reset").click();
  document.getElementById("new-chat").click();
  localStorage.clear();
  scrollTo(0, 0);
}"""

STATE = """() => {
  const page = document.documentElement.cloneNode(true);
  page.querySelector("#announcer").replaceChildren();
  page.querySelector("#source-card[hidden]")?.remove();  // stays, and is filled at the next hover
  const values = [...document.querySelectorAll("input, select, textarea")].map((at) => [at.id, at.value, at.checked]);
  const open = document.querySelectorAll("dialog[open], :popover-open").length;
  const stored = [Object.entries(sessionStorage), Object.entries(localStorage), document.cookie];
  return JSON.stringify([location.href, page.outerHTML, values, open, stored, document.activeElement.id, scrollY]);
}"""

SAMPLE = """() => {
  const samples = window.samples = [];
  const look = (now) => {
    const text = [...document.querySelectorAll(".text")].at(-1)?.textContent ?? "";
    if (samples.length === 0 || samples.at(-1)[1] !== text.length) samples.push([now, text.length]);
    window.sampling = requestAnimationFrame(look);
  };
  window.sampling = requestAnimationFrame(look);
}"""


ANSWER_BY_HAND = """() => {
  const { fetch } = window;
  const headers = { "content-type": "application/x-ndjson" };
  window.fetch = (address, ...more) => {
    if (new URL(address).pathname !== "/chat") return fetch(address, ...more);
    const start = (controller) => { window.arriving = controller; };
    return Promise.resolve(new Response(new ReadableStream({ start }), { headers }));
  };
}"""

AXE_RUN = """(rules) => axe.run(document, {
  resultTypes: ["violations"],
  ...(rules && { runOnly: { type: "rule", values: rules } }),
})"""
COLOUR_RULES = ["color-contrast", "link-in-text-block"]
"""Those of axe whose findings depend on the theme: nothing but colours differs in the dark one."""


ARRIVE = """([text, isLast]) => {
  if (text) window.arriving.enqueue(new TextEncoder().encode(text));
  if (isLast) window.arriving.close();
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = resolve;
    port2.postMessage(null);
  });
}"""


def find_browser() -> str | None:
    """Return the path of the browser named by CHROMIUM, or of the first that is installed."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


class ChatPage:
    """One tab with the page in it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        """Uncaught errors, and violations of the Content-Security-Policy."""
        self.requested: list[str] = []
        """The URL of every request of this tab."""
        page.set_default_timeout(30_000)  # a busy machine is slow; only a failure waits for it
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("request", lambda request: self.requested.append(request.url))

    def _heard(self, kind: str, text: str) -> None:
        if "Content Security Policy" in text or "Trusted" in text or (kind == "error" and "Failed to load" not in text):
            self.problems.append(text)

    def open(self) -> "ChatPage":
        """Open the page and wait until it is usable."""
        self.page.goto(self.url)
        self.page.wait_for_function("document.getElementById('theme-button').title !== ''")
        self.page.wait_for_load_state("load")
        return self

    def wait_for_models(self) -> "ChatPage":
        """Wait until the page has shown which models there are."""
        self.page.locator("#model-field").wait_for()
        return self

    def start_over(self) -> str:
        """Start a new chat with the options reset. Return everything that can be seen or stored of the page."""
        self.page.mouse.move(0, 0)
        self.page.evaluate(START_OVER)
        return str(self.page.evaluate(STATE))

    # Actions.

    def ask(self, question: str) -> None:
        """Type a question and send it."""
        self.question.fill(question)
        self.question.press("Enter")

    def ask_and_wait(self, question: str) -> str:
        """Ask, and return the complete answer as it is displayed."""
        before = self.ended.count()
        self.ask(question)
        self.wait_for_end(before + 1)
        return self.text

    def wait_for_end(self, count: int = 1) -> None:
        """Wait until `count` answers have ended, in any way, and the page is ready for the next question."""
        self.ended.nth(count - 1).wait_for()
        self.send.wait_for()

    def wait_for_words(self, count: int = 1) -> None:
        """Wait until `count` characters of the last answer are displayed."""
        self.page.wait_for_function(
            "(count) => ([...document.querySelectorAll('.text')].at(-1)?.textContent ?? '').length >= count", arg=count
        )

    def wait_for_text(self, text: str) -> None:
        """Wait until an answer contains `text`."""
        self.page.locator(".text", has_text=text).wait_for()

    def set_streaming(self, *, on: bool) -> None:
        """Switch streaming on or off in the options."""
        self.page.get_by_role("button", name="Options").click()
        self.page.get_by_role("switch", name="Streaming").set_checked(on, force=True)
        self.page.get_by_role("button", name="Done").click()

    def answer_with(
        self, body: str, *, status: int = 200, media_type: str = "application/x-ndjson", **more: str
    ) -> None:
        """Answer the next questions in place of the endpoint."""
        headers = {"content-type": media_type} | {name.replace("_", "-"): value for name, value in more.items()}

        def fulfil(route: Route) -> None:
            route.fulfill(status=status, body=body, headers=headers)

        self.page.unroute("**/chat")
        self.page.route("**/chat", fulfil)

    def sample(self) -> None:
        """Record the length of the last answer at every frame from now on."""
        self.page.evaluate(SAMPLE)

    def samples(self) -> list[tuple[float, int]]:
        """Stop recording. Return the times at which the answer grew, and its lengths."""
        found = self.page.evaluate("() => { cancelAnimationFrame(window.sampling); return window.samples; }")
        return [(float(now), int(length)) for now, length in found if length > 0]

    def answer_by_hand(self) -> None:
        """Stop the browser's clock, and answer the next question with what `arrive` is given."""
        self.page.clock.install()
        self.page.clock.pause_at(self.page.evaluate("Date.now() + 1000"))
        self.page.evaluate(ANSWER_BY_HAND)

    def arrive(self, text: str, *, is_last: bool = False) -> None:
        """Let a part of the body arrive now, by the stopped clock."""
        self.page.evaluate(ARRIVE, [text, is_last])

    def frames(self, count: int) -> list[int]:
        """Let the clock run for `count` frames. Return the length of the answer at the end of each."""
        lengths = []
        for _ in range(count):
            self.page.clock.run_for(FRAME_MS)
            lengths.append(int(self.page.evaluate("document.querySelector('.text')?.textContent.length ?? 0")))
        return lengths

    def shot(self, name: str) -> None:
        """Save a screenshot in the light theme, and one in the dark."""
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}-light.png")
        self.page.emulate_media(color_scheme="dark")
        self.page.screenshot(path=ARTIFACTS / f"{name}-dark.png")
        self.page.emulate_media(color_scheme="light")

    def violations(self) -> list[str]:
        """Return what axe finds serious or critical: by all rules in the light theme, by those for colours in the dark."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self._violations("light")
        self.page.emulate_media(color_scheme="dark")
        found += self._violations("dark", COLOUR_RULES)
        self.page.emulate_media(color_scheme="light")
        return found

    def _violations(self, scheme: str, rules: list[str] | None = None) -> list[str]:
        result = self.page.evaluate(AXE_RUN, rules)
        return [
            f"{scheme}: {violation['id']} ({violation['impact']}): {node['html'][:120]} {node['failureSummary']}"
            for violation in result["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]

    # What is displayed.

    @property
    def question(self) -> Locator:
        return self.page.locator("#question")

    @property
    def send(self) -> Locator:
        return self.page.get_by_role("button", name="Send", exact=True)

    @property
    def stop(self) -> Locator:
        return self.page.get_by_role("button", name="Stop", exact=True)

    @property
    def ended(self) -> Locator:
        return self.page.locator(".measure")

    @property
    def answer(self) -> Locator:
        """The last answer, with everything around its text."""
        return self.page.locator(".answer").last

    @property
    def text(self) -> str:
        """The last answer's text."""
        return self.page.locator(".text").last.inner_text()

    @property
    def failure(self) -> str:
        return self.answer.locator(".failure").inner_text()

    @property
    def measure(self) -> str:
        return self.answer.locator(".measure").inner_text()

    @property
    def focused(self) -> str:
        """The id or the name of the focused element."""
        named = "at.id || at.getAttribute('aria-label') || at.textContent.trim()"
        return str(
            self.page.evaluate(
                f"() => {{ const at = document.activeElement; return at === document.body ? '' : {named}; }}"
            )
        )

    @property
    def spoken(self) -> str:
        """The text last announced to screen readers."""
        return self.page.locator("#announcer").inner_text()


def events(*listed: dict[str, Any]) -> str:
    """Return an answer in NDJSON."""
    return "".join(json.dumps(event) + "\n" for event in listed)


def delta(text: str) -> dict[str, Any]:
    return {"type": "delta", "text": text}


def finished(reason: str = "stop") -> dict[str, Any]:
    return {"type": "finished", "finish_reason": reason}
