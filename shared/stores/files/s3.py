"""The opt-out folder in an S3 bucket, below a prefix."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.optout_file import Folder, RemoteFile
from shared.stores.files.unavailable import CHUNK_BYTES, FilesUnavailableError, check_same, checked_name

Result = TypeVar("Result")
CONNECT_TIMEOUT_S = 15
CALL_TIMEOUT_S = 60
TRIES = 2
MISSING = ("404", "NoSuchKey")
ADVICE = {
    "AccessDenied": "permission denied: the key needs s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject",
    "InvalidAccessKeyId": "the access key is not known: check OPTOUT_S3_KEY_ID",
    "SignatureDoesNotMatch": "the secret is not the key's: check OPTOUT_S3_SECRET",
    "NoSuchBucket": "no such bucket",
    "NoSuchKey": "no such file",
    "404": "no such file",
    "403": "permission denied",
}


@dataclass(frozen=True)
class S3Access:
    """How to get in. None: as Amazon's library finds it by itself."""

    key_id: str | None = None
    secret: str | None = None
    region: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True)
class S3Place:
    """`prefix` ends with a slash, or is empty."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> S3Place:
        """From `s3://BUCKET/PREFIX`. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.hostname or parts.username or parts.query:
            raise ValueError("the S3 address must look like s3://BUCKET/PREFIX")
        prefix = unquote(parts.path).strip("/")
        return cls(parts.netloc, prefix and prefix + "/")


class S3Files:
    """Implements `shared.ports.Files`. The library blocks, so that its calls run in threads."""

    def __init__(self, place: S3Place, access: S3Access) -> None:
        self._place = place
        self._client: Any = boto3.session.Session().client(
            "s3",
            aws_access_key_id=access.key_id,
            aws_secret_access_key=access.secret,
            region_name=access.region,
            endpoint_url=access.endpoint,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=CALL_TIMEOUT_S,
                retries={"max_attempts": TRIES, "mode": "standard"},
            ),
        )

    async def close(self) -> None:
        """End the connections."""
        self._client.close()

    async def list(self, folder: Folder = Folder.INBOX) -> Sequence[RemoteFile]:
        """Objects directly below the prefix, oldest first. Raises FilesUnavailableError."""
        prefix = self._prefix(folder)
        files = await self._call(prefix, lambda: [*self._listed(prefix, folder)])
        return sorted(files, key=lambda file: (file.modified_at, file.name))

    @asynccontextmanager
    async def open(self, file: RemoteFile) -> AsyncIterator[AsyncIterator[bytes]]:
        """Piece by piece. Raises FilesUnavailableError, also from the iterator, and ValueError for a name with `/`."""
        key = self._key(file)
        answer = await self._call(key, lambda: self._client.get_object(Bucket=self._place.bucket, Key=key))
        with closing(answer["Body"]) as body:
            found = RemoteFile(file.name, answer["ContentLength"], _seconds(answer["LastModified"]))
            check_same(self._where(key), file, found)
            async with aclosing(self._pieces(key, body)) as pieces:
                yield pieces

    async def move(self, file: RemoteFile, target: Folder, name: str) -> None:
        """A copy, then a removal: what breaks off in between leaves both. Raises FilesUnavailableError."""
        key, new_key = self._key(file), self._prefix(target) + checked_name(name)
        source = {"Bucket": self._place.bucket, "Key": key}
        if await self._call(key, lambda: self._exists(key)):
            await self._call(new_key, lambda: self._client.copy(source, self._place.bucket, new_key))
            await self.delete(file)

    async def delete(self, file: RemoteFile) -> None:
        """Raises FilesUnavailableError."""
        key = self._key(file)
        await self._call(key, lambda: self._client.delete_object(Bucket=self._place.bucket, Key=key))

    def _prefix(self, folder: Folder) -> str:
        return f"{self._place.prefix}{folder}/" if folder else self._place.prefix

    def _key(self, file: RemoteFile) -> str:
        return self._prefix(file.folder) + checked_name(file.name)

    def _listed(self, prefix: str, folder: Folder) -> Iterator[RemoteFile]:
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._place.bucket, Prefix=prefix, Delimiter="/"):
            for found in page.get("Contents", ()):
                name = found["Key"].removeprefix(prefix)
                if name:  # an object named like the folder itself is how some tools make an empty folder
                    yield RemoteFile(name, found["Size"], _seconds(found["LastModified"]), folder)

    def _exists(self, key: str) -> bool:
        try:
            self._client.head_object(Bucket=self._place.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return False
            raise
        return True

    async def _pieces(self, key: str, body: Any) -> AsyncGenerator[bytes, None]:  # noqa: ANN401 - botocore's own stream
        while piece := await self._call(key, lambda: _read(body)):
            yield piece

    async def _call(self, key: str, call: Callable[[], Result]) -> Result:
        try:
            return await asyncio.to_thread(call)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            raise self._unavailable(key, ADVICE.get(code, f"S3 refuses ({code})")) from error
        except (BotoCoreError, OSError) as error:
            raise self._unavailable(key, f"the connection failed ({type(error).__name__})") from error

    def _unavailable(self, key: str, problem: str) -> FilesUnavailableError:
        return FilesUnavailableError(self._where(key), problem)

    def _where(self, key: str) -> str:
        return f"s3://{self._place.bucket}/{key}"


def _read(body: Any) -> bytes:  # noqa: ANN401 - botocore's own stream
    piece: bytes = body.read(CHUNK_BYTES)
    return piece


def _seconds(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)
