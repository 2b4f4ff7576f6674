"""Late packages, in processes of their own: what is imported there is imported for the first time."""

import subprocess
import sys

IMPORT = """
import sys
from shared.hosting.late_packages import late
with late("openai.types"):
    import openai
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", IMPORT + code], capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.stdout.strip()


def test_most_of_openais_types_are_not_imported_with_it() -> None:
    loaded = int(run("print(sum(name.startswith('openai.types.') for name in sys.modules))"))
    whole = "import openai, sys; print(sum(name.startswith('openai.types.') for name in sys.modules))"
    usual = int(subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=True).stdout)
    assert usual > 100
    assert loaded < usual / 3


def test_a_look_at_a_name_of_a_late_package_finds_it() -> None:
    assert run("print(openai.types.Batch.__name__, type(openai.types).__name__)") == "Batch module"


def test_what_is_imported_from_a_late_package_is_what_it_would_be_otherwise() -> None:
    code = """
from openai.types.chat import ChatCompletionChunk, completion_create_params
from openai.types.responses import ResponseStreamEvent
chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": "hi"}}], "created": 0, "model": "m"}
print(ChatCompletionChunk.model_validate(chunk | {"object": "chat.completion.chunk"}).choices[0].delta.content)
print(sys.modules["openai.types.chat.chat_completion_chunk"].ChatCompletionChunk is ChatCompletionChunk)
"""
    assert run(code).split() == ["hi", "True"]


def test_a_name_that_a_late_package_does_not_have_is_an_attribute_error() -> None:
    code = """
for package in (openai.types, openai.types.responses):
    try:
        package.nothing
    except AttributeError as error:
        print(error)
"""
    assert run(code).splitlines() == [
        "module 'openai.types' has no attribute 'nothing'",
        "module 'openai.types.responses' has no attribute 'nothing'",
    ]


def test_two_threads_that_look_at_once_find_the_same() -> None:
    code = """
import threading
found = []
threads = [threading.Thread(target=lambda: found.append(openai.types.responses.Response)) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(found), len(set(found)))
"""
    assert run(code) == "8 1"


def test_a_package_outside_is_imported_as_ever() -> None:
    code = """
with late("xml"):
    import xml.dom, email.mime
print(type(xml.dom).__name__, type(email.mime).__name__)
"""
    assert run(code) == "LatePackage module"
