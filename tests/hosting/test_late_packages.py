"""Late packages, in processes of their own: what is imported there is imported for the first time.

Each process is forked from one that has imported openai, with its types late, which takes most of a second.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest

FORKING = """
import json, os, sys, traceback
from shared.hosting.late_packages import late
with late("openai.types"):
    import openai
for line in sys.stdin:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        try:
            exec(json.loads(line), {"sys": sys, "late": late, "openai": openai})
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    os.close(writing)
    with open(reading) as output:
        print(json.dumps(output.read()), flush=True)
    os.wait()
"""
SECONDS = 30

type Run = Callable[[str], str]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Returns what code prints in a process of its own, where openai is imported."""
    command = [sys.executable, "-c", f"import signal; signal.alarm(20 * {SECONDS}){FORKING}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        reading, writing = process.stdout, process.stdin
        assert reading is not None
        assert writing is not None

        def run(code: str) -> str:
            print(json.dumps(f"import signal; signal.alarm({SECONDS})\n{code}"), file=writing, flush=True)
            return str(json.loads(reading.readline())).strip()

        yield run
        writing.close()


def test_most_of_openais_types_are_not_imported_with_it(run: Run) -> None:
    loaded = int(run("print(sum(name.startswith('openai.types.') for name in sys.modules))"))
    there = len(list((Path(openai.__file__).parent / "types").rglob("*.py")))
    assert there > 400
    assert loaded < there / 8


def test_a_managed_identity_needs_nothing_of_cryptography(run: Run) -> None:
    """And finds it when something does."""
    code = """
from shared.upstream.identity import load_managed_identity, make_credential
load_managed_identity()
make_credential(managed=True, client_id="c")
print(type(sys.modules["cryptography.x509"]).__name__)
import cryptography.x509
print(cryptography.x509.Name([]).rfc4514_string() == "", type(cryptography.x509).__name__)
"""
    assert run(code).split() == ["LatePackage", "True", "module"]


def test_a_look_at_a_name_of_a_late_package_finds_it(run: Run) -> None:
    assert run("print(openai.types.Batch.__name__, type(openai.types).__name__)") == "Batch module"


def test_what_is_imported_from_a_late_package_is_what_it_would_be_otherwise(run: Run) -> None:
    code = """
from openai.types.chat import ChatCompletionChunk, completion_create_params
from openai.types.responses import ResponseStreamEvent
chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": "hi"}}], "created": 0, "model": "m"}
print(ChatCompletionChunk.model_validate(chunk | {"object": "chat.completion.chunk"}).choices[0].delta.content)
print(sys.modules["openai.types.chat.chat_completion_chunk"].ChatCompletionChunk is ChatCompletionChunk)
"""
    assert run(code).split() == ["hi", "True"]


def test_a_name_that_a_late_package_does_not_have_is_an_attribute_error(run: Run) -> None:
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


def test_two_threads_that_look_at_once_find_the_same(run: Run) -> None:
    code = """
import threading
found = []
threads = [threading.Thread(target=lambda: found.append(openai.types.responses.Response)) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(found), len(set(found)))
"""
    assert run(code) == "8 1"


def test_a_package_outside_is_imported_as_ever(run: Run) -> None:
    code = """
with late("xml"):
    import xml.dom, email.mime
print(type(xml.dom).__name__, type(email.mime).__name__)
"""
    assert run(code) == "LatePackage module"


CROSSED = """
import importlib, threading, types

def module(name, text):
    path = folder / f"{name.replace('.', '/')}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

import pathlib, tempfile
temporary = tempfile.TemporaryDirectory()
folder = pathlib.Path(temporary.name)
sys.path.insert(0, str(folder))
"""
"""Before what follows: `module(name, text)` writes modules that it can import."""


def test_two_threads_that_import_each_others_modules_do_not_wait_for_each_other(run: Run) -> None:
    # One imports a module that looks at a late name; the other looks at a late name whose `__init__` imports that module.
    code = """
import builtins
builtins.looking, builtins.running = threading.Event(), threading.Event()
module("package.__init__", "early = 1\\nrunning.set()\\nlooking.wait(10)\\nimport crossing\\nname = 2\\n")
module("crossing", "looking.set()\\nrunning.wait(10)\\nimport package\\nseen = package.early\\nafter = package.name\\n")
with late("package"):
    import package
found = {}

def look():
    found["look"] = package.name

def cross():
    try:
        found["cross"] = importlib.import_module("crossing").seen
    except AttributeError:  # `name`: it got the package as far as it was
        found["cross"] = 1

threads = [threading.Thread(target=look, daemon=True), threading.Thread(target=cross, daemon=True)]
for thread in threads: thread.start()
for thread in threads: thread.join(10)
print([thread.is_alive() for thread in threads], found["look"], found["cross"])
"""
    assert run(CROSSED + code) == "[False, False] 2 1"


def test_dir_and_a_star_import_see_what_a_plain_import_would(run: Run) -> None:
    code = """
module("listed.__init__", "from listed.part import inner\\nname = 1\\n_private = 2\\n")
module("listed.part", "inner = 3\\n")
module("starred.__init__", "__all__ = ['name']\\nname, other = 1, 2\\n")
with late("listed"):
    import listed
with late("starred"):
    import starred
names = [name for name in dir(listed) if not name.startswith("__")]
scope = {}
exec("from listed import *", scope)
other = {}
exec("from starred import *", other)
shown = [sorted(name for name in one if not name.startswith("__")) for one in (scope, other)]
print(names, shown, type(listed) is types.ModuleType)
"""
    assert run(CROSSED + code) == "['_private', 'inner', 'name', 'part'] [['inner', 'name', 'part'], ['name']] True"


def test_a_star_import_of_a_package_that_was_not_looked_at_before_sees_all_names(run: Run) -> None:
    code = """
module("listed.__init__", "name, other = 1, 2\\n")
with late("listed"):
    import listed
scope = {}
exec("from listed import *", scope)
print(sorted(name for name in scope if not name.startswith("__")))
"""
    assert run(CROSSED + code) == "['name', 'other']"


def test_an_init_that_fails_fails_at_every_look_with_its_own_error_until_it_succeeds(run: Run) -> None:
    code = """
import builtins
builtins.works = False
module("broken.__init__", "half = 1\\nif not works: raise ImportError('no such library')\\nname = 2\\n")
with late("broken"):
    import broken
for statement in ("broken.name", "from broken import name", "dir(broken)", "hasattr(broken, 'other')"):
    try:
        exec(statement)
    except ImportError as error:
        print(error, "half" in vars(broken))
builtins.works = True
print(broken.name, type(broken) is types.ModuleType)
"""
    assert run(CROSSED + code).splitlines() == ["no such library False"] * 4 + ["2 True"]


def test_without_importlibs_own_lock_the_package_is_imported_plainly(run: Run) -> None:
    code = """
from shared.hosting import late_packages
late_packages._bootstrap = types.SimpleNamespace()
module("plain.__init__", "name = 1\\n")
with late("plain"):
    import plain
print(type(plain).__name__, vars(plain)["name"], late_packages.problem(late_packages._bootstrap))
"""
    assert run(CROSSED + code) == "module 1 importlib has no _ModuleLockManager and no _DeadlockError"
