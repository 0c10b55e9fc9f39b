"""The opt-out folder: SFTP, S3, Azure Blob and the fake do the same."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from azure.identity.aio import DefaultAzureCredential
from moto.server import ThreadedMotoServer

from sandbox import azurite, sftp
from shared.domain.optout_file import Folder, RemoteFile
from shared.ports import Files
from shared.stores.files import FilesUnavailableError
from shared.stores.files.blob import BlobFiles, BlobPlace
from shared.stores.files.memory import MemoryFiles
from shared.stores.files.place import FileSecrets, FileStore, file_store
from shared.stores.files.s3 import S3Files, S3Place
from shared.stores.files.sftp import SftpFiles
from shared.stores.mappings import blob_service

BUCKET = "exports"
Upload = Callable[[str, bytes], Awaitable[None]]


@dataclass(frozen=True)
class Place:
    """A store, and how Campaign writes to it."""

    files: Files
    upload: Upload


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Amazon's API on this machine."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def in_memory() -> Place:
    files = MemoryFiles()

    async def upload(name: str, content: bytes) -> None:
        files.put(name, content, datetime.now(UTC).replace(microsecond=0))

    return Place(files, upload)


@pytest.fixture
async def on_sftp(tmp_path: Path) -> AsyncIterator[Place]:
    keys = sftp.ensure_keys(tmp_path / "keys")
    running = await sftp.start(tmp_path / "root", authorized_keys=keys.authorized_keys, host_key=keys.host_key)
    url = f"sftp://{sftp.USER}@127.0.0.1:{running.port}/{sftp.EXPORTS}"

    async def upload(name: str, content: bytes) -> None:
        (running.exports / name).write_bytes(content)

    store = opened(url, FileSecrets(sftp_key=str(keys.client_key), sftp_host_key=keys.host_key_line))
    assert isinstance(store, SftpFiles)
    yield Place(store, upload)
    await store.close()
    await running.stop()


@pytest.fixture
async def on_s3(s3: str) -> AsyncIterator[Place]:
    client: Any = s3_client(s3)
    await asyncio.to_thread(lambda: client.create_bucket(Bucket=BUCKET))
    prefix = uuid.uuid4().hex

    async def upload(name: str, content: bytes) -> None:
        await asyncio.to_thread(lambda: client.put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=content))

    store = opened(f"s3://{BUCKET}/{prefix}", s3_secrets(s3))
    assert isinstance(store, S3Files)
    yield Place(store, upload)
    await store.close()
    client.close()


@pytest.fixture
async def on_blob(storage: azurite.Azurite) -> AsyncIterator[Place]:
    container = uuid.uuid4().hex
    url = f"http://127.0.0.1:{storage.blob_port}/{azurite.ACCOUNT}/{container}/d365/ex%20ports"
    async with blob_service(storage.connection_string) as service:
        await service.create_container(container)

        async def upload(name: str, content: bytes) -> None:
            await service.get_blob_client(container, f"d365/ex ports/{name}").upload_blob(content, overwrite=True)

        store = opened(url, FileSecrets(blob_connection=storage.connection_string))
        assert isinstance(store, BlobFiles)
        yield Place(store, upload)
        await store.close()


@pytest.fixture(params=["in_memory", "on_sftp", "on_s3", "on_blob"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


def s3_client(endpoint: str) -> Any:
    session = boto3.session.Session(aws_access_key_id="id", aws_secret_access_key="secret", region_name="us-east-1")
    return session.client("s3", endpoint_url=endpoint)


def s3_secrets(endpoint: str) -> FileSecrets:
    return FileSecrets(s3_key_id="id", s3_secret="secret", s3_region="us-east-1", s3_endpoint=endpoint)


def opened(url: str, secrets: FileSecrets) -> FileStore:
    return file_store(url, secrets, DefaultAzureCredential())


async def read(files: Files, file: RemoteFile) -> bytes:
    async with files.open(file) as pieces:
        return b"".join([piece async for piece in pieces])


async def names(files: Files, folder: Folder = Folder.INBOX) -> list[str]:
    return [file.name for file in await files.list(folder)]


async def test_an_empty_place_has_no_files_in_any_folder(place: Place) -> None:
    assert [await place.files.list(folder) for folder in Folder] == [[], [], []]


async def test_files_are_listed_with_size_and_time_and_read_exactly(place: Place) -> None:
    content = bytes(range(256)) * 4000
    await place.upload("a \u00fc#?.csv", content)
    await place.upload("b.csv", b"")
    listed = {file.name: file for file in await place.files.list()}
    assert {name: file.size for name, file in listed.items()} == {"a \u00fc#?.csv": len(content), "b.csv": 0}
    now = datetime.now(UTC)
    for file in listed.values():
        assert abs(now - file.modified_at) < timedelta(minutes=1)
        assert file.modified_at.microsecond == 0
    assert await read(place.files, listed["a \u00fc#?.csv"]) == content
    assert await read(place.files, listed["b.csv"]) == b""
    assert await place.files.list() == sorted(listed.values(), key=lambda file: (file.modified_at, file.name))


async def test_a_moved_file_is_in_the_other_folder_and_nowhere_else(place: Place) -> None:
    await place.upload("a.csv", b"first")
    (file,) = await place.files.list()
    await place.files.move(file, Folder.ARCHIVE, file.kept_name)
    assert await names(place.files) == []
    (kept,) = await place.files.list(Folder.ARCHIVE)
    assert (kept.name, kept.folder) == (file.kept_name, Folder.ARCHIVE)
    assert await read(place.files, kept) == b"first"
    assert await names(place.files, Folder.QUARANTINE) == []


async def test_a_move_repeated_or_over_another_file_does_no_harm(place: Place) -> None:
    for content in (b"first", b"second"):
        await place.upload("a.csv", content)
        (file,) = await place.files.list()
        for _ in range(2):
            await place.files.move(file, Folder.ARCHIVE, "kept.csv")
    (kept,) = await place.files.list(Folder.ARCHIVE)
    assert await read(place.files, kept) == b"second"
    await place.files.move(kept, Folder.INBOX, "a.csv")
    assert (await names(place.files), await names(place.files, Folder.ARCHIVE)) == (["a.csv"], [])


async def test_a_deletion_may_be_repeated(place: Place) -> None:
    await place.upload("a.csv", b"x")
    (file,) = await place.files.list()
    for _ in range(2):
        await place.files.delete(file)
    assert await names(place.files) == []


async def test_a_file_that_is_gone_or_another_by_now_is_told(place: Place) -> None:
    await place.upload("a.csv", b"x")
    (file,) = await place.files.list()
    with pytest.raises(FilesUnavailableError, match=r"a\.csv: the file is not the one that was listed"):
        await read(place.files, replace(file, size=2))
    await place.files.delete(file)
    with pytest.raises(FilesUnavailableError, match=r"a\.csv: no such file"):
        await read(place.files, file)


@pytest.mark.parametrize("name", ["", ".", "..", "../a.csv", "/etc/passwd", "sub/a.csv"])
async def test_names_outside_the_folder_are_refused(place: Place, name: str) -> None:
    file = RemoteFile(name, 1, datetime.now(UTC))
    await place.upload("a.csv", b"x")
    (other,) = await place.files.list()
    for call in (read(place.files, file), place.files.delete(file), place.files.move(other, Folder.ARCHIVE, name)):
        with pytest.raises(ValueError, match="not a file name"):
            await call
    assert await names(place.files) == ["a.csv"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://host/x", "must begin with sftp://, s3:// or https://"),
        ("sftp://user@host/x", "needs OPTOUT_SFTP_KEY and OPTOUT_SFTP_HOST_KEY"),
        ("s3:///x", "s3://BUCKET/PREFIX"),
        ("s3://id:secret@bucket/x", "s3://BUCKET/PREFIX"),
        ("https://acme.blob.core.windows.net", "CONTAINER/PREFIX"),
        ("https://acme.blob.core.windows.net/c/p?sig=secret", "CONTAINER/PREFIX"),
        ("http://127.0.0.1:10000/account", "CONTAINER/PREFIX"),
    ],
)
def test_an_address_that_does_not_do_says_what_it_should_look_like(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as raised:
        opened(url, FileSecrets())
    assert "secret" not in str(raised.value)


def test_places_are_read_from_their_addresses() -> None:
    assert S3Place.parse("s3://my.Bucket/a/b%20c/") == S3Place("my.Bucket", "a/b c/")
    assert S3Place.parse("s3://bucket") == S3Place("bucket", "")
    account = "https://acme.blob.core.windows.net"
    assert BlobPlace.parse(f"{account}/c/d/e/") == BlobPlace(account, "c", "d/e/")
    assert BlobPlace.parse(f"{account}/c") == BlobPlace(account, "c", "")
    assert BlobPlace.parse("http://127.0.0.1:10000/dev/c/d") == BlobPlace("http://127.0.0.1:10000/dev", "c", "d/")
