"""`python -m tests.page.picture`: take the README's screenshot of the page, docs/page.png. Only the answer is made up."""

from playwright.sync_api import sync_playwright

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.page.chat_page import ROOT, ChatPage, find_browser

QUESTION = "How do I read this endpoint's stream in Python?"
ANSWER = """The answer comes as **server-sent events**, one JSON object each. Keep the `delta` texts as they come:

```python
import json
import httpx

def words(url: str, question: str):
    \"\"\"The answer, piece by piece.\"\"\"
    body = {"input": question}
    with httpx.stream("POST", url, json=body, timeout=60) as response:
        for line in response.iter_lines():
            if line.startswith("data:"):
                event = json.loads(line.removeprefix("data:"))
                if event["type"] == "delta":
                    yield event["text"]
```

Only a `finished` event says that the answer is complete; a `failed` one says why it is not.
"""


def main() -> None:
    """Ask, wait and take the screenshot."""
    path = find_browser()
    with (
        Simulator.start() as simulator,
        App.start(simulator, AZURE_OPENAI_DEPLOYMENT="gpt-5-mini") as app,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = ChatPage(browser.new_page(viewport={"width": 1200, "height": 860}), app.url).open()
        simulator.behave(main={"text": ANSWER, "start_delay": 0.31, "interval": 0.02})
        page.page.locator("#model-field").wait_for()
        page.ask_and_wait(QUESTION)
        page.page.screenshot(path=ROOT / "docs" / "page.png")
        browser.close()


if __name__ == "__main__":
    main()
