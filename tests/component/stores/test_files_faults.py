"""Opt-out folders on S3 and Azure Blob that refuse, break off or do not answer: told clearly, and nothing lost."""

from __future__ import annotations

import asyncio
import gc
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from azure.identity.aio import DefaultAzureCredential

from sandbox import azurite
from shared.domain.optout_file import RemoteFile
from shared.stores.files import FilesUnavailableError, blob, s3
from shared.stores.files.place import FileSecrets, FileStore, file_store
from shared.stores.mappings import blob_service
from tests.component.stores.relay import LEAKS, Answers, relay_to

A_FILE = RemoteFile("a.csv", 1, datetime(2026, 11, 20, tzinfo=UTC))


@dataclass
class Answer:
    """What the server says to everything: a status, S3's or Azure's error code, or a body that breaks off."""

    status: int
    code: str = ""
    promised: int | None = None

    def bytes(self) -> bytes:
        body = (
            f"<Error><Code>{self.code}</Code><Message>No.</Message></Error>".encode()
            if self.code
            else b"externalId;blackList\n"
        )
        length = len(body) if self.promised is None else self.promised
        head = [
            f"HTTP/1.1 {self.status} X",
            f"Content-Length: {length}",
            "Content-Type: application/xml",
            "Last-Modified: Fri, 20 Nov 2026 00:00:00 GMT",
            'ETag: "1"',
            f"x-ms-error-code: {self.code}",
            "Connection: close",
        ]
        return "\r\n".join([*head, "", ""]).encode() + body


@pytest.fixture
async def server() -> AsyncIterator[tuple[int, list[Answer]]]:
    answers = [Answer(503)]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers[0].bytes())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield running.sockets[0].getsockname()[1], answers
    running.close()
    await running.wait_closed()


def on_s3(port: int) -> FileStore:
    secrets = FileSecrets(
        s3_key_id="id", s3_secret="secret", s3_region="us-east-1", s3_endpoint=f"http://127.0.0.1:{port}"
    )
    return file_store("s3://exports/d365", secrets, DefaultAzureCredential())


def on_blob(port: int, container: str = "exports") -> FileStore:
    account = f"http://127.0.0.1:{port}/{azurite.ACCOUNT}"
    connection = f"AccountName={azurite.ACCOUNT};AccountKey={azurite.KEY};BlobEndpoint={account};"
    return file_store(f"{account}/{container}", FileSecrets(blob_connection=connection), DefaultAzureCredential())


async def read(files: FileStore, file: RemoteFile, on_piece: Callable[[], None] = lambda: None) -> bytes:
    content = b""
    async with files.open(file) as pieces:
        async for piece in pieces:
            on_piece()
            content += piece
    return content


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(403, "AccessDenied"), r"s3://exports/d365/: permission denied: the key needs s3:ListBucket"),
        (Answer(403, "InvalidAccessKeyId"), "OPTOUT_S3_KEY_ID"),
        (Answer(403, "SignatureDoesNotMatch"), "OPTOUT_S3_SECRET"),
        (Answer(404, "NoSuchBucket"), "no such bucket"),
        (Answer(400, "SomethingElse"), r"S3 refuses \(SomethingElse\)"),
    ],
)
async def test_what_s3_refuses_is_told_with_its_remedy(
    server: tuple[int, list[Answer]], answer: Answer, problem: str
) -> None:
    port, answers = server
    answers[0] = answer
    files = on_s3(port)
    with pytest.raises(FilesUnavailableError, match=problem):
        await files.list()
    await files.close()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(403, "AuthorizationPermissionMismatch"), "permission denied: the identity needs the role"),
        (Answer(404, "ContainerNotFound"), "no such file or container"),
        (Answer(409, "AccountBeingCreated"), r"storage refuses \(HTTP 409 AccountBeingCreated\)"),
    ],
)
async def test_what_blob_storage_refuses_is_told_with_its_remedy(
    server: tuple[int, list[Answer]], answer: Answer, problem: str
) -> None:
    port, answers = server
    answers[0] = answer
    files = on_blob(port)
    with pytest.raises(FilesUnavailableError, match=problem):
        await files.list()
    await files.close()


@LEAKS
async def test_an_s3_file_that_breaks_off_in_the_middle_is_told(server: tuple[int, list[Answer]]) -> None:
    port, answers = server
    answers[0] = Answer(200, promised=1_000_000)
    files = on_s3(port)
    file = RemoteFile("a.csv", 1_000_000, A_FILE.modified_at)
    with pytest.raises(FilesUnavailableError, match=r"a\.csv: the connection failed"):
        await read(files, file)
    await files.close()
    gc.collect()


async def test_a_server_that_is_down_is_told() -> None:
    for files in (on_s3(9), on_blob(9)):
        with pytest.raises(FilesUnavailableError, match="the connection failed"):
            await files.list()
        await files.close()


@LEAKS
async def test_a_blob_that_breaks_off_in_the_middle_is_told_and_the_next_reading_is_whole(
    storage: azurite.Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blob, "CALL_TIMEOUT_S", 2.0)
    container = uuid.uuid4().hex
    content = bytes(range(256)) * 36_000
    async with relay_to(storage.blob_port) as relay:
        files = on_blob(relay.port, container)
        assert isinstance(files, blob.BlobFiles)
        async with blob_service(storage.connection_string) as service:
            made = await service.create_container(container)
            for start in range(0, len(content), 1_000_000):
                await made.upload_blob("a.csv", content[start : start + 1_000_000], blob_type="AppendBlob")
        (file,) = await files.list()
        with pytest.raises(FilesUnavailableError, match=r"a\.csv: the connection failed"):
            await read(files, file, lambda: setattr(relay, "answers", Answers.CUT))
        relay.answers = Answers.PASS
        assert await read(files, file) == content
        await files.close()
    gc.collect()


async def test_a_silent_s3_is_given_up_in_time(storage: azurite.Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "CALL_TIMEOUT_S", 0.3)
    monkeypatch.setattr(s3, "TRIES", 1)
    async with relay_to(storage.blob_port) as relay:
        relay.answers = Answers.SWALLOW
        files = on_s3(relay.port)
        with pytest.raises(FilesUnavailableError, match="the connection failed"):
            await files.list()
        await files.close()
