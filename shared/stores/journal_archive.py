"""The opt-out journal read back: its days, its chains, and their lines as they lie in storage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient

from shared.errors import Reason
from shared.stores.journal import CONTAINER, ENTRIES, create_container
from shared.stores.storage_calls import READ_RETRIES, reading, writing

SEALS = "seals/"


@dataclass(frozen=True)
class StoredChain:
    """A chain as storage lists it; `size` in bytes."""

    name: str
    day: date
    size: int


class BlobArchive:
    """Reads the journal, and stores its seals. All methods raise Retry; `store_seal` also Uncertain."""

    def __init__(self, service: BlobServiceClient) -> None:
        self._container = service.get_container_client(CONTAINER)

    async def chains(self, day: date | None = None) -> AsyncIterator[StoredChain]:
        """Of one day, or all of them, the oldest day first."""
        prefix = f"{ENTRIES}{day.isoformat()}/" if day else ENTRIES
        pages = self._container.list_blobs(name_starts_with=prefix, retry_total=READ_RETRIES).by_page()
        while True:
            async with reading(Reason.JOURNAL_UNREACHABLE):
                try:
                    page = await anext(pages, None)
                    found = [] if page is None else [blob async for blob in page]
                except ResourceNotFoundError:
                    return
            if page is None:
                return
            for blob in found:
                yield StoredChain(blob.name, date.fromisoformat(blob.name.split("/")[1]), blob.size)

    async def lines(self, chain: StoredChain) -> AsyncIterator[bytes]:
        """Without line ends, up to the listed size; what is appended meanwhile is another reading's."""
        if not chain.size:
            return
        async with reading(Reason.JOURNAL_UNREACHABLE):
            blob = self._container.get_blob_client(chain.name)
            stream = await blob.download_blob(0, chain.size, retry_total=READ_RETRIES)
        pieces, rest = stream.chunks(), b""
        while True:
            async with reading(Reason.JOURNAL_UNREACHABLE):
                piece = await anext(pieces, None)
            if piece is None:
                break
            *complete, rest = (rest + piece).split(b"\n")
            for line in complete:
                yield line
        if rest:
            yield rest

    async def seals(self) -> AsyncIterator[tuple[str, bytes]]:
        """Name and content, the oldest first."""
        for name in await self._seal_names():
            yield name, await self._content(name)

    async def last_seal(self) -> tuple[date, bytes] | None:
        """The newest one's day and content."""
        names = await self._seal_names()
        if not names:
            return None
        return date.fromisoformat(names[-1].removeprefix(SEALS).removesuffix(".json")), await self._content(names[-1])

    async def store_seal(self, day: date, content: bytes) -> bool:
        """False: the day has one, which stays as it is."""
        blob = self._container.get_blob_client(f"{SEALS}{day.isoformat()}.json")
        async with writing(Reason.JOURNAL_UNREACHABLE):
            await create_container(self._container)
            try:
                await blob.upload_blob(content, overwrite=False, match_condition=MatchConditions.IfMissing)
            except (ResourceExistsError, ResourceModifiedError):
                return False
        return True

    async def _seal_names(self) -> list[str]:
        async with reading(Reason.JOURNAL_UNREACHABLE):
            try:
                return [name async for name in self._container.list_blob_names(name_starts_with=SEALS)]
            except ResourceNotFoundError:
                return []

    async def _content(self, name: str) -> bytes:
        async with reading(Reason.JOURNAL_UNREACHABLE):
            stream = await self._container.get_blob_client(name).download_blob(retry_total=READ_RETRIES)
            return await stream.readall()
