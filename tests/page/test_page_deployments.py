"""The page on deployments with other settings: keys, streaming disabled, several models, no models listed."""

import hashlib
import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Route

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.page.chat_page import ChatPage
from tests.page.conftest import OpenPage, Profile

pytestmark = pytest.mark.browser

KEY = "a-callers-own-key"


@pytest.fixture(scope="module")
def keyed(simulator_process: Simulator, request: pytest.FixtureRequest) -> Iterator[App]:
    """Start an app that requires a key, checked by itself or by the host."""
    keys = f"alice=sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"
    with App.start(simulator_process, arguments=("--keys", KEY), AUTH_MODE=request.param, CALLER_KEYS=keys) as app:
        yield app


@pytest.fixture(scope="module")
def unstreamed(simulator_process: Simulator) -> Iterator[App]:
    with App.start(simulator_process, STREAMING_ENABLED="false", AZURE_OPENAI_MODELS="fast=gpt-a,clever=gpt-b") as app:
        yield app


@pytest.fixture(scope="module")
def misconfigured(simulator_process: Simulator) -> Iterator[App]:
    with App.start(simulator_process, COMMIT_SECONDS="soon") as app:
        yield app


def enter(page: ChatPage, key: str) -> None:
    page.page.get_by_label("Key", exact=True).fill(key)
    page.page.get_by_role("button", name="Use this key").click()


@pytest.mark.parametrize("keyed", ["keys"], indirect=True)
def test_the_key_stays_in_the_tab_and_can_be_forgotten(open_page: OpenPage, keyed: App) -> None:
    page = open_page(url=keyed.url)
    page.page.get_by_role("button", name="Access key").click()
    enter(page, "ключ")
    page.page.get_by_text("A key contains only ASCII letters").wait_for()
    assert page.focused == "key"
    enter(page, KEY)
    page.page.locator("#model-field").wait_for()
    assert page.focused == "key-button", "focus returns to the button"

    page.page.reload()
    page.page.locator("#model-field").wait_for()
    other = page.page.context.new_page()
    other.goto(keyed.url)
    other.get_by_text("This deployment requires a key.").wait_for()
    assert page.page.evaluate("JSON.stringify(localStorage) + document.cookie") == "{}"
    assert KEY not in page.page.content()
    assert not [url for url in page.requested if KEY in url]

    page.page.get_by_role("button", name="Access key (set)").click()
    page.page.get_by_role("button", name="Forget the key").click()
    page.page.get_by_text("This deployment requires a key.").wait_for()
    assert page.page.evaluate("sessionStorage.length") == 0


@pytest.mark.parametrize("keyed", ["keys", "function"], indirect=True)
def test_a_deployment_with_keys_is_used_with_a_key(open_page: OpenPage, keyed: App, simulator: Simulator) -> None:
    page = open_page(url=keyed.url)
    page.page.get_by_text("This deployment requires a key.").wait_for()
    assert page.page.locator("#model-field").is_hidden()
    page.ask("let me in")
    page.page.get_by_role("dialog", name="Access key").wait_for()
    assert page.focused == "key"
    assert page.failure.startswith("A key is required")

    enter(page, "an-invalid-key")
    page.page.get_by_text("The key was not accepted. Check it").wait_for()
    assert page.failure.startswith("The key was not accepted")
    simulator.behave(main={"text": "Welcome."})
    enter(page, KEY)
    page.wait_for_text("Welcome.")
    page.wait_for_end()
    assert page.page.locator(".turn").count() == 1, "the question was asked again automatically"
    assert page.focused == "question"
    assert page.page.locator("#model-field").is_visible()
    assert page.page.locator("#key-notice").is_hidden()


def test_escape_closes_the_key_dialog_and_does_not_stop_the_answer(open_page: OpenPage) -> None:
    page = open_page(reduced_motion="no-preference")
    page.ask(f"hi [[sim {json.dumps({'tokens': 40, 'interval': 0.03})}]]")
    page.wait_for_words()
    page.page.get_by_role("button", name="Access key").click()
    page.page.keyboard.press("Escape")
    assert page.page.get_by_role("dialog").count() == 0
    assert page.focused == "key-button"
    page.wait_for_end()
    assert page.answer.locator(".note").count() == 0


def test_a_deployment_without_streaming_works_like_one_with_it(open_page: OpenPage, unstreamed: App) -> None:
    page = open_page(url=unstreamed.url)
    assert page.ask_and_wait(f"hi [[sim {json.dumps({'text': 'All **at once**.'})}]]") == "All at once."
    assert "complete answer after" in page.measure


def test_the_chosen_model_answers(open_page: OpenPage, unstreamed: App, simulator: Simulator) -> None:
    page = open_page(url=unstreamed.url)
    choice = page.page.get_by_label("Model", exact=True)
    choice.wait_for()
    assert choice.locator("option").all_inner_texts() == ["Default model", "fast", "clever"]
    choice.select_option("clever")
    page.ask_and_wait("who are you")
    assert json.loads(simulator.requests(contains="who are you")[-1]["body"])["model"] == "gpt-b"


def test_without_a_list_of_models_there_is_no_choice(open_page: OpenPage) -> None:
    page = open_page().wait_for_models()
    for body in ('{"object":"list","data":[]}', "no list at all", '{"data":[{"id":7},null,"x"]}'):
        page.page.unroute("**/v1/models")
        page.page.route("**/v1/models", answered(body))
        with page.page.expect_response("**/v1/models"):
            page.page.reload()
        assert page.page.locator("#model-field").is_hidden(), body
        assert page.ask_and_wait(f"hi [[sim {json.dumps({'text': f'Still {len(body)}.'})}]]") == f"Still {len(body)}."
        assert page.page.locator("#model-field").is_hidden(), body


def answered(body: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(body=body, content_type="application/json")


def test_an_invalid_setting_is_shown_on_the_page(open_page: OpenPage, misconfigured: App) -> None:
    page = open_page(url=misconfigured.url)
    page.ask("anything")
    page.wait_for_end()
    assert page.failure.startswith("The endpoint is misconfigured")
    assert "COMMIT_SECONDS" in page.failure


def test_the_page_works_behind_a_path_prefix(profile: Profile, app: App) -> None:
    page = ChatPage(profile.new_page(), prefix := f"{app.url}/some/prefix/")
    page.page.route(f"{prefix}**", lambda route: route.continue_(url=route.request.url.replace(prefix, f"{app.url}/")))
    page.open()
    assert page.ask_and_wait(f"hi [[sim {json.dumps({'text': 'Well **hidden**.'})}]]") == "Well hidden."
    page.wait_for_models()
    assert page.problems == []
    assert [url for url in page.requested if not url.startswith(prefix)] == []
    page.page.close()
