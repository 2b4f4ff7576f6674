"""Subjects that are not function apps: nginx as the baseline, LiteLLM's proxy as a common alternative."""

import asyncio
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from bench.connection import BadAnswer
from bench.plan import SHORT
from bench.processes import children, on_the_measured_core
from bench.service import ROOT, ServiceProcess
from bench.subject import MODEL, OPENAI_BODY, Subject
from dev.free_port import free_port

LITELLM = ROOT / ".venv-peers" / "bin" / "litellm"
NGINX_START_SECONDS = 10.0
LITELLM_START_SECONDS = 120.0

_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 256; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""
_LITELLM = """
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: http://127.0.0.1:{upstream}/v1
      api_key: bench
litellm_settings:
  telemetry: false
general_settings:
  disable_spend_logs: true
  master_key: {key}
"""
_KEY = "sk-" + secrets.token_hex(32)
"""LiteLLM does not start without one."""


def nginx_path() -> str | None:
    """Return the path of the program, or None."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


class _Peer(Subject):
    """A server process with its own folder."""

    _start_seconds = NGINX_START_SECONDS
    _headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, name: str, title: str, *, path: str) -> None:
        super().__init__(name, title, path=path, body=OPENAI_BODY)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str]

    async def start(self, service: ServiceProcess) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        port = free_port()
        command = self._prepare(Path(self._folder.name), port, service.port)
        with on_the_measured_core():
            self._process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs yet
                command,
                cwd=self._folder.name,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._reach(port, **self._headers)
        await service.play(SHORT)
        async with asyncio.timeout(self._start_seconds):
            while True:
                if self._process.poll() is not None:
                    raise BadAnswer(f"{self.name} did not start")
                try:
                    await self.answer()
                    return
                except (OSError, BadAnswer):
                    await asyncio.sleep(0.1)

    def stop(self) -> None:
        self._connections.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._folder.cleanup()
            self._process = None

    @property
    def _pid(self) -> int:
        return self._process.pid if self._process else 0

    def _prepare(self, folder: Path, port: int, upstream: int) -> list[str]:
        raise NotImplementedError


class Nginx(_Peer):
    """The baseline: one nginx worker that forwards the answer without buffering."""

    def __init__(self) -> None:
        super().__init__("nginx", "nginx, `proxy_buffering off`", path="/openai/v1/chat/completions")

    @property
    def pids(self) -> Sequence[int]:
        return children(self._pid)

    def _prepare(self, folder: Path, port: int, upstream: int) -> list[str]:
        config = folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=folder, port=port, upstream=upstream), encoding="ascii")
        return [nginx_path() or "nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)]


class LiteLLM(_Peer):
    """LiteLLM's proxy with one worker, no database, no callbacks."""

    _start_seconds = LITELLM_START_SECONDS
    _headers = MappingProxyType({"authorization": f"Bearer {_KEY}"})

    def __init__(self) -> None:
        super().__init__("litellm", "LiteLLM proxy", path="/v1/chat/completions")

    @property
    def pids(self) -> Sequence[int]:
        return [self._pid, *children(self._pid)]

    def _prepare(self, folder: Path, port: int, upstream: int) -> list[str]:
        config = folder / "config.yaml"
        config.write_text(_LITELLM.format(model=MODEL, upstream=upstream, key=_KEY), encoding="ascii")
        return [str(LITELLM), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
