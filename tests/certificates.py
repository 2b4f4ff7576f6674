"""Self-signed certificates for servers of the tests, and the one authority that all trust."""

import contextlib
import datetime as dt
import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AUTHORITY = "SSL_CERT_FILE"


@contextlib.contextmanager
def one_authority() -> Iterator[None]:
    """Trust one certificate, here and in the processes started here.

    A client reads all that its system trusts when it is made, which takes 40 ms; what is asked over TLS here has its own.
    """
    before = os.environ.get(AUTHORITY)
    with TemporaryDirectory() as folder:
        os.environ[AUTHORITY] = str(write_certificate(Path(folder) / "authority.pem", "127.0.0.1"))
        try:
            yield
        finally:
            if before is None:
                del os.environ[AUTHORITY]
            else:
                os.environ[AUTHORITY] = before


def write_certificate(path: Path, host: str) -> Path:
    """Write one for a host's name or address, with its key, and return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([_name_of(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + private)
    return path


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
