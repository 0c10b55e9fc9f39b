"""The versions of the mapping in blob storage: written once, never changed, with a pointer to the one in force."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import StorageErrorCode
from azure.storage.blob.aio import BlobClient, BlobServiceClient

from shared.stores.mapping_entry import (
    Applied,
    Draft,
    UnreadableEntryError,
    from_bytes,
    pointed_at,
    pointer_bytes,
    to_bytes,
)
from shared.stores.storage_calls import READ_RETRIES, WRITE_RETRIES, error_code, reading, writing

CONTAINER = "mapping"
POINTER = "current.json"
NOT_MODIFIED = 304
# The SDK's own pause before a repeated read is 15 s, longer than a call may take here.
PAUSE_S = 1
# Its own first piece of a blob is 32 MiB, held in memory.
READ_BYTES = 4 * 1024 * 1024


class OvertakenError(Exception):
    """Somebody else put another version in force meanwhile; nothing was changed. The text says which."""


class UnknownVersionError(LookupError):
    """There is no such version among those that were in force."""


@dataclass(frozen=True)
class Pointer:
    """Which blob is in force, as of an ETag."""

    blob: str
    etag: str


def blob_service(
    connection_string: str | None = None, url: str | None = None, credential: AsyncTokenCredential | None = None
) -> BlobServiceClient:
    """A client for blob storage, by connection string or by URL and identity; the caller closes it.

    Raises ValueError if neither is complete, or the connection string is none.
    """
    options: dict[str, Any] = {"retry_total": WRITE_RETRIES, "initial_backoff": PAUSE_S, "increment_base": PAUSE_S}
    options |= {"max_single_get_size": READ_BYTES, "max_chunk_get_size": READ_BYTES}
    if connection_string:
        return BlobServiceClient.from_connection_string(connection_string, **options)
    if url and credential:
        return BlobServiceClient(url, credential=credential, **options)
    raise ValueError("blob storage: a connection string, or a URL and a credential")


class BlobMappings:
    """Every version is a blob that names the one it replaced, so the history is a chain and cannot be rewritten.

    What was written and never came into force (an operator who was overtaken, a crash in between) is in no chain and
    does no harm. All methods raise Retry when storage does not answer, those that write also Uncertain, and all
    UnreadableEntryError for content that is not ours.
    """

    def __init__(self, service: BlobServiceClient, now: Callable[[], datetime], container: str = CONTAINER) -> None:
        self._container = service.get_container_client(container)
        self._now = now

    async def current(self) -> Applied | None:
        """The version in force; None: none was ever applied."""
        pointer = await self.pointer()
        return None if pointer is None else await self.read(pointer.blob)

    async def apply(self, draft: Draft, replaces: Applied | None) -> Applied:
        """Put a draft in force instead of the version that the operator saw there. Raises OvertakenError."""
        pointer = await self.pointer()
        if (pointer.blob if pointer else None) != (replaces.blob if replaces else None):
            raise _overtaken(pointer)
        entry = await self._store(draft, replaces)
        await self._point(entry, pointer)
        return entry

    async def rollback(self, number: int, replaces: Applied, applied_by: str, note: str = "") -> Applied:
        """Put an earlier version's text in force again, as a new version.

        Raises UnknownVersionError, OvertakenError.
        """
        found = await self.get(number)
        draft = Draft(found.draft.text, found.draft.types, applied_by, note, restores=number)
        return await self.apply(draft, replaces)

    async def get(self, number: int) -> Applied:
        """Raises UnknownVersionError."""
        async for entry in self.history():
            if entry.number == number:
                return entry
            if entry.number < number:
                break
        raise UnknownVersionError(f"there is no version {number}; `bridge mapping history` lists them")

    async def history(self) -> AsyncIterator[Applied]:
        """Every version that was in force, the newest first; one read a version."""
        pointer = await self.pointer()
        blob, last = pointer.blob if pointer else None, float("inf")
        while blob is not None:
            entry = await self.read(blob)
            if entry.number >= last:
                raise UnreadableEntryError(f"{blob} does not come before the version that replaced it")
            yield entry
            blob, last = entry.replaces, entry.number

    async def read(self, blob: str) -> Applied:
        """One version."""
        content, _ = await self._download(blob) or (None, "")
        if content is None:
            raise UnreadableEntryError(f"{blob} is not there")
        return from_bytes(blob, content)

    async def pointer(self) -> Pointer | None:
        """What is in force now; None: nothing."""
        found = await self._download(POINTER)
        return None if found is None else Pointer(pointed_at(POINTER, found[0]), found[1])

    async def changed_from(self, seen: Pointer) -> bool:
        """Whether the pointer was replaced; storage sends no content where it was not."""
        async with reading():
            try:
                await self._blob(POINTER).download_blob(
                    etag=seen.etag, match_condition=MatchConditions.IfModified, retry_total=READ_RETRIES
                )
            except HttpResponseError as error:
                if error.status_code == NOT_MODIFIED:
                    return False
                if not isinstance(error, ResourceNotFoundError):
                    raise
        return True

    async def _download(self, blob: str) -> tuple[bytes, str] | None:
        async with reading():
            try:
                stream = await self._blob(blob).download_blob(retry_total=READ_RETRIES)
                return await stream.readall(), str(stream.properties.etag)
            except ResourceNotFoundError:
                return None

    async def _store(self, draft: Draft, replaces: Applied | None) -> Applied:
        """The next number whose blob is free: one may be taken by a draft of the same text that nobody put in force."""
        number = replaces.number if replaces else 0
        while True:
            number += 1
            entry = Applied(number, draft, self._now(), replaces.blob if replaces else None)
            if await self._create(entry):
                return entry

    async def _create(self, entry: Applied) -> bool:
        content = to_bytes(entry)
        try:
            await self._upload(entry.blob, content)
        except (ResourceExistsError, ResourceModifiedError):
            # The HTTP library repeats a PUT whose connection broke, so the blob that is there may be ours.
            found = await self._download(entry.blob)
            return found is not None and found[0] == content
        return True

    async def _point(self, entry: Applied, seen: Pointer | None) -> None:
        try:
            await self._upload(POINTER, pointer_bytes(entry), seen)
        except (ResourceExistsError, ResourceModifiedError):
            pointer = await self.pointer()
            if pointer is None or pointer.blob != entry.blob:
                raise _overtaken(pointer) from None

    async def _upload(self, blob: str, content: bytes, seen: Pointer | None = None) -> None:
        """Against the ETag seen; None: only if there is no such blob.

        Raises ResourceExistsError, ResourceModifiedError.
        """
        guard: dict[str, Any] = {"etag": seen.etag, "match_condition": MatchConditions.IfNotModified} if seen else {}
        refused: HttpResponseError | None = None
        async with writing():
            try:
                await self._put(blob, content, guard)
            except (ResourceExistsError, ResourceModifiedError) as error:
                refused = error
        if refused is not None:
            raise refused

    async def _put(self, blob: str, content: bytes, guard: dict[str, Any]) -> None:
        try:
            await self._blob(blob).upload_blob(content, overwrite=bool(guard), **guard)
        except ResourceNotFoundError as error:
            if error_code(error) != StorageErrorCode.CONTAINER_NOT_FOUND:
                raise
            await self._create_container()
            await self._blob(blob).upload_blob(content, overwrite=bool(guard), **guard)

    async def _create_container(self) -> None:
        try:
            await self._container.create_container()
        except ResourceExistsError:
            return

    def _blob(self, name: str) -> BlobClient:
        return self._container.get_blob_client(name)


def _overtaken(pointer: Pointer | None) -> OvertakenError:
    found = pointer.blob.removeprefix("versions/").removesuffix(".json") if pointer else "none"
    return OvertakenError(f"the version in force is now {found}, not the one this was compared with")
