"""Run the app on this machine (`make run`), keyless, with nothing to set up. A development tool, never deployed.

Without a local.settings.json it starts the simulated Azure OpenAI as well, so that a request takes the real way: a token from
an identity endpoint, then a stream. With one, the settings there name the model's service.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from dev.functions_host.settings import EXAMPLE_FILE, SETTINGS_FILE

ROOT = Path(__file__).resolve().parent.parent
SERVICE_SETTINGS = (
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_BACKENDS",
    "AZURE_OPENAI_API_KEY",
    "AZURE_OPENAI_MODELS",
    "OPENAI_BASE_URL",
)
"""What a shell often has set for other tools; the simulated service takes the place of all of them."""


def main() -> int:
    """Start the parts, wait for the host, end the rest."""
    parser = argparse.ArgumentParser(prog="python -m dev.run", description=__doc__)
    parser.add_argument("--port", type=int, default=7071)
    parser.add_argument("--host", choices=("dev", "func"), default="dev")
    arguments = parser.parse_args()
    env = dict(os.environ)
    simulator = None
    try:
        if not (ROOT / SETTINGS_FILE).exists():
            simulator = _start_simulator(env)
            if arguments.host == "func":
                env = _example_values() | env  # Core Tools reads no example file
        return _serve(arguments.host, arguments.port, env)
    finally:
        if simulator is not None:
            simulator.terminate()
            simulator.wait(5)


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
    if ignored:
        print(
            f"Ignored, although set in this shell: {', '.join(ignored)}. They count with a {SETTINGS_FILE}.",
            flush=True,
        )
    return process


def _example_values() -> dict[str, str]:
    values: dict[str, str] = json.loads((ROOT / EXAMPLE_FILE).read_text())["Values"]
    return values


def _path_to_this_python(path: str) -> str:
    """Return the PATH with this Python first: `func` runs the first `python3` there, and never looks for `.venv`."""
    return f"{Path(sys.executable).parent}{os.pathsep}{path}"


def _serve(host: str, port: int, env: dict[str, str]) -> int:
    if host == "func":
        if shutil.which("func") is None:
            print(
                "HOST=func needs Azure Functions Core Tools on the PATH; without HOST the built-in host serves the app."
            )
            return 2
        command = ["func", "start", "--port", str(port)]
        env = env | {"PATH": _path_to_this_python(env.get("PATH", os.defpath))}
    else:
        command = [sys.executable, "-m", "dev.host", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
    _pass_signals_on(process, is_func=host == "func")
    return process.wait()


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
