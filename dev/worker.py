"""The process that the development host starts for an app: `python dev/worker.py CHANNEL APP`.

It stands in for Azure's worker process around `azure-functions-runtime` and is never deployed; `python -m dev.host` starts it.
This file runs on any Python 3, so that one of another version can report itself.
"""

import json
import os
import struct
import sys

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - see above


def main(channel: int, app: str) -> None:
    """Serve until the host ends, or a signal ends the process."""
    # The folder of this tool is on the path only while the tool is imported: the app must not find itself through it.
    sys.path[:] = [PROJECT, *(one for one in sys.path if one != os.path.join(PROJECT, "dev"))]  # noqa: PTH118
    # What a package brings comes first, as in Azure; the worker library, which no package has, comes from this environment.
    packages = os.path.join(app, ".python_packages", "lib", "site-packages")  # noqa: PTH118
    if os.path.isdir(packages):  # noqa: PTH112
        sys.path.insert(0, packages)
    if sys.version_info < (3, 13):  # noqa: UP036 - any Python may have been asked for
        _give_up(channel, "it is Python {}.{}, and 3.13 is needed".format(*sys.version_info))
    try:
        from dev.functions_worker.process import run
    except ModuleNotFoundError as error:
        _give_up(channel, f"the package {error.name} is missing (pip install -r dev/requirements-run.txt)")
    sys.path.remove(PROJECT)
    run(channel, app)


def _give_up(channel: int, reason: str) -> None:
    text = f"The worker's Python, {sys.executable}, cannot run it: {reason}"
    failure = json.dumps({"type": "worker_init", "ok": False, "error": text, "stack_trace": ""}).encode()
    os.write(channel, struct.pack(">I", len(failure)) + failure)
    sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
