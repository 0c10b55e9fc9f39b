"""The opt-out folder in a container of Azure Blob Storage, below a prefix."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from urllib.parse import unquote, urlsplit

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobProperties
from azure.storage.blob.aio import BlobClient, BlobServiceClient, ContainerClient, StorageStreamDownloader

from shared.domain.optout_file import Folder, RemoteFile
from shared.stores.files.unavailable import CHUNK_BYTES, FilesUnavailableError, check_same, checked_name
from shared.stores.mappings import blob_service
from shared.stores.storage_calls import error_code

CALL_TIMEOUT_S = 60.0
LOOK_AGAIN_S = 0.5
MOST_LOOKS = 600
ACCOUNT_HOST = ".blob."


@dataclass(frozen=True)
class BlobPlace:
    """`account`: the address of the storage account. `prefix` ends with a slash, or is empty."""

    account: str
    container: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> BlobPlace:
        """From `https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX`, or an emulator's `http://HOST/ACCOUNT/…`.

        Raises ValueError.
        """
        parts = urlsplit(url)
        words = unquote(parts.path).strip("/").split("/")
        in_path = 0 if ACCOUNT_HOST in (parts.hostname or "") else 1
        wrong = parts.scheme not in ("http", "https") or parts.username or parts.query
        if wrong or len(words) <= in_path or not words[-1]:
            raise ValueError("the blob address must look like https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX")
        account = "/".join([f"{parts.scheme}://{parts.netloc}", *words[:in_path]])
        prefix = "/".join(words[in_path + 1 :])
        return cls(account, words[in_path], prefix and prefix + "/")


class BlobFiles:
    """Implements `shared.ports.Files`."""

    def __init__(self, place: BlobPlace, service: BlobServiceClient) -> None:
        self._place = place
        self._service = service
        self._container: ContainerClient = service.get_container_client(place.container)

    @classmethod
    def from_settings(cls, url: str, connection_string: str | None, credential: AsyncTokenCredential) -> BlobFiles:
        """By connection string where there is one, else with the identity. Raises ValueError."""
        place = BlobPlace.parse(url)
        return cls(place, blob_service(connection_string, place.account, credential))

    async def close(self) -> None:
        """End the connections."""
        await self._service.close()

    async def list(self, folder: Folder = Folder.INBOX) -> Sequence[RemoteFile]:
        """Blobs directly below the prefix, oldest first. Raises FilesUnavailableError."""
        prefix = self._prefix(folder)
        async with self._calling(prefix):
            found = [blob async for blob in self._container.walk_blobs(name_starts_with=prefix, delimiter="/")]
        files = [_remote_file(blob, prefix, folder) for blob in found if isinstance(blob, BlobProperties)]
        return sorted((file for file in files if file.name), key=lambda file: (file.modified_at, file.name))

    @asynccontextmanager
    async def open(self, file: RemoteFile) -> AsyncIterator[AsyncIterator[bytes]]:
        """Piece by piece. Raises FilesUnavailableError, also from the iterator, and ValueError for a name with `/`."""
        key = self._key(file)
        async with self._calling(key):
            stream = await self._blob(key).download_blob()
        check_same(self._where(key), file, _remote_file(stream.properties, self._prefix(file.folder), file.folder))
        async with aclosing(self._pieces(key, stream)) as pieces:
            yield pieces

    async def move(self, file: RemoteFile, target: Folder, name: str) -> None:
        """A copy inside the account, then a removal: what breaks off in between leaves both.

        Raises FilesUnavailableError.
        """
        key, new_key = self._key(file), self._prefix(target) + checked_name(name)
        async with self._calling(key):
            if not await self._blob(key).exists():
                return
        async with self._calling(new_key):
            await self._blob(new_key).start_copy_from_url(self._blob(key).url)
        await self._copied(new_key)
        await self.delete(file)

    async def delete(self, file: RemoteFile) -> None:
        """Raises FilesUnavailableError."""
        key = self._key(file)
        async with self._calling(key):
            try:
                await self._blob(key).delete_blob()
            except ResourceNotFoundError:
                return

    async def _copied(self, key: str) -> None:
        """Inside one account a copy is usually done at once. Raises FilesUnavailableError."""
        for _ in range(MOST_LOOKS):
            async with self._calling(key):
                status = (await self._blob(key).get_blob_properties()).copy.status
            if status == "success":
                return
            if status != "pending":
                break
            await asyncio.sleep(LOOK_AGAIN_S)
        raise FilesUnavailableError(self._where(key), f"the copy has ended as {status}")

    async def _pieces(self, key: str, stream: StorageStreamDownloader[bytes]) -> AsyncGenerator[bytes, None]:
        while True:
            async with self._calling(key):
                piece = await stream.read(CHUNK_BYTES)
            if not piece:
                return
            yield piece

    @asynccontextmanager
    async def _calling(self, key: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                yield
        except ResourceNotFoundError as error:
            raise FilesUnavailableError(self._where(key), "no such file or container") from error
        except HttpResponseError as error:
            raise FilesUnavailableError(self._where(key), _problem(error)) from error
        except (AzureError, TimeoutError) as error:
            problem = f"the connection failed ({type(error).__name__})"
            raise FilesUnavailableError(self._where(key), problem) from error

    def _prefix(self, folder: Folder) -> str:
        return f"{self._place.prefix}{folder}/" if folder else self._place.prefix

    def _key(self, file: RemoteFile) -> str:
        return self._prefix(file.folder) + checked_name(file.name)

    def _blob(self, key: str) -> BlobClient:
        return self._container.get_blob_client(key)

    def _where(self, key: str) -> str:
        return f"{self._place.account}/{self._place.container}/{key}"


def _remote_file(found: BlobProperties, prefix: str, folder: Folder) -> RemoteFile:
    modified = found.last_modified.astimezone(UTC).replace(microsecond=0)
    return RemoteFile(found.name.removeprefix(prefix), found.size, modified, folder)


def _problem(error: HttpResponseError) -> str:
    if error.status_code in (401, 403):
        return "permission denied: the identity needs the role Storage Blob Data Contributor on the container"
    return f"storage refuses (HTTP {error.status_code} {error_code(error)})".replace(" )", ")")
