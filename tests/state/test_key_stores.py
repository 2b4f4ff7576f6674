"""One list of rules over every store of signing keys, the real one against Azurite; and which store a setting asks for."""

import asyncio
import contextlib
import secrets
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.errors import StateUnavailable
from shared.state.blob_keys import CONTAINER, FOLDER, BlobKeyStore
from shared.state.file_keys import FileKeyStore
from shared.state.key_stores import find_key_store
from shared.state.signing_key import SECRET_BYTES, KeyRing, KeyStore, KeyStoreError, SigningKey
from shared.state.storage_account import StorageAccount
from tests.state.azurite import Account, Azurite

SECRET = secrets.token_bytes(SECRET_BYTES)
OTHER = secrets.token_bytes(SECRET_BYTES)


@dataclass(frozen=True, slots=True)
class Place:
    """Where keys are kept: `open` as a process of its own would, `put` as an operator would by hand."""

    open: Callable[[], KeyStore]
    put: Callable[[str, bytes], None]


def no_credential(_client_id: str) -> Any:
    raise AssertionError("a connection string needs no identity")


def file_place(folder: Path) -> Place:
    def put(name: str, data: bytes) -> None:
        folder.mkdir(exist_ok=True)
        (folder / f"signing-key-{name}").write_bytes(data)

    return Place(lambda: FileKeyStore(folder), put)


def blob_store(connection_string: str) -> BlobKeyStore:
    return BlobKeyStore(StorageAccount(connection_string=connection_string), no_credential)


def blob_place(account: Account) -> Place:
    def put(name: str, data: bytes) -> None:
        from azure.core.exceptions import ResourceExistsError
        from azure.storage.blob import ContainerClient

        options: dict[str, Any] = {"api_version": "2021-12-02"}
        with ContainerClient.from_connection_string(account.connection_string, CONTAINER, **options) as container:
            with contextlib.suppress(ResourceExistsError):
                container.create_container()
            container.upload_blob(f"{FOLDER}{name}", data)

    return Place(lambda: blob_store(account.connection_string), put)


@pytest.fixture(params=["file", pytest.param("blob", marks=pytest.mark.node)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "file":
        return file_place(tmp_path / ".state")
    emulator: Azurite = request.getfixturevalue("emulator")
    return blob_place(emulator.account())


# Every store.


def test_a_new_store_is_empty(place: Place) -> None:
    assert asyncio.run(place.open().read()) == {}


def test_a_key_is_there_for_every_process(place: Place) -> None:
    asyncio.run(place.open().add(1, SECRET))
    assert asyncio.run(place.open().read()) == {1: SECRET}


def test_the_first_writer_wins(place: Place) -> None:
    async def race() -> list[Any]:
        offered = [secrets.token_bytes(SECRET_BYTES) for _ in range(8)]

        async def offer(secret: bytes) -> Any:
            store = place.open()
            await store.add(1, secret)
            return await store.read()

        found = await asyncio.gather(*map(offer, offered))
        assert found[0][1] in offered
        return found

    found = asyncio.run(race())
    assert found == [found[0]] * 8


def test_a_key_is_never_replaced(place: Place) -> None:
    asyncio.run(place.open().add(1, SECRET))
    asyncio.run(place.open().add(1, OTHER))
    assert asyncio.run(place.open().read()) == {1: SECRET}


def test_every_number_of_one_byte_is_a_key_and_no_other_name(place: Place) -> None:
    for name in ("1", "2", "255"):
        place.put(name, SECRET)
    for name in ("0", "256", "01", "-1", "1.bak", "1-2", "x", "²"):
        place.put(name, OTHER)
    assert asyncio.run(place.open().read()) == {1: SECRET, 2: SECRET, 255: SECRET}


def test_processes_that_start_at_once_sign_with_the_same_key(place: Place) -> None:
    async def start() -> list[tuple[SigningKey, ...]]:
        return await asyncio.gather(*(KeyRing(place.open).keys() for _ in range(5)))

    found = asyncio.run(start())
    assert found == [found[0]] * 5
    assert len(found[0][0].secret) == SECRET_BYTES


def test_a_second_key_signs_and_the_first_still_verifies(place: Place) -> None:
    first = asyncio.run(KeyRing(place.open).keys())
    place.put("2", OTHER)
    assert asyncio.run(KeyRing(place.open).keys()) == (SigningKey(2, OTHER), *first)


@pytest.mark.parametrize("data", [b"", b"short", bytes(SECRET_BYTES + 1), bytes(100_000)])
def test_a_key_of_another_length_is_left_out_and_never_replaced(
    place: Place, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    place.put("1", data)
    with pytest.raises(StateUnavailable):
        asyncio.run(KeyRing(place.open).keys())
    place.put("2", SECRET)
    assert asyncio.run(KeyRing(place.open).keys()) == (SigningKey(2, SECRET),)
    assert "left out: [1]" in caplog.text
    assert len(asyncio.run(place.open().read())[1]) != SECRET_BYTES


# The file.


def test_a_file_is_its_owners_alone_and_nothing_unfinished_stays(tmp_path: Path) -> None:
    folder = tmp_path / ".state"
    for secret in (SECRET, OTHER):
        asyncio.run(FileKeyStore(folder).add(1, secret))
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_used_is_a_key_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyStoreError, match=r"\.state cannot be read"):
        asyncio.run(FileKeyStore(tmp_path / "file").read())
    with pytest.raises(KeyStoreError, match=r"\.state cannot be written"):
        asyncio.run(FileKeyStore(tmp_path / "file").add(1, SECRET))


# The blobs.


def test_storage_that_is_not_there_is_a_key_store_error_without_its_text() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/account"
        store = blob_store(f"AccountName=account;AccountKey=c2VjcmV0;BlobEndpoint={address};")
        with pytest.raises(KeyStoreError) as raised:
            asyncio.run(store.read())
    assert "ServiceRequestError" in str(raised.value)
    assert "127.0.0.1" not in str(raised.value)


@pytest.mark.node
def test_storage_that_refuses_the_identity_names_the_role(emulator: Azurite) -> None:
    account = emulator.account()
    wrong = f"AccountName={account.service_uri.rpartition('/')[2]};AccountKey=d3Jvbmc=;"
    store = blob_store(f"{wrong}BlobEndpoint={account.service_uri};")
    with pytest.raises(KeyStoreError, match=r"403 .*Storage Blob Data Owner") as raised:
        asyncio.run(store.read())
    assert "Signature" not in str(raised.value)


def test_a_redirect_is_not_followed() -> None:
    async def read() -> int:
        asked = 0

        async def elsewhere(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            asked += 1
            writer.close()

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{port_of(other)}/\r\n"
            writer.write(f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            writer.close()

        def port_of(server: asyncio.Server) -> int:
            return int(server.sockets[0].getsockname()[1])

        async with (
            await asyncio.start_server(elsewhere, "127.0.0.1", 0) as other,
            await asyncio.start_server(redirect, "127.0.0.1", 0) as server,
        ):
            address = f"http://127.0.0.1:{port_of(server)}/account"
            with pytest.raises(KeyStoreError):
                await blob_store(f"AccountName=account;AccountKey=c2VjcmV0;BlobEndpoint={address};").read()
        return asked

    assert asyncio.run(read()) == 0


@pytest.mark.parametrize("text", ["nonsense", "AccountName=a;AccountKey=%;BlobEndpoint=http://127.0.0.1:1/a"])
def test_a_text_that_is_no_connection_string_is_not_shown(text: str) -> None:
    with pytest.raises(KeyStoreError) as raised:
        asyncio.run(blob_store(text).read())
    assert text not in str(raised.value)


def test_a_client_of_blobs_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.storage.blob.aio", None)
    with pytest.raises(
        KeyStoreError, match=r"azure\.storage\.blob\.aio is missing; its package is in requirements\.txt"
    ):
        asyncio.run(blob_store("AccountName=account;AccountKey=c2VjcmV0;").read())


# The choice.

IN_AZURE = {"WEBSITE_SITE_NAME": "func-x"}
PREFIX = "AzureWebJobsStorage"


def account_of(env: dict[str, str]) -> StorageAccount | None:
    return StorageAccount.from_env(env)


def test_the_account_is_the_one_that_the_host_uses() -> None:
    uri = {f"{PREFIX}__blobServiceUri": "https://st.blob.core.windows.net/", f"{PREFIX}__clientId": "id"}
    expected = StorageAccount(blob_service_uri="https://st.blob.core.windows.net", client_id="id")
    assert account_of(uri | IN_AZURE) == expected
    assert account_of(uri | {f"{PREFIX}__accountName": "other", PREFIX: "AccountKey=x"}) == expected
    assert account_of({f"{PREFIX}__accountName": "store", f"{PREFIX}__clientId": "id"} | IN_AZURE) == StorageAccount(
        blob_service_uri="https://store.blob.core.windows.net",
        table_service_uri="https://store.table.core.windows.net",
        client_id="id",
    )
    assert account_of({PREFIX: "UseDevelopmentStorage=true"}) == StorageAccount(
        connection_string="UseDevelopmentStorage=true"
    )
    assert account_of({PREFIX: "  "}) is None


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({f"{PREFIX}__blobServiceUri": "http://st.blob.core.windows.net"}, f"{PREFIX}__blobServiceUri"),
        ({f"{PREFIX}__blobServiceUri": "https://st.blob.core.windows.net/?sv=secret"}, f"{PREFIX}__blobServiceUri"),
        ({f"{PREFIX}__blobServiceUri": "secret"}, f"{PREFIX}__blobServiceUri"),
        ({f"{PREFIX}__accountName": "evil.example/secret"}, f"{PREFIX}__accountName"),
        ({PREFIX: "AccountName=a;AccountKey=secret"} | IN_AZURE, f"{PREFIX} is a connection string"),
        (IN_AZURE, "no storage account is named"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_and_not_shown(env: dict[str, str], named: str) -> None:
    with pytest.raises(KeyStoreError, match=named) as raised:
        find_key_store(env, no_credential)
    assert "secret" not in str(raised.value)


def test_a_connection_string_is_not_in_the_accounts_repr() -> None:
    assert "secret" not in repr(StorageAccount(connection_string="AccountKey=secret"))


def test_a_machine_without_storage_keeps_its_key_in_a_file_and_azure_never_does() -> None:
    assert isinstance(find_key_store({}, no_credential), FileKeyStore)
    assert isinstance(find_key_store({PREFIX: "UseDevelopmentStorage=true"}, no_credential), BlobKeyStore)
