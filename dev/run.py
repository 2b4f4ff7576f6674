"""Run the app on this machine (`make run`), keyless, with nothing to set up. A development tool, never deployed.

Without anything that names a model's service it starts the simulated Azure OpenAI as well, so that a request takes the real
way: a token from an identity endpoint, then a stream. `dev.model` says who else can be asked, and how.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.parse import urlsplit

from dev.functions_host import settings
from dev.functions_host.failure import HostFailure
from dev.functions_host.settings import EXAMPLE_FILE, SETTINGS_FILE
from dev.model import SERVICE_SETTINGS, Model, Unusable, deployed_model, named_model, names_a_service

ROOT = Path(__file__).resolve().parent.parent
CONNECT_SECONDS = 2.0
SIMULATED_WITHOUT = tuple(name for name in SERVICE_SETTINGS if name != "AZURE_OPENAI_ENDPOINT")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
UNUSABLE = 2
"""The exit status for a command that cannot work."""


def main() -> int:
    """Start the parts, wait for the host, end the rest."""
    parser = argparse.ArgumentParser(prog="python -m dev.run", description=__doc__)
    parser.add_argument("--port", type=int, default=7071)
    parser.add_argument("--host", choices=("dev", "func"), default="dev")
    parser.add_argument("--azd", action="store_true", help="ask the model that `azd up` deployed")
    parser.add_argument("--telemetry", action="store_true", help="show traces and metrics of what is asked")
    parser.add_argument("--keys", action="store_true", help="ask for function keys, as Azure does")
    try:
        return _run(parser.parse_args())
    except (Unusable, HostFailure) as problem:
        print(f"{problem}.", file=sys.stderr)
        return UNUSABLE


def _run(arguments: argparse.Namespace) -> int:
    env = dict(os.environ)
    emptied: tuple[str, ...] = ()
    simulator = collector = None
    model = _model(arguments, env)
    try:
        if arguments.telemetry:
            collector = _start_collector(env)
        if model is not None:
            env |= model.settings
            emptied = model.emptied
            print(model.sentence, flush=True)
            _say_when_nobody_answers(model)
        elif not (ROOT / SETTINGS_FILE).exists():
            simulator = _start_simulator(env)
            emptied = SIMULATED_WITHOUT
        elif names_a_service(settings.read(ROOT, None, env, ()).environment, _example_values()):
            print(f"{SETTINGS_FILE} names the model's service: no simulated one is started.", flush=True)
        else:
            print(f"{SETTINGS_FILE} names no model's service of its own.", flush=True)
            simulator = _start_simulator(env)
            emptied = tuple(name for name in SIMULATED_WITHOUT if name != "AZURE_OPENAI_MODELS")
        return _serve(arguments, env, emptied)
    finally:
        for process in (simulator, collector):
            if process is not None:
                process.terminate()
                process.wait(5)


def _model(arguments: argparse.Namespace, env: Mapping[str, str]) -> Model | None:
    """Return the model that the command names, or None. Raise `Unusable`."""
    url = env.get("MODEL_URL", "")
    if url and arguments.azd:
        raise Unusable("MODEL_URL and AZD name two models: leave one out")
    if arguments.azd:
        return deployed_model(_azd_values())
    return named_model(url, env.get("MODEL", ""), env) if url else None


def _azd_values() -> str:
    if shutil.which("azd") is None:
        raise Unusable("AZD=1 needs the Azure Developer CLI (azd) on the PATH: https://aka.ms/azd")
    asked = subprocess.run(["azd", "env", "get-values"], cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode:
        said = " ".join((asked.stderr or asked.stdout).split()).rstrip(".")
        raise Unusable(f"azd has no environment to read, run `azd up` first ({said})")
    return asked.stdout


def _say_when_nobody_answers(model: Model) -> None:
    """Look once, so that a server that was not started is known before the first question."""
    port = urlsplit(model.address.root).port or (443 if model.address.scheme == "https" else 80)
    try:
        with socket.create_connection((model.address.host, port), CONNECT_SECONDS):
            return
    except OSError as error:
        cause = "name not known" if isinstance(error, socket.gaierror) else error.strerror or "no connection in time"
        print(
            f"Nobody answers at {model.address.root} ({cause}). The app starts all the same, and asks there.",
            file=sys.stderr,
            flush=True,
        )


def _start_simulator(env: dict[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.simulator", "--port", "0"], stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True
    )
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline() or b"{}")
    if not ready:
        raise SystemExit("The simulated Azure OpenAI did not start.")
    env.setdefault("DEBUG_HEADERS", "true")  # on this machine nobody is kept from seeing them
    ignored = [name for name in SERVICE_SETTINGS if env.get(name)]
    env |= dict.fromkeys(SERVICE_SETTINGS, "")
    env["AZURE_OPENAI_ENDPOINT"] = ready["backends"]["main"]
    env["IDENTITY_ENDPOINT"], env["IDENTITY_HEADER"] = ready["identity_endpoint"], ready["identity_header"]
    print(
        f"Simulated Azure OpenAI at {env['AZURE_OPENAI_ENDPOINT']} (no account, no key: a managed identity is simulated)",
        flush=True,
    )
    _search_documentation(env, ready["search"])
    if ignored:
        print(
            f"Ignored, although set in this shell: {', '.join(ignored)}. They count with a {SETTINGS_FILE} "
            f"(a copy of {EXAMPLE_FILE}); `make run MODEL_URL=… MODEL=…` asks another model.",
            flush=True,
        )
    return process


def _start_collector(env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start what receives traces and metrics; it prints each trace, and shows all of them on its page."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.collector", "--port", "0"], stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True
    )
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline() or b"{}")
    if not ready:
        raise SystemExit("The collector did not start.")
    threading.Thread(target=_show, args=(process.stdout,), daemon=True).start()
    env["OTEL_EXPORTER_OTLP_ENDPOINT"] = ready["address"]
    print(f"Traces and metrics at {ready['address']}, a few seconds after each answer", flush=True)
    return process


def _show(lines: IO[bytes]) -> None:
    for line in lines:
        sys.stdout.write(line.decode(errors="replace"))
        sys.stdout.flush()


def _search_documentation(env: dict[str, str], search: str) -> None:
    """Let answers come from this project's own documentation, unless the command says otherwise."""
    for name, value in {"RETRIEVAL": "on", "SEARCH_ENDPOINT": search, "SEARCH_INDEX": "docs"}.items():
        env.setdefault(name, value)
    if env["SEARCH_ENDPOINT"] == search and env["RETRIEVAL"] != "off":
        print(
            f"Simulated Azure AI Search at {search}, over this project's documentation (RETRIEVAL=off: without)",
            flush=True,
        )


def _example_values() -> dict[str, str]:
    values: dict[str, str] = json.loads((ROOT / EXAMPLE_FILE).read_text())["Values"]
    return values


def _path_to_this_python(path: str) -> str:
    """Return the PATH with this Python first: `func` runs the first `python3` there, and never looks for `.venv`."""
    return f"{Path(sys.executable).parent}{os.pathsep}{path}"


def _serve(arguments: argparse.Namespace, env: dict[str, str], emptied: tuple[str, ...]) -> int:
    is_func = arguments.host == "func"
    command = _func(arguments, env, emptied) if is_func else _host(arguments, emptied)
    if is_func:
        has_file = (ROOT / SETTINGS_FILE).exists()
        env = ({} if has_file else _example_values()) | env | dict.fromkeys(emptied, "")  # it reads no example file
        env["PATH"] = _path_to_this_python(env.get("PATH", os.defpath))
    early: list[int] = []  # before the host can be told
    for one in SIGNALS:
        signal.signal(one, lambda number, _frame: early.append(number))
    process = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
    _pass_signals_on(process, is_func=is_func)
    for number in early:
        signal.raise_signal(number)
    return process.wait()


def _host(arguments: argparse.Namespace, emptied: tuple[str, ...]) -> list[str]:
    # An empty variable of the environment loses to the settings file, an empty --set wins.
    options = [option for name in emptied for option in ("--set", f"{name}=")]
    keys = ["--keys"] if arguments.keys else []
    return [sys.executable, "-m", "dev.host", "--port", str(arguments.port), *options, *keys]


def _func(arguments: argparse.Namespace, env: Mapping[str, str], emptied: tuple[str, ...]) -> list[str]:
    if shutil.which("func") is None:
        raise Unusable(
            "HOST=func needs Azure Functions Core Tools (func) on the PATH; without HOST the built-in host serves the app"
        )
    if arguments.keys:
        raise Unusable("KEYS=1 is for the built-in host: leave out HOST=func, or run `func start --enableAuth`")
    if emptied and (ROOT / SETTINGS_FILE).exists():
        read = settings.read(ROOT, None, env, ()).environment
        if left := [name for name in emptied if read.get(name) and not env.get(name)]:
            raise Unusable(f"func reads {', '.join(left)} from {SETTINGS_FILE}: empty it there, or leave out HOST=func")
    return ["func", "start", "--port", str(arguments.port)]


def _pass_signals_on(process: subprocess.Popen[bytes], *, is_func: bool) -> None:
    """Hand the signals of the terminal to the host, which is in a session of its own.

    The launcher of `func` (npm's) does not pass SIGHUP on: a closed terminal sends SIGTERM instead. `func` gives open streams
    30 s and ignores a second SIGINT: that one ends it and all that it has started.
    """
    interrupts = 0

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        nonlocal interrupts
        interrupts += 1
        if not is_func:
            process.send_signal(signal.SIGINT)
        elif interrupts == 1:
            print("Stopping: an open stream holds func for up to 30 s; Ctrl-C again ends it", flush=True)
            process.send_signal(signal.SIGINT)
        else:
            os.killpg(process.pid, signal.SIGKILL)

    signal.signal(signal.SIGINT, interrupt)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda _signum, _frame: process.send_signal(signal.SIGTERM))


if __name__ == "__main__":
    sys.exit(main())
