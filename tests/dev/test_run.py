"""`make run`'s program: what it hands to the host that it starts."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.functions_host.settings import EXAMPLE_FILE, SETTINGS_FILE
from dev.run import UNUSABLE
from tests.dev.host_process import eventually, gone

ROOT = Path(__file__).resolve().parents[2]
FUNC = """#!/bin/sh
exec python3 -c 'import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), sys.prefix]))' "$@"
"""
"""Runs the first `python3` on the PATH, as Core Tools do (`GetEnvironmentPythonVersion` in PythonHelpers.cs)."""
OTHER_PYTHON = """#!/bin/sh
echo "$0 is not the project's Python" >&2
exit 1
"""
SHELL = {
    "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com",
    "AZURE_OPENAI_API_KEY": "a-key-of-another-tool",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    "AZURE_OPENAI_DEPLOYMENT": "mine",
}


@pytest.fixture
def printed(tmp_path: Path) -> str:
    """What `HOST=func` prints where Core Tools are a program that prints how it was called."""
    if (ROOT / SETTINGS_FILE).exists():
        pytest.skip(f"{SETTINGS_FILE} would be used instead of the simulated Azure OpenAI")
    for name, text in (("func", FUNC), ("python3", OTHER_PYTHON), ("python", OTHER_PYTHON)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", "dev.run", "--host", "func", "--port", "7099"],
        cwd=ROOT,
        env=os.environ | SHELL | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


STUBBORN_FUNC = """#!/bin/sh
exec python3 -c '
import os, signal, subprocess, sys, time
worker = subprocess.Popen(["sleep", "60"])
signal.signal(signal.SIGINT, lambda *_: print("func: SIGINT", flush=True))
signal.signal(signal.SIGTERM, lambda *_: (print("func: SIGTERM", flush=True), worker.kill(), os._exit(0)))
print("ready", os.getpid(), worker.pid, flush=True)
time.sleep(60)
' "$@"
"""
"""Goes on after SIGINT, as Core Tools do while a stream is open."""


@pytest.fixture
def func(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """`HOST=func` with a `func` that goes on after SIGINT; and the ids of its process and of its worker's."""
    if (ROOT / SETTINGS_FILE).exists():
        pytest.skip(f"{SETTINGS_FILE} would be used instead of the simulated Azure OpenAI")
    (tmp_path / "func").write_text(STUBBORN_FUNC)
    (tmp_path / "func").chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.run", "--host", "func"],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    ready = next(line for line in process.stdout if line.startswith("ready"))
    pids = [int(one) for one in ready.split()[1:]]
    with process:
        yield process, pids
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_second_interrupt_ends_func_and_its_worker(func: tuple[subprocess.Popen[str], list[int]]) -> None:
    process, pids = func
    assert process.stdout is not None
    process.send_signal(signal.SIGINT)
    lines = {process.stdout.readline(), process.stdout.readline()}
    assert lines == {
        "func: SIGINT\n",
        "Stopping: an open stream holds func for up to 30 s; Ctrl-C again ends it\n",
    }
    assert not any(map(gone, pids))
    process.send_signal(signal.SIGINT)
    process.wait(15)
    eventually(lambda: all(map(gone, pids)))


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_terminates_func(
    func: tuple[subprocess.Popen[str], list[int]], number: signal.Signals
) -> None:
    process, pids = func
    assert process.stdout is not None
    process.send_signal(number)
    assert process.stdout.readline() == "func: SIGTERM\n"
    assert process.wait(15) == 0
    eventually(lambda: all(map(gone, pids)))


EARLY = """import os, pathlib, signal, sys, time, dev.run
ready, start = pathlib.Path(sys.argv.pop(1)), dev.run.subprocess.Popen

def start_and_be_told(command, **options):
    process = start(command, **options)
    if command[0] == "func":
        while not ready.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
    return process

dev.run.subprocess.Popen = start_and_be_told
sys.exit(dev.run.main())
"""
"""A signal arrives after the host has started and before it can be handed on."""


def test_a_signal_that_arrives_while_the_host_starts_reaches_it(tmp_path: Path) -> None:
    if (ROOT / SETTINGS_FILE).exists():
        pytest.skip(f"{SETTINGS_FILE} would be used instead of the simulated Azure OpenAI")
    (tmp_path / "func").write_text(
        '#!/bin/sh\ntrap "echo func: SIGTERM; exit 0" TERM\ntouch "$READY"\nn=0\n'
        "while [ $n -lt 300 ]; do sleep 0.1; n=$((n + 1)); done\n"
    )
    (tmp_path / "func").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    ready = str(tmp_path / "ready")
    done = subprocess.run(
        [sys.executable, "-c", EARLY, ready, "--host", "func"],
        cwd=ROOT,
        env=os.environ | {"PATH": path, "READY": ready},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["func: SIGTERM"])


PROGRAM = """import sys, pathlib, dev.run
dev.run.ROOT = pathlib.Path(sys.argv.pop(1))
sys.exit(dev.run.main())
"""
AZD_VALUES = """#!/bin/sh
[ "$*" = "env get-values" ] || exit 9
echo 'AZURE_OPENAI_ENDPOINT="https://deployed.openai.azure.com/"'
echo 'AZURE_OPENAI_DEPLOYMENT="deployed"'
"""


@dataclass
class Project:
    """A folder with the app's settings files, and programs in the place of `func` and `azd`."""

    folder: Path

    def write_settings(self, **values: str) -> None:
        example = json.loads((ROOT / EXAMPLE_FILE).read_text())
        example["Values"] |= values
        (self.folder / SETTINGS_FILE).write_text(json.dumps(example))

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the program in this folder."""
        unset = dict.fromkeys(SHELL, "")
        path = f"{self.folder}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, str(self.folder), *arguments],
            cwd=ROOT,
            env=os.environ | unset | {"PATH": path, "PYTHONPATH": str(ROOT)} | env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def settings_of_func(self, *arguments: str, **env: str) -> tuple[dict[str, str], str]:
        """What `func` got from the environment, and what was printed before."""
        done = self.run("--host", "func", *arguments, **env)
        assert done.returncode == 0, done.stderr
        *said, last = done.stdout.splitlines()
        return json.loads(last)[1], "\n".join(said) + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name in ("host.json", EXAMPLE_FILE):
        shutil.copyfile(ROOT / name, tmp_path / name)
    for name, text in (("func", FUNC), ("azd", AZD_VALUES)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return Project(tmp_path)


def test_a_model_named_by_the_command_is_asked_and_that_is_said(project: Project) -> None:
    env, said = project.settings_of_func(MODEL_URL="http://127.0.0.1:9/v1", MODEL="llama3.2", OPENAI_API_KEY="sk-x")
    assert (env["OPENAI_BASE_URL"], env["AZURE_OPENAI_DEPLOYMENT"]) == ("http://127.0.0.1:9/v1", "llama3.2")
    assert (env["AZURE_OPENAI_ENDPOINT"], env["AZURE_OPENAI_API_KEY"]) == ("", "")
    assert "Asking http://127.0.0.1:9/v1, model llama3.2, without a key" in said
    assert "Nobody answers at http://127.0.0.1:9 (Connection refused)." in said
    assert "Simulated" not in said


def test_a_name_that_nobody_knows_is_said_at_once(project: Project) -> None:
    _, said = project.settings_of_func(MODEL_URL="http://nobody.invalid/v1", MODEL="m")
    assert "Nobody answers at http://nobody.invalid (name not known)." in said


def test_what_azd_deployed_is_asked(project: Project) -> None:
    env, said = project.settings_of_func("--azd")
    assert env["AZURE_OPENAI_ENDPOINT"] == "https://deployed.openai.azure.com/"
    assert env["AZURE_OPENAI_DEPLOYMENT"] == "deployed"
    assert "which azd deployed" in said


def test_a_copy_of_the_example_keeps_the_simulated_model(project: Project) -> None:
    project.write_settings(SYSTEM_PROMPT="Be brief.")
    env, said = project.settings_of_func()
    assert "Simulated Azure OpenAI at " + env["AZURE_OPENAI_ENDPOINT"] in said
    assert "local.settings.json names no model's service of its own." in said


def test_settings_that_name_a_service_say_that_they_switch_the_simulated_one_off(project: Project) -> None:
    project.write_settings(OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    env, said = project.settings_of_func()
    assert said == "local.settings.json names the model's service: no simulated one is started."
    assert "IDENTITY_ENDPOINT" not in env or env["IDENTITY_ENDPOINT"] == os.environ.get("IDENTITY_ENDPOINT")


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["--azd"], {"MODEL_URL": "http://127.0.0.1:9"}, "name two models: leave one out."),
        ([], {"MODEL_URL": "nowhere", "MODEL": "m"}, "MODEL_URL must be an address"),
        (["--host", "func", "--keys"], {}, "run `func start --enableAuth`."),
        (["--azd"], {"PATH": "/nonexistent"}, "needs the Azure Developer CLI (azd) on the PATH"),
        (["--host", "func"], {"PATH": "/nonexistent"}, "needs Azure Functions Core Tools (func) on the PATH"),
    ],
)
def test_a_command_that_cannot_work_is_one_sentence(
    project: Project, arguments: list[str], env: dict[str, str], said: str
) -> None:
    done = project.run(*arguments, **env)
    assert done.returncode == UNUSABLE
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_azd_without_an_environment_is_quoted(project: Project) -> None:
    (project.folder / "azd").write_text("#!/bin/sh\necho 'ERROR: no project exists' >&2; exit 1\n")
    done = project.run("--azd")
    assert done.returncode == UNUSABLE
    assert "run `azd up` first (ERROR: no project exists)." in done.stderr


def test_what_func_would_still_read_from_its_file_is_named(project: Project) -> None:
    project.write_settings(AZURE_OPENAI_API_KEY="a-key", AZURE_OPENAI_ENDPOINT="https://mine.openai.azure.com")
    done = project.run("--host", "func", MODEL_URL="http://127.0.0.1:9", MODEL="m")
    assert done.returncode == UNUSABLE
    assert "func reads AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY from local.settings.json" in done.stderr
    assert "a-key" not in done.stderr


def test_the_simulated_service_takes_the_place_of_what_the_shell_names(printed: str) -> None:
    _, env, _ = json.loads(printed.splitlines()[-1])
    assert env["AZURE_OPENAI_ENDPOINT"] in printed.splitlines()[0]
    assert env["AZURE_OPENAI_ENDPOINT"].startswith("http://127.0.0.1:")
    assert env["IDENTITY_ENDPOINT"].startswith("http://127.0.0.1:")
    assert (env["AZURE_OPENAI_API_KEY"], env["OPENAI_BASE_URL"]) == ("", "")
    assert env["DEBUG_HEADERS"] == "true"  # so that `make smoke` sees the patches
    assert "AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY, OPENAI_BASE_URL" in printed
    assert "a-key-of-another-tool" not in printed


def test_core_tools_get_the_examples_values_which_they_do_not_read(printed: str) -> None:
    arguments, env, _ = json.loads(printed.splitlines()[-1])
    assert arguments == ["start", "--port", "7099"]
    example = json.loads((ROOT / EXAMPLE_FILE).read_text())["Values"]
    for name in ("FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsDisableHomepage", "COMMIT_SECONDS"):
        assert env[name] == example[name]
    assert env["AZURE_OPENAI_DEPLOYMENT"] == "mine"


def test_core_tools_find_the_projects_python_first_although_the_shells_is_another(printed: str) -> None:
    _, _, prefix = json.loads(printed.splitlines()[-1])
    assert prefix == sys.prefix
