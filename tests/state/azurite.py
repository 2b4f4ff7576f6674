"""Azurite, Microsoft's own emulator of Azure Storage, as a process: one of its services, in memory.

`package-lock.json` pins it. With a certificate it listens with TLS and takes Entra tokens, whose claims it reads
(`--oauth basic`); nothing is ever sent to the real service.
"""

import base64
import datetime as dt
import ipaddress
import os
import re
import secrets
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dev.free_port import free_port
from tests.node.toolchain import Node

HERE = Path(__file__).resolve().parent
ACCOUNTS = 40
START_SECONDS = 60.0
_LISTENS = re.compile(r"successfully (?:listens|started) on ")


@dataclass(frozen=True, slots=True)
class Account:
    """An account of its own, empty: the address of its blob or table service, and its key."""

    service_uri: str
    key: str
    service: str = "blob"

    @property
    def connection_string(self) -> str:
        name = self.service_uri.rpartition("/")[2]
        return f"AccountName={name};AccountKey={self.key};{self.service.capitalize()}Endpoint={self.service_uri};"


class Azurite:
    """A running emulator."""

    def __init__(self, address: str, names: list[str], key: str, service: str) -> None:
        self._service = service
        self._address = address
        self._names = names
        self._key = key

    def account(self) -> Account:
        """Return an account that nobody had before."""
        return Account(f"{self._address}/{self._names.pop()}", self._key, self._service)


@contextmanager
def azurite(node: Node, folder: Path, *, tls: "Certificate | None" = None, service: str = "blob") -> Iterator[Azurite]:
    """Run an emulator on a free port. What it leaves on disk is in `folder`."""
    node.install(HERE)
    port = free_port()  # the table service does not tell the port that it was given
    names = [f"account{number}" for number in range(ACCOUNTS)]
    key = base64.b64encode(secrets.token_bytes(64)).decode()
    script = HERE / "node_modules" / "azurite" / "dist" / "src" / service / "main.js"
    command = [node.node, str(script), f"--{service}Port", str(port), "--inMemoryPersistence", "--disableTelemetry"]
    if tls is not None:
        command += ["--cert", str(tls.certificate), "--key", str(tls.key), "--oauth", "basic"]
    environment = node.environment(AZURITE_ACCOUNTS=";".join(f"{name}:{key}" for name in names))
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    timer = threading.Timer(START_SECONDS, process.kill)
    timer.start()
    try:
        listens = any(_LISTENS.search(line) for line in process.stdout)
        timer.cancel()
        if not listens:
            raise RuntimeError(f"Azurite ended with status {process.wait()} before it listened")
        threading.Thread(target=process.stdout.read, daemon=True).start()  # a pipe that nobody reads would stop it
        yield Azurite(f"{'http' if tls is None else 'https'}://127.0.0.1:{port}", names, key, service)
    finally:
        timer.cancel()
        process.terminate()
        process.wait()


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM: a certificate that signs itself, for this machine, and its key."""

    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificate":
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "azurite")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, SHA256())
        )
        files = cls(folder / "certificate.pem", folder / "key.pem")
        files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        descriptor = os.open(files.key, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files
